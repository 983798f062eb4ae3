"""The faults. Each is over when its function returns."""

import asyncio
import contextlib
import random
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic

from bench.rig.gates import Gate
from bench.rig.ward import Ward
from bench.rig.wire import poll
from rolecall.schemas.broker.reading import partitions_of
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.topics import CANDIDATES, DEAD_LETTERS, MATCHES, OCCUPATIONS, VACANCIES

COMMIT_SECONDS = 1.0  # broker_commit_interval
STOP_SECONDS = 20.0
MOST_PARTITIONS = 8
Fault = Callable[[Ward, random.Random], None]


def raises(stage: Stage, ward: Ward, rng: random.Random) -> None:
    order = ward.control / f"fail-{stage}"
    order.touch()
    deadline = time.monotonic() + 30
    while order.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no worker came to {stage} in 30 s, so nothing could fail there")
        ward.supervise()
        time.sleep(0.02)


def kill_worker(ward: Ward, rng: random.Random) -> None:
    rng.choice(ward.workers).process.kill()


def kill_worker_in_a_held_batch(ward: Ward, rng: random.Random) -> None:
    """The batch is held longer than one commit interval, so that an ack that came too early is committed."""
    ward.index.send_signal(signal.SIGSTOP)
    time.sleep(2.5 * COMMIT_SECONDS)
    victim = rng.choice(ward.workers).process
    victim.kill()
    victim.wait()
    ward.index.send_signal(signal.SIGCONT)


def stop_worker(ward: Ward, rng: random.Random) -> None:
    victim = rng.choice(ward.workers).process
    victim.terminate()
    assert victim.wait(STOP_SECONDS + 10) in (0, -signal.SIGTERM), "not a clean stop"


def pause_worker(ward: Ward, rng: random.Random) -> None:
    """The pause is shorter or longer than the session timeout of the group."""
    victim = rng.choice(ward.workers).process
    victim.send_signal(signal.SIGSTOP)
    time.sleep(rng.uniform(1, 6))
    victim.send_signal(signal.SIGCONT)


def join_and_leave(ward: Ward, rng: random.Random) -> None:
    third = ward.new_worker()
    poll(lambda: third.lines("worker_started"), "a third worker")
    time.sleep(rng.uniform(0, 3))
    third.process.terminate()
    assert third.process.wait(STOP_SECONDS + 10) == 0, "not a clean stop"


def kill_index(ward: Ward, rng: random.Random) -> None:
    ward.index.kill()
    ward.index.wait()
    time.sleep(rng.uniform(0, 2))
    ward.start_index()


def slow_index(ward: Ward, rng: random.Random) -> None:
    with delayed(ward.index_gate, 5):
        time.sleep(7)


def refusing_index(ward: Ward, rng: random.Random) -> None:
    with refusing(ward, ward.index_gate):
        time.sleep(rng.uniform(1, 3))


def full_disk(ward: Ward, rng: random.Random) -> None:
    """Every write of the index to a file fails."""
    limit = partial(resource.prlimit, ward.index.pid, resource.RLIMIT_FSIZE)
    soft, hard = limit()
    limit((0, hard))
    time.sleep(rng.uniform(1, 3))
    with contextlib.suppress(ProcessLookupError):
        limit((soft, hard))
    if ward.index.poll() is not None:
        ward.start_index()


def kill_redis(ward: Ward, rng: random.Random) -> None:
    ward.kill_redis()
    time.sleep(rng.uniform(0, 1))
    ward.start_redis()


def slow_redis(ward: Ward, rng: random.Random) -> None:
    with delayed(ward.redis_gate, 1):
        time.sleep(2)


def full_redis(ward: Ward, rng: random.Random) -> None:
    with ward.redis() as redis:
        redis.config_set("maxmemory", 1)
        time.sleep(rng.uniform(1, 2))
        redis.config_set("maxmemory", 0)


def pause_broker(ward: Ward, rng: random.Random) -> None:
    ward.broker.send_signal(signal.SIGSTOP)
    time.sleep(rng.uniform(1, 4))
    ward.broker.send_signal(signal.SIGCONT)


def unwritable(topic: str, ward: Ward, rng: random.Random) -> None:
    ward.kafka.unwritable = frozenset({topic.encode()})
    time.sleep(rng.uniform(1, 3))
    ward.kafka.unwritable = frozenset()


def jump_clock(ward: Ward, rng: random.Random) -> None:
    clock = ward.control / "clock"
    clock.write_text(str(rng.choice((-3600, 3600))))
    time.sleep(rng.uniform(1, 2))
    clock.unlink()


def kill_broker(ward: Ward, rng: random.Random) -> None:
    ward.broker.kill()
    ward.broker.wait()
    time.sleep(rng.uniform(0, 2))
    ward.start_broker()


def add_partitions(ward: Ward, rng: random.Random) -> None:
    """Keys move: two records of one entity may then lie in two partitions."""
    topic = rng.choice((VACANCIES, CANDIDATES)).name
    count = len(asyncio.run(partitions_of(ward.settings, topic))) + 1
    if count <= MOST_PARTITIONS:
        asyncio.run(_admin(ward, lambda admin: admin.create_partitions({topic: NewPartitions(count)})))


def remake_topic(ward: Ward, rng: random.Random) -> None:
    """One without records, so that nothing is lost with it."""

    async def remake(admin: AIOKafkaAdminClient) -> None:
        await admin.delete_topics([OCCUPATIONS.name])
        while OCCUPATIONS.name in await admin.list_topics():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        config = OCCUPATIONS.config()
        await admin.create_topics(
            [NewTopic(OCCUPATIONS.name, OCCUPATIONS.partitions, 1, topic_configs=config)]
        )

    asyncio.run(_admin(ward, remake))
    time.sleep(3)  # until the workers have seen it


def foreign_transaction(ward: Ward, rng: random.Random) -> None:
    """Of somebody else, taken back: what it wrote of our entities must change nothing."""

    async def write() -> None:
        producer = AIOKafkaProducer(**ward.settings.client(), transactional_id=f"theirs-{rng.random()}")
        await producer.start()
        try:
            await producer.begin_transaction()
            for number in range(20):
                at = time.time_ns() // 1_000_000
                for topic in (VACANCIES, CANDIDATES):
                    key = f"{topic.name[0]}{number}".encode()
                    await producer.send(topic.name, key=key, value=None, timestamp_ms=at)
            await producer.flush()
            await asyncio.sleep(rng.uniform(0, 2))
            await producer.abort_transaction()
        finally:
            await producer.stop()

    asyncio.run(write())


async def _admin(ward: Ward, act: Callable[[AIOKafkaAdminClient], Awaitable[None]]) -> None:
    admin = AIOKafkaAdminClient(**ward.settings.client())
    await admin.start()
    try:
        await act(admin)
    finally:
        await admin.close()


@contextmanager
def delayed(gate: Gate, seconds: float) -> Iterator[None]:
    gate.delay_seconds = seconds
    yield
    gate.delay_seconds = 0


@contextmanager
def refusing(ward: Ward, gate: Gate) -> Iterator[None]:
    gate.refuses = True
    ward.cut(gate)
    yield
    gate.refuses = False


FAULTS: dict[str, Fault] = {
    **{f"exception in {stage}": partial(raises, stage) for stage in Stage},
    "worker killed": kill_worker,
    "worker killed in a held batch": kill_worker_in_a_held_batch,
    "worker asked to stop": stop_worker,
    "worker paused": pause_worker,
    "worker joins and leaves": join_and_leave,
    "index killed": kill_index,
    "index slow (5 s)": slow_index,
    "index refuses": refusing_index,
    "index without disk": full_disk,
    "Redis killed": kill_redis,
    "Redis slow (1 s)": slow_redis,
    "Redis full": full_redis,
    "broker paused": pause_broker,
    "matches unwritable": partial(unwritable, MATCHES.name),
    "dead letters unwritable": partial(unwritable, DEAD_LETTERS.name),
    "clock an hour off": jump_clock,
}

ON_KAFKA: dict[str, Fault] = {
    "broker killed": kill_broker,
    "partitions added": add_partitions,
    "topic made again": remake_topic,
    "foreign transaction taken back": foreign_transaction,
}

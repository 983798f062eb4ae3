"""Reads and commits on Apache Kafka: compacted topics, transactions, and no topic made by a question."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from rolecall.schemas.broker.reading import partitions_of
from rolecall.schemas.topics import ROLLOUTS, TOPICS
from rolecall.streams.kafka.lag import handled, lag
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.settings import Settings

pytestmark = pytest.mark.kafka("it has no compaction, no transactions, and creates no topic by itself")
NOW = "2026-11-20T00:00:00Z"


def person(id, title="baker"):
    return json.dumps({"id": id, "occurred_at": NOW, "titles": [title]}).encode()


def job(id, title="baker"):
    return json.dumps({"id": id, "occurred_at": NOW, "title": title}).encode()


@pytest.fixture(scope="module")
def stack(kit, tmp_path_factory):
    """Without topics, and with a broker that creates what it is asked for."""
    home = Path(os.environ["KAFKA_HOME"])
    with kit.kafka_stack(home, tmp_path_factory.mktemp("reads"), topics=False) as running:
        yield running


@pytest.fixture(scope="module")
def settings(stack):
    return Settings(_env_file=None, broker=stack.broker)


def rolecall(stack, *arguments):
    command = [sys.executable, "-m", "rolecall.streams.cli", *arguments]
    return subprocess.run(
        command, env=os.environ | stack.environment(), capture_output=True, text=True, timeout=120
    )


async def on(broker, act):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        return await act(admin)
    finally:
        await admin.close()


def topics_of(stack):
    found = asyncio.run(on(stack.broker, lambda admin: admin.list_topics()))
    return {name for name in found if not name.startswith("__")}


@pytest.mark.parametrize(
    "asked", [["doctor"], ["rollout", "status"], ["dead-letters", "list"], ["matches"], ["tail"], ["worker"]]
)
def test_no_command_creates_a_topic(stack, asked):
    """The broker would, on its defaults, for whoever asks for one."""
    result = rolecall(stack, *asked)
    assert topics_of(stack) == set()
    assert result.returncode != 0


def test_offsets_of_a_missing_topic_do_not_create_it(stack):
    from aiokafka import AIOKafkaConsumer, TopicPartition

    async def ask():
        consumer = AIOKafkaConsumer(bootstrap_servers=stack.broker, request_timeout_ms=2000)
        await consumer.start()
        try:
            async with asyncio.timeout(3):
                await consumer.end_offsets([TopicPartition("rollouts", 0)])
        finally:
            await consumer.stop()

    with pytest.raises(Exception, match=r".*"):
        asyncio.run(ask())
    assert topics_of(stack) == set()


@pytest.fixture(scope="module")
def topics(kit, stack):
    """Ours, with another number of partitions each, and inputs that are compacted within seconds."""
    quick = {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "1000"}
    partitions = {"rollouts": 8, "vacancies": 3, "candidates": 3, "matches": 2}

    async def create(admin):
        for topic in TOPICS:
            config = topic.config() | (quick if topic.cleanup_policy == "compact" else {})
            number = partitions.get(topic.name, topic.partitions)
            await admin.create_topics([NewTopic(topic.name, number, 1, topic_configs=config)])

    asyncio.run(on(stack.broker, create))
    kit.poll(lambda: topics_of(stack) == {topic.name for topic in TOPICS}, "the topics")
    return partitions


@pytest.fixture(scope="module")
def wire(kit, stack, topics):
    opened = kit.wire(stack.broker)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def compacted(kit, wire, settings):
    """Offset 0 is kept and the next ones are gone, in the only partition that is used."""
    wire.send(kit.sent("candidates", b"first", person("first"), partition=0))
    for _ in range(30):
        wire.send(kit.sent("candidates", b"often", person("often"), partition=0))

    async def offsets():
        return [each.offset async for each in records_to_end(settings, "candidates", {0: 0})]

    def gone():
        wire.send(kit.sent("candidates", b"often", person("often"), partition=0))
        time.sleep(1)
        found = asyncio.run(offsets())
        return found if found[0] == 0 and found[1] > 5 else None

    return kit.poll(gone, "compaction")


@pytest.fixture(scope="module")
def shortened(kit, wire, stack):
    """Retention has removed every verdict."""
    for _ in range(3):
        wire.send(kit.sent("feedback", b"v", b"{}", partition=0))
    before = {TopicPartition("feedback", 0): RecordsToDelete(before_offset=3)}
    asyncio.run(on(stack.broker, lambda admin: admin.delete_records(before)))


@pytest.fixture(scope="module")
def worker(kit, stack, compacted, shortened, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "worker.jsonl"
    with kit.running_worker(stack.environment() | kit.wide, log) as running:
        kit.poll(lambda: running.lines("worker_started"), "the start")
        yield running


def test_partitions_are_counted_on_the_cluster(settings, topics):
    counted = asyncio.run(partitions_of(settings, "vacancies", "rollouts"))
    assert [(each.topic, each.partition) for each in counted] == [
        *(("vacancies", n) for n in range(3)),
        *(("rollouts", n) for n in range(8)),
    ]


def test_a_fresh_group_commits_past_what_compaction_removed(worker, wire, settings):
    wire.settle()
    assert asyncio.run(lag(settings, "rolecall")) == 0


def test_and_past_what_retention_removed(worker, wire, settings):
    wire.settle()
    assert asyncio.run(handled(settings, "rolecall"))["feedback", 0] == 3
    assert not [place for place in wire.letters if place[0] == "feedback"]


def test_the_first_record_of_rollouts_is_found_in_any_partition(worker, stack):
    result = rolecall(stack, "rollout", "status", "--json")
    assert json.loads(result.stdout)["live"]["generation"] == 0, result.stderr


def transaction(stack, records, *, abort=False):
    async def run():
        producer = AIOKafkaProducer(bootstrap_servers=stack.broker, transactional_id="theirs")
        await producer.start()
        try:
            await producer.begin_transaction()
            for topic, key, value in records:
                await producer.send_and_wait(topic, key=key, value=value)
            await (producer.abort_transaction() if abort else producer.commit_transaction())
        finally:
            await producer.stop()

    asyncio.run(run())


def test_what_a_transaction_took_back_is_not_matched(worker, stack, wire):
    transaction(stack, [("vacancies", b"v-gone", job("v-gone", "night watch"))], abort=True)
    transaction(stack, [("candidates", b"c-kept", person("c-kept", "night watch"))])
    transaction(stack, [("vacancies", b"v-kept", job("v-kept", "night watch"))])
    wire.until(lambda: ("v-kept", "c-kept") in wire.pairs, "the match")
    wire.settle()
    assert not any(vacancy == "v-gone" for vacancy, _ in wire.pairs)


def test_markers_of_transactions_at_the_end_are_no_lag(worker, stack, wire, settings):
    for partition in range(3):
        transaction(stack, [("vacancies", b"v-%d" % partition, job(f"v-{partition}"))])
    wire.settle()
    assert asyncio.run(lag(settings, "rolecall")) == 0


def test_an_open_transaction_is_neither_read_nor_lag(worker, stack, wire, settings):
    async def run():
        producer = AIOKafkaProducer(bootstrap_servers=stack.broker, transactional_id="open")
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait("vacancies", key=b"v-open", value=job("v-open"))
        try:
            read = [each.key async for each in records_to_end(settings, "vacancies")]
            return read, await lag(settings, "rolecall")
        finally:
            await producer.abort_transaction()
            await producer.stop()

    read, behind = asyncio.run(run())
    assert b"v-open" not in read
    assert behind == 0


def test_a_rebuild_ends_on_topics_that_end_in_markers(worker, stack):
    result = rolecall(stack, "rebuild")
    assert result.returncode == 0, result.stderr
    assert rolecall(stack, "rollout", "status", "--json").stdout.count('"generation": 1') == 1


def test_after_a_rebuild_no_worker_founds_anew_when_the_record_is_gone(worker, stack, settings):
    """The record may be lost with its topic, or by a wrong policy."""

    async def remake(admin):
        await admin.delete_topics([ROLLOUTS.name])
        while ROLLOUTS.name in await admin.list_topics():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        await admin.create_topics([NewTopic(ROLLOUTS.name, 1, 1, topic_configs=ROLLOUTS.config())])

    asyncio.run(on(stack.broker, remake))
    result = rolecall(stack, "worker")
    assert result.returncode == 2, result.stderr
    assert "rolecall-g1" in result.stderr.splitlines()[-1]
    found = rolecall(stack, "rollout", "found", "--generation", "1")
    assert found.returncode == 0, found.stderr
    assert '"generation": 1' in rolecall(stack, "rollout", "status", "--json").stdout

"""What Apache Kafka refuses, and what becomes of it: rights, settings, codecs, a broker that goes away."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import CANDIDATES, MATCHES, ROLLOUTS, VACANCIES
from rolecall.streams.errors import PublishRefused, TopicsWrong
from rolecall.streams.events.records import Outgoing
from rolecall.streams.kafka.publisher import KafkaPublisher
from rolecall.streams.kafka.topic_settings import deviations
from rolecall.streams.kafka.topics import require_sound_topics

pytestmark = pytest.mark.kafka("it refuses nothing, has no settings of topics, and reads no foreign codec")
NOW = "2026-11-20T00:00:00Z"


@pytest.fixture(scope="module")
def home():
    return Path(os.environ["KAFKA_HOME"])


@pytest.fixture(scope="module")
def settings(stack):
    return BrokerSettings.model_construct(broker=stack.broker)


async def on(broker, act):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        return await act(admin)
    finally:
        await admin.close()


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_of_kafka_is_read(stack, wire, workers, codec):
    """franz-go compresses with snappy unless told otherwise."""

    async def send():
        producer = AIOKafkaProducer(bootstrap_servers=stack.broker, compression_type=codec)
        await producer.start()
        try:
            for topic, title in (("vacancies", "title"), ("candidates", "titles")):
                name = f"{codec}-{topic[0]}"
                titles = "sail maker" if title == "title" else ["sail maker"]
                value = {"id": name, "occurred_at": NOW, title: titles, "skills": ["rope"] * 200}
                await producer.send_and_wait(topic, key=name.encode(), value=json.dumps(value).encode())
        finally:
            await producer.stop()

    asyncio.run(send())
    wire.until(lambda: (f"{codec}-v", f"{codec}-c") in wire.pairs, "the match")


def test_after_a_record_that_was_refused_the_next_ones_are_taken(settings):
    """Kafka 4 takes no record that is dated more than 1 h ahead."""

    async def publish():
        publisher = KafkaPublisher.of(settings)
        await publisher.start()
        try:
            ahead = time.time_ns() // 1_000_000 + 7_200_000
            with pytest.raises(PublishRefused, match=r"message\.timestamp\.after\.max\.ms"):
                await publisher.publish([Outgoing("feedback", b"k", b"{}", (), 0, ahead)])
            for _ in range(3):
                await publisher.publish([Outgoing("feedback", b"k", b"{}", (), 0)])
        finally:
            await publisher.stop()

    asyncio.run(publish())


@pytest.fixture
def own(kit, home, tmp_path):
    """A stack without topics."""
    with kit.kafka_stack(home, tmp_path, topics=False) as running:
        yield running


def rolecall(stack, *arguments, seconds=120):
    return subprocess.run(
        [sys.executable, "-m", "rolecall.streams.cli", *arguments],
        env=os.environ | stack.environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def test_settings_of_topics_are_told_and_the_worst_stops_a_worker(kit, own):
    settings = BrokerSettings.model_construct(broker=own.broker)

    async def create(admin):
        await admin.create_topics(
            [
                NewTopic(ROLLOUTS.name, 1, 1, topic_configs={"cleanup.policy": "delete"}),
                NewTopic(MATCHES.name, 4, 1, topic_configs={"retention.ms": "1000"}),
                NewTopic(VACANCIES.name, 4, 1, topic_configs=VACANCIES.config()),
                NewTopic(CANDIDATES.name, 2, 1, topic_configs=CANDIDATES.config()),
            ]
        )

    asyncio.run(on(own.broker, create))
    created = rolecall(own, "topics", "create")
    assert created.returncode == 1
    assert "rollouts: cleanup.policy=delete" in created.stderr
    assert "matches: retention.ms=1000" in created.stderr
    assert "candidates: 2 partitions, the other side has 4" in created.stderr
    found = {(each.topic, each.loses_state) for each in asyncio.run(deviations(settings))}
    assert found >= {("rollouts", True), ("matches", False), ("candidates", False)}
    assert not any(topic == "vacancies" for topic, _ in found)
    with pytest.raises(TopicsWrong, match=r"--entity-name rollouts --add-config cleanup.policy=compact"):
        asyncio.run(require_sound_topics(settings))
    worker = rolecall(own, "worker")
    assert worker.returncode == 2
    assert "cleanup.policy=delete" in worker.stderr


def test_doctor_finishes_on_a_fresh_cluster(own):
    assert rolecall(own, "topics", "create").returncode == 0
    started = time.monotonic()
    said = rolecall(own, "doctor").stdout
    assert "ok    topics    all there, as the contracts need them" in said
    assert "ok    lag       0 events wait" in said
    assert "Error 15" not in said
    assert "ok    clock     nothing published yet to compare with" in said
    assert time.monotonic() - started < 40  # 10 s, and the start of Python on a busy machine


def test_more_replicas_than_brokers_are_refused_with_how_many_there_are(own):
    result = rolecall(own, "topics", "create", "--replication", "3")
    assert result.returncode == 2
    assert "more replicas than there are brokers (1); pass a lower --replication" in result.stderr


def test_a_broker_that_stays_away_ends_the_worker_which_says_so_plainly(kit, home, tmp_path):
    with kit.kafka_stack(home, tmp_path) as stack:
        environment = stack.environment() | kit.wide | {"ROLECALL_RETRY_SECONDS": "15"}
        with kit.running_worker(environment, tmp_path / "log") as worker:
            kit.poll(lambda: worker.lines("worker_started"), "the start")
            broker = stack_process(tmp_path)
            os.kill(broker, signal.SIGSTOP)
            try:
                worker.process.wait(90)
            finally:
                os.kill(broker, signal.SIGCONT)
            away = worker.lines("broker_away")
            assert worker.process.returncode == 1
            assert 1 <= len(away) <= 8
            assert "since" in away[0]
            assert "no Kafka broker answers" in worker.lines("worker_failed")[-1]["error"]
            lines = worker.log.read_text().count("\n")
            assert lines < 200


def stack_process(directory):
    """The broker's process id, by its folder of configuration."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"java" in command and str(directory / "kafka").encode() in command:
                return int(folder.name)
    raise AssertionError("no broker")


def test_a_topic_that_was_made_again_ends_the_worker(kit, home, tmp_path):
    with (
        kit.kafka_stack(home, tmp_path) as stack,
        kit.running_worker(stack.environment() | kit.wide, tmp_path / "log") as worker,
    ):
        kit.poll(lambda: worker.lines("worker_started"), "the start")

        async def remake(admin):
            await admin.delete_topics([VACANCIES.name])
            while VACANCIES.name in await admin.list_topics():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            await admin.create_topics(
                [NewTopic(VACANCIES.name, VACANCIES.partitions, 1, topic_configs=VACANCIES.config())]
            )

        asyncio.run(on(stack.broker, remake))
        worker.process.wait(60)
        assert worker.process.returncode == 1
        assert "topic vacancies was deleted" in worker.lines("worker_failed")[-1]["error"]


AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


@pytest.fixture(scope="module")
def guarded(kit, home, tmp_path_factory):
    """A broker with an authorizer that lets everybody do what no rule names."""
    with kit.kafka_stack(home, tmp_path_factory.mktemp("guarded"), properties=AUTHORIZER) as running:
        yield running


@pytest.fixture
def kept_from(guarded, home):
    """Gives a right to somebody else, so that we lack it; and back. The rights that no rule names go too."""
    given = []

    def acls(*arguments):
        command = [home / "bin/kafka-acls.sh", "--bootstrap-server", guarded.broker, *arguments]
        subprocess.run(
            command, check=True, capture_output=True, env=os.environ | {"KAFKA_HEAP_OPTS": "-Xmx128m"}
        )

    def keep(operation, *resource, for_whom="User:other"):
        rule = ["--allow-principal", for_whom, "--operation", operation, *resource]
        acls("--add", *rule)
        given.append(rule)

    yield keep
    for rule in given:
        acls("--remove", "--force", *rule)


def test_a_topic_that_may_not_be_described_is_not_called_missing(guarded, kept_from):
    kept_from("Read", "--topic", "vacancies")
    for command in (["worker"], ["doctor"]):
        result = rolecall(guarded, *command)
        said = result.stdout + result.stderr
        assert "may not Describe vacancies" in said
        assert "--operation Describe" in said
        assert result.returncode != 0


def test_a_worker_that_may_not_see_its_group_says_so_and_ends(guarded, kept_from):
    kept_from("Describe", "--group", "rolecall")
    result = rolecall(guarded, "worker")
    assert result.returncode == 2
    assert "may not Describe group rolecall" in result.stderr
    assert "--operation Read --group rolecall" in result.stderr


def test_a_worker_that_its_group_does_not_let_in_says_so_and_ends(guarded, kept_from, kit, tmp_path):
    kept_from("Describe", "--group", "rolecall", for_whom="User:ANONYMOUS")
    environment = guarded.environment() | kit.wide | {"ROLECALL_RETRY_SECONDS": "5"}
    with kit.running_worker(environment, tmp_path / "log") as worker:
        assert worker.process.wait(90) == 1
        assert "--operation Read --group rolecall" in worker.log.read_text()


def test_sigterm_ends_a_worker_that_its_group_does_not_let_in(guarded, kept_from, kit, tmp_path):
    kept_from("Describe", "--group", "rolecall", for_whom="User:ANONYMOUS")
    environment = guarded.environment() | kit.wide | {"ROLECALL_STOP_SECONDS": "3"}
    with kit.running_worker(environment, tmp_path / "log") as worker:
        kit.poll(lambda: worker.lines("not_in_the_group"), "the refusal")
        worker.process.terminate()
        worker.process.wait(15)


def test_a_right_to_write_that_is_missing_is_named(guarded, kept_from):
    kept_from("Describe", "--topic", "feedback")

    async def publish():
        publisher = KafkaPublisher.of(BrokerSettings.model_construct(broker=guarded.broker))
        await publisher.start()
        try:
            await publisher.publish([Outgoing("feedback", b"k", b"{}", ())])
        finally:
            await publisher.stop()

    with pytest.raises(PublishRefused, match=r"--operation Write --topic"):
        asyncio.run(publish())

"""The topic `rollouts`: which record counts, and who writes the first one."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from rolecall.schemas.broker.reading import TopicError
from rolecall.schemas.rollout import Deployment
from rolecall.streams.errors import GaveUp, NotDeployed, PublishFailed, RolloutRefused
from rolecall.streams.rollout import steps, topic
from rolecall.streams.rollout.topic import (
    RolloutTopic,
    deployment_of,
    followed,
    served_collections,
    write_next,
)
from rolecall.streams.settings import Settings
from tests.streams.fakes import SharedTopic
from tests.streams.rollout.cluster import FOUNDED, PROMOTED, STARTED, SWAPPED

HERE = TopicPartition("rollouts", 0)
SETTINGS = Settings(_env_file=None)


def record(value, offset=0):
    return SimpleNamespace(value=value, offset=offset)


def written(rollout):
    return record(rollout.model_dump_json().encode())


class Consumer:
    """aiokafka's consumer, with the records of the topic in a list."""

    def __init__(self, *records):
        self.records = list(records)
        self.read = 0
        self.reading = 0
        self.error = None
        self.calls = []

    def made(self, *, auto_offset_reset, **options):
        assert auto_offset_reset == "earliest", "the first records may be compacted away"
        return self

    def assignment(self):
        return {HERE}

    async def end_offsets(self, partitions):
        assert partitions == {HERE}
        if self.error:
            raise self.error
        return {HERE: len(self.records)}

    async def read_to(self, ends):
        self.reading += 1
        assert self.reading == 1, "one at a time: both would take records of one consumer"
        while self.read < ends[HERE]:
            self.read += 1
            await asyncio.sleep(0)
            yield self.records[self.read - 1]
        self.reading -= 1

    async def start(self):
        self.calls.append("start")
        if self.error:
            raise self.error

    async def stop(self):
        self.calls.append("stop")


@pytest.fixture
def consumer(monkeypatch):
    def made(*records):
        consumer = Consumer(*records)

        async def partitions_of(settings, name):
            return [TopicPartition(name, number) for number in range(2)]

        monkeypatch.setattr(topic, "read_to", Consumer.read_to)
        monkeypatch.setattr(topic, "partitions_of", partitions_of)
        monkeypatch.setattr(topic, "assign", lambda it, starts: it.calls.append(starts))
        monkeypatch.setattr(topic, "AIOKafkaConsumer", consumer.made)
        return consumer

    return made


class TestNewest:
    async def test_of_all_records_the_highest_revision_counts_in_any_order(self, consumer):
        for order in ([FOUNDED, STARTED], [STARTED, FOUNDED]):
            assert await RolloutTopic(consumer(*map(written, order))).newest() == STARTED

    async def test_of_two_with_one_revision_the_first_counts(self, consumer):
        other = STARTED.model_copy(update={"live": SWAPPED.live})
        assert await RolloutTopic(consumer(written(STARTED), written(other))).newest() == STARTED

    async def test_a_record_that_came_since_is_read_and_the_others_are_not_read_again(self, consumer):
        it = consumer(written(FOUNDED))
        rollouts = RolloutTopic(it)
        assert await rollouts.newest() == FOUNDED
        assert await rollouts.newest() == FOUNDED
        it.records.append(written(STARTED))
        assert await rollouts.newest() == STARTED

    async def test_without_a_record_there_is_none(self, consumer):
        assert await RolloutTopic(consumer()).newest() is None

    async def test_a_tombstone_ends_what_was_there(self, consumer):
        rollouts = RolloutTopic(consumer(written(STARTED), record(None)))
        assert await rollouts.newest() is None

    async def test_a_record_that_nobody_can_read_is_skipped_and_told(self, consumer):
        rollouts = RolloutTopic(consumer(written(STARTED), record(b"{", offset=7)))
        with capture_logs() as logs:
            assert await rollouts.newest() == STARTED
        [line] = logs
        assert (line["event"], line["topic"], line["offset"]) == ("rollout_unreadable", "rollouts", 7)

    async def test_two_that_ask_at_once_read_one_after_the_other(self, consumer):
        rollouts = RolloutTopic(consumer(written(FOUNDED), written(STARTED)))
        assert await asyncio.gather(rollouts.newest(), rollouts.newest()) == [STARTED, STARTED]

    async def test_an_error_of_the_broker_may_be_tried_again(self, consumer):
        it = consumer()
        it.error = KafkaConnectionError("nobody there")
        with pytest.raises(PublishFailed, match="topic rollouts: KafkaConnectionError"):
            await RolloutTopic(it).newest()

    async def test_a_broker_that_does_not_answer_is_not_waited_for_without_end(self, consumer, monkeypatch):
        async def end_offsets(partitions):
            await asyncio.sleep(60)

        monkeypatch.setattr(topic, "READ_SECONDS", 0.01)
        it = consumer()
        it.end_offsets = end_offsets
        with pytest.raises(PublishFailed, match=r"does not answer within 0\.01 s"):
            await RolloutTopic(it).newest()


class TestWriteNext:
    async def test_without_another_writer_the_record_counts(self):
        shared = SharedTopic(FOUNDED)
        rollouts = shared.reader()
        assert await write_next(rollouts, shared, await rollouts.newest(), STARTED) == STARTED
        assert await shared.reader().newest() == STARTED

    async def test_what_another_wrote_first_counts_although_its_revision_is_lower(self):
        shared = SharedTopic(FOUNDED)
        rollouts = shared.reader()
        before = await rollouts.newest()
        theirs = STARTED.model_copy(update={"revision": FOUNDED.revision + 1})
        ours = STARTED.model_copy(update={"revision": FOUNDED.revision + 9, "next": FOUNDED.live})
        shared.records.append(written(theirs))
        with pytest.raises(RolloutRefused, match="wrote at the same moment"):
            await write_next(rollouts, shared, before, ours)
        newest = await shared.reader().newest()
        assert (newest.next, newest.revision) == (theirs.next, FOUNDED.revision + 10)

    async def test_of_several_that_wrote_first_the_last_counts(self):
        shared = SharedTopic(FOUNDED)
        rollouts = shared.reader()
        before = await rollouts.newest()
        first, second = (
            STARTED.model_copy(update={"next": Deployment(model_version=name, generation=1)})
            for name in ("red", "pink")
        )
        shared.records += [written(first), written(second), record(None)]
        with pytest.raises(RolloutRefused, match="wrote at the same moment"):
            await write_next(rollouts, shared, before, STARTED)
        assert (await shared.reader().newest()).next == second.next

    async def test_what_another_writes_later_is_no_reason_to_refuse(self):
        """Then the other one finds ours between, and is refused."""
        shared = SharedTopic(FOUNDED)
        rollouts = shared.reader()
        before = await rollouts.newest()

        async def both(records):
            await shared.publish(records)
            shared.records.append(written(PROMOTED))

        publisher = SimpleNamespace(publish=both)
        assert await write_next(rollouts, publisher, before, STARTED) == STARTED


class TestDeployment:
    """What a worker serves when it starts."""

    @staticmethod
    async def may(*error):
        if error:
            raise error[0]

    async def test_the_first_worker_of_all_writes_the_first_record(self):
        shared = SharedTopic()
        serves, rehearses = await deployment_of(
            shared.reader(), shared, "blue", newest=False, may_found=self.may
        )
        assert (serves, rehearses) == (FOUNDED.live, False)
        assert (await shared.reader().newest()).live == FOUNDED.live

    async def test_where_a_record_is_nobody_asks_whether_one_may_be_written(self):
        async def unasked():
            raise AssertionError("there is a record")

        shared = SharedTopic(STARTED)
        serves, rehearses = await deployment_of(
            shared.reader(), shared, "green", newest=False, may_found=unasked
        )
        assert (serves, rehearses) == (STARTED.next, True)
        assert len(shared.records) == 1

    async def test_where_the_record_was_lost_nothing_is_written(self):
        shared = SharedTopic()
        with pytest.raises(NotDeployed, match="lost"):
            await deployment_of(
                shared.reader(), shared, "blue", newest=False, may_found=lambda: self.may(NotDeployed("lost"))
            )
        assert shared.records == []

    async def test_what_another_worker_founded_meanwhile_is_served(self):
        """It has committed already, so this one may not found."""
        shared = SharedTopic()

        async def founded_meanwhile():
            shared.records.append(written(FOUNDED))
            raise NotDeployed("the group has committed offsets")

        serves, _ = await deployment_of(
            shared.reader(), shared, "blue", newest=False, may_found=founded_meanwhile
        )
        assert serves == FOUNDED.live
        assert len(shared.records) == 1


class TestFollowed:
    async def test_every_partition_is_read_from_its_start_and_the_client_is_stopped(self, consumer):
        it = consumer()
        async with followed(SETTINGS) as rollouts:
            assert await rollouts.newest() is None
        assert it.calls == ["start", {HERE: 0, TopicPartition("rollouts", 1): 0}, "stop"]

    async def test_without_a_broker_it_gives_up_and_the_client_is_stopped(self, consumer):
        it = consumer()
        it.error = KafkaConnectionError("nobody there")
        with pytest.raises(GaveUp, match="no Kafka broker answers"):
            async with followed(SETTINGS):
                pass
        assert it.calls[-1] == "stop"

    @pytest.mark.parametrize(
        ("records", "name"),
        [([], "blue"), ([STARTED], "blue"), ([SWAPPED], "blue")],
        ids=["none", "live", "standby"],
    )
    async def test_the_collections_are_those_of_the_model(self, consumer, records, name):
        consumer(*map(written, records))
        assert await served_collections(SETTINGS, "blue") == name

    async def test_those_of_a_later_generation_have_its_number(self, consumer):
        consumer(written(SWAPPED))
        assert await served_collections(SETTINGS, "green") == "green-g1"

    async def test_while_a_rebuild_builds_those_of_the_live_deployment_are_told(self, consumer):
        consumer(written(steps.started(FOUNDED, "blue")))
        assert await served_collections(SETTINGS, "blue") == "blue"

    async def test_of_a_broker_that_fails_later_the_collections_are_not_known(self, consumer):
        async def end_offsets(partitions):
            raise KafkaConnectionError("away")

        consumer(written(STARTED)).end_offsets = end_offsets
        assert await served_collections(SETTINGS, "blue") is None

    @pytest.mark.parametrize("error", [KafkaConnectionError("away"), TopicError("no topic rollouts")])
    async def test_without_a_broker_or_the_topic_the_collections_are_not_known(self, consumer, error):
        consumer().error = error
        assert await served_collections(SETTINGS, "blue") is None

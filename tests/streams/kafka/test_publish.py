"""From events to records with confirmed delivery."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from aiokafka.errors import (
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record import MemoryRecords

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Match, MatchesWithdrawn, Reasons, Side, WithdrawalReason
from rolecall.streams.errors import PublishFailed, PublishRefused
from rolecall.streams.events.receive import Reject
from rolecall.streams.events.records import Outgoing, dead_letter, match_record, withdrawal_record
from rolecall.streams.kafka import publisher as module
from rolecall.streams.kafka.publisher import KafkaPublisher, partition_of


@pytest.fixture
def match(now):
    return Match(
        id="m1",
        occurred_at=now,
        vacancy_id="v1",
        vacancy_revision=1,
        candidate_id="c1",
        candidate_revision=2,
        model_version="fake",
        score=0.5,
        confidence=0.75,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(vacancy_certainty=0.5, candidate_certainty=0.5),
    )


@pytest.fixture
def withdrawal(now):
    return lambda **changes: MatchesWithdrawn(
        **{
            "side": Side.CANDIDATE,
            "entity_id": "c1",
            "revision": 2,
            "reason": WithdrawalReason.ERASED,
            "occurred_at": now,
        }
        | changes
    )


def test_a_match_is_keyed_by_its_vacancy(match):
    record = match_record(match.model_dump())
    assert (record.topic, record.key) == ("matches", b"v1")


def test_a_match_reads_back(match):
    assert Match.model_validate_json(match_record(match.model_dump()).value) == match


def test_a_match_carries_cloud_event_attributes(match):
    assert match_record(match.model_dump()).headers == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"m1"),
        ("ce_type", b"rolecall.match.v1"),
        ("ce_source", b"/rolecall"),
        ("ce_time", b"2026-06-01T00:00:00+00:00"),
        ("content-type", b"application/json"),
    ]


def test_a_withdrawal_is_keyed_by_its_entity(withdrawal):
    record = withdrawal_record(withdrawal())
    assert (record.topic, record.key) == ("matches", b"c1")


def test_the_same_withdrawal_has_the_same_event_id(withdrawal, now):
    ids = {dict(withdrawal_record(withdrawal()).headers)["ce_id"] for _ in range(2)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "change", [{"entity_id": "c2"}, {"revision": 3}, {"side": "vacancy"}, {"reason": "closed"}]
)
def test_another_withdrawal_has_another_event_id(withdrawal, change):
    ids = {dict(withdrawal_record(each).headers)["ce_id"] for each in (withdrawal(), withdrawal(**change))}
    assert len(ids) == 2


class TestDeadLetter:
    @pytest.mark.parametrize(
        ("key", "value"),
        [(None, b""), (None, b"{"), (b"", None), (b"k", b"\xff\x00\n"), (b"\xff", "é".encode("latin-1"))],
    )
    def test_it_is_the_record_byte_for_byte(self, make, value, key):
        letter = dead_letter(Reject(make.raw(value, key), Stage.RECEIVE, "ValueError", "no"))
        assert (letter.topic, letter.key, letter.value) == ("dead-letters", key, value)

    def test_of_a_record_of_nothing_it_has_an_empty_key(self, make):
        """aiokafka's producer refuses a record without key and value."""
        letter = dead_letter(Reject(make.raw(None, None), Stage.RECEIVE, "Unacceptable", "no"))
        assert (letter.key, letter.value) == (b"", None)

    def test_its_headers_say_whence_and_why(self, make):
        record = make.raw(b"{", b"v1")
        letter = dead_letter(Reject(record, Stage.ENCODE, "ValueError", "größer\nals", attempts=3))
        assert dict(letter.headers) == {
            "__connect.errors.topic": b"vacancies",
            "__connect.errors.partition": b"0",
            "__connect.errors.offset": str(record.offset).encode(),
            "__connect.errors.stage": b"encode",
            "__connect.errors.exception.class.name": b"ValueError",
            "__connect.errors.exception.message": "größer\nals".encode(),
            "__rolecall.errors.attempts": b"3",
            "__rolecall.errors.timestamp": str(record.timestamp_ms).encode(),
        }

    def test_a_record_without_a_time_has_none_there(self, make):
        letter = dead_letter(Reject(make.raw(b"{", at=-1), Stage.RECEIVE, "ValueError", "no"))
        assert "__rolecall.errors.timestamp" not in dict(letter.headers)

    def test_a_reason_that_is_not_unicode_does_not_stop_it(self, make):
        letter = dead_letter(Reject(make.raw(b"{"), Stage.ENCODE, "ValueError", "a lone \ud800"))
        assert dict(letter.headers)["__connect.errors.exception.message"].startswith(b"a lone ")

    def test_a_reason_that_quotes_a_book_is_cut(self, make):
        letter = dead_letter(Reject(make.raw(b"{"), Stage.ENCODE, "ValueError", "x" * 1_000_000))
        assert len(dict(letter.headers)["__connect.errors.exception.message"]) == 2_000


class Deliveries:
    """A producer whose deliveries the test confirms or fails. It has two partitions, and limited batches."""

    def __init__(self, expected, batch_bytes):
        self.made = []
        self.batches = []
        self.expected = expected
        self.batch_bytes = batch_bytes
        self.all_made = asyncio.Event()

    async def partitions_for(self, topic):
        return {0, 1}

    def create_batch(self):
        return BatchBuilder(self.batch_bytes, compression_type=0)

    async def send_batch(self, batch, topic, *, partition):
        self.batches.append((partition, batch))
        self.made.append(asyncio.get_running_loop().create_future())
        if len(self.made) == self.expected:
            self.all_made.set()
        return self.made[-1]

    def published(self, partition):
        """The records in the batches of a partition, in order."""
        stored = (
            MemoryRecords(bytes(batch._build())) for number, batch in self.batches if number == partition
        )
        return [record for batches in stored for record in batches.next_batch()]


class TestDelivery:
    RECORDS = tuple(Outgoing("matches", b"k", b"%d" % number, ()) for number in range(3))

    @pytest.fixture
    def deliveries(self):
        return Deliveries(len(self.RECORDS), batch_bytes=1)  # a batch for each

    @pytest.fixture
    async def publishing(self, deliveries):
        task = asyncio.create_task(KafkaPublisher(deliveries).publish(self.RECORDS))
        await deliveries.all_made.wait()
        return task

    async def test_it_waits_for_every_record(self, publishing, deliveries):
        for delivery in deliveries.made[:2]:
            delivery.set_result(None)
        done, _ = await asyncio.wait([publishing], timeout=0.02)
        assert not done
        deliveries.made[2].set_result(None)
        await publishing

    async def test_one_lost_record_fails_it(self, publishing, deliveries):
        deliveries.made[0].set_result(None)
        deliveries.made[1].set_exception(KafkaTimeoutError())
        with pytest.raises(PublishFailed, match="KafkaTimeoutError"):
            await publishing

    @pytest.mark.parametrize("refusal", [MessageSizeTooLargeError, TopicAuthorizationFailedError])
    async def test_a_record_that_the_broker_will_never_take_is_refused(self, publishing, deliveries, refusal):
        for delivery in deliveries.made:
            delivery.set_exception(refusal("no"))
        with pytest.raises(
            PublishRefused, match=r"refuses a record of matches, .*(max.message.bytes|--operation Write)"
        ):
            await publishing

    async def test_a_record_that_cannot_be_queued_fails_it(self):
        async def partitions_for(topic):
            raise KafkaTimeoutError

        with pytest.raises(PublishFailed, match="KafkaTimeoutError"):
            await KafkaPublisher(SimpleNamespace(partitions_for=partitions_for)).publish(self.RECORDS)

    async def test_nothing_is_published_at_once(self, deliveries):
        await KafkaPublisher(deliveries).publish([])
        assert deliveries.made == []

    @pytest.mark.parametrize("batch_bytes", [1, 300, 100_000])
    async def test_each_record_goes_to_its_partition_whole_and_in_order(self, batch_bytes):
        records = [
            Outgoing("matches", b"k%d" % (number % 7), b"%d" % number, [("n", b"%d" % number)])
            for number in range(50)
        ]
        records[10] = replace(records[10], partition=1, timestamp_ms=1234)
        deliveries = Deliveries(0, batch_bytes)
        publishing = asyncio.create_task(KafkaPublisher(deliveries).publish(records))
        await asyncio.sleep(0)
        for delivery in deliveries.made:
            delivery.set_result(None)
        await publishing
        for partition in (0, 1):
            own = [
                (each.key, each.value, list(each.headers))
                for each in records
                if (each.partition or DefaultPartitioner()(each.key, [0, 1], [0, 1])) == partition
            ]
            stored = deliveries.published(partition)
            assert own
            assert [(each.key, each.value, each.headers) for each in stored] == own
        assert [each.value for each in deliveries.published(1) if each.timestamp == 1234] == [b"10"]


async def test_a_record_besides_a_partition_goes_to_all_others():
    deliveries = Deliveries(1, 1)
    record = Outgoing("candidates", b"c1", None, (), timestamp_ms=9, besides=1)
    publishing = asyncio.create_task(KafkaPublisher(deliveries).publish([record]))
    await deliveries.all_made.wait()
    deliveries.made[0].set_result(None)
    await publishing
    assert [(each.key, each.timestamp) for each in deliveries.published(0)] == [(b"c1", 9)]
    assert deliveries.published(1) == []


class Refusing(Deliveries):
    """Takes no value of more than 100,000 bytes."""

    def __init__(self):
        super().__init__(0, 10_000_000)
        self.stored = []

    async def send_batch(self, batch, topic, *, partition):
        delivery = asyncio.get_running_loop().create_future()
        records = list(MemoryRecords(bytes(batch._build())).next_batch())
        if any(len(each.value) > 100_000 for each in records):
            delivery.set_exception(UnknownError())
        else:
            self.stored += records
            delivery.set_result(None)
        return delivery


class TestLetters:
    async def test_one_that_is_refused_goes_out_cut_with_its_size_and_the_others_whole(self):
        letters = [
            Outgoing("dead-letters", b"k%d" % n, b"x" * n, [("why", b"no")]) for n in (5, 1_500_000, 6)
        ]
        refusing = Refusing()
        await KafkaPublisher(refusing).publish(letters)
        lengths = {(each.key, len(each.value)) for each in refusing.stored}  # some twice: of the first try
        assert lengths == {(b"k5", 5), (b"k1500000", 65_536), (b"k6", 6)}
        [cut] = [each for each in refusing.stored if each.key == b"k1500000"]
        assert cut.headers == [("why", b"no"), ("__rolecall.errors.cut", b"1500000")]

    async def test_an_event_that_is_refused_is_never_cut(self):
        refusing = Refusing()
        with pytest.raises(PublishFailed):
            await KafkaPublisher(refusing).publish([Outgoing("matches", b"k", b"x" * 200_000, ())])
        assert refusing.stored == []


class TestAfterAFailure:
    """aiokafka's idempotent producer refuses a partition for good after a batch of it was refused."""

    @pytest.fixture
    def made(self, monkeypatch):
        """The producers in the order they were made; the first one refuses."""
        made = []

        class Made(Refusing):
            started = stopped = False

            async def start(self):
                self.started = True

            async def stop(self):
                self.stopped = True

        def make(settings):
            made.append(Made())
            return made[-1]

        monkeypatch.setattr(module, "producer", make)
        monkeypatch.setattr(module, "letter_producer", make)
        return made

    async def test_the_producers_are_made_anew_before_the_next_delivery(self, made):
        publisher = KafkaPublisher.of(BrokerSettings.model_construct())
        await publisher.start()
        with pytest.raises(PublishFailed):
            await publisher.publish([Outgoing("matches", b"k", b"x" * 200_000, ())])
        await publisher.publish([Outgoing("matches", b"k", b"fits", ())])
        assert [each.stopped for each in made] == [True, True, False, False]
        assert [each.value for each in made[2].stored] == [b"fits"]

    async def test_after_a_delivery_that_went_well_they_stay(self, made):
        publisher = KafkaPublisher.of(BrokerSettings.model_construct())
        await publisher.start()
        for _ in range(2):
            await publisher.publish([Outgoing("matches", b"k", b"fits", ())])
        assert len(made) == 2

    async def test_a_delivery_that_never_ends_fails_in_time(self, monkeypatch):
        monkeypatch.setattr(module, "DELIVERY_SECONDS", 0.05)
        with pytest.raises(PublishFailed, match=r"matches: not confirmed within 0.05 s"):
            await KafkaPublisher(Deliveries(1, 1)).publish([Outgoing("matches", b"k", b"v", ())])


@pytest.mark.parametrize("partitions", [1, 4, 7])
def test_a_key_goes_where_other_kafka_clients_send_it(partitions):
    every = list(range(10, 10 + partitions))
    for number in range(200):
        key = f"vacancy-{number}".encode()
        assert partition_of(key, every, every) == DefaultPartitioner()(key, every, every)


def test_without_a_key_an_available_partition_is_taken():
    assert {partition_of(None, [0, 1, 2], [1]) for _ in range(20)} == {1}

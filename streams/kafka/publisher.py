"""Publish records to the broker. `publish` returns once the broker has confirmed them, before the ack."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import DEAD_LETTERS
from rolecall.streams.errors import PublishFailed, PublishRefused
from rolecall.streams.events.records import Outgoing, shortened

log = structlog.get_logger()

REQUEST_TIMEOUT_MS = 30_000
DELIVERY_SECONDS = 30.0  # aiokafka itself retries an idempotent batch for ever
STOP_SECONDS = 2.0


class Publisher(Protocol):
    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Return once every record is stored by the broker; `PublishFailed` if one is not."""


TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
REFUSALS = (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    InvalidTopicError,
    *TOO_LARGE,
    TopicAuthorizationFailedError,
)
REMEDIES: dict[type[KafkaError], str] = {
    ClusterAuthorizationFailedError: "this user may write to no topic: kafka-acls.sh --add --allow-principal "
    "User:NAME --operation Write --topic TOPIC. (Kafka before 3.0 needs IdempotentWrite on the cluster too)",
    InvalidTimestampError: "a record is dated further ahead than message.timestamp.after.max.ms of the topic "
    "allows, by default 1 h",
    InvalidTopicError: "check the topic's name",
    MessageSizeTooLargeError: "raise max.message.bytes of the topic",
    RecordListTooLargeError: "raise segment.bytes or max.message.bytes of the topic",
    TopicAuthorizationFailedError: "give this user the right to Write: "
    "kafka-acls.sh --add --allow-principal User:NAME --operation Write --topic TOPIC",
}


class KafkaPublisher:
    """Has a producer for events and one for dead letters (`letters`), which may be far larger.

    With `settings`, it replaces both producers after a failed delivery. The reason: after the broker has
    refused one batch of an idempotent producer, it refuses every later batch for that partition.
    """

    def __init__(
        self,
        events: AIOKafkaProducer,
        letters: AIOKafkaProducer | None = None,
        settings: BrokerSettings | None = None,
    ) -> None:
        self._events = events
        self._letters = letters or events
        self._settings = settings
        self._failed = False
        self._renewing = asyncio.Lock()

    @classmethod
    def of(cls, settings: BrokerSettings) -> Self:
        return cls(producer(settings), letter_producer(settings), settings)

    async def start(self) -> None:
        """Raises `PublishFailed` while no broker answers."""
        for sender in (self._events, self._letters):
            await start(sender)

    async def stop(self) -> None:
        for sender in (self._events, self._letters):
            await stop(sender)

    async def publish(self, records: Iterable[Outgoing]) -> None:
        records = list(records)
        letters = [record for record in records if record.topic == DEAD_LETTERS.name]
        await self._confirmed([record for record in records if record.topic != DEAD_LETTERS.name])
        try:
            await self._confirmed(letters)
        except PublishRefused:
            if len(letters) > 1:
                for letter in letters:
                    await self.publish([letter])
                return
            smaller = shortened(letters[0])
            if smaller is None:
                raise
            log.warning("dead_letter_cut", bytes=len(letters[0].value or b""))
            await self._confirmed([smaller])

    async def _confirmed(self, records: Sequence[Outgoing]) -> None:
        by_topic: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        if not by_topic:
            return
        names = ", ".join(sorted(by_topic))
        try:
            await self._renew()
            async with asyncio.timeout(DELIVERY_SECONDS):
                deliveries = [await self._send(topic, some) for topic, some in by_topic.items()]
                await asyncio.gather(*chain.from_iterable(deliveries))
        except REFUSALS as error:
            self._failed = True
            raise PublishRefused(
                f"the broker refuses a record of {names}, {type(error).__name__}: {_remedy(error)}"
            ) from error
        except UnknownError as error:
            self._failed = True
            if DEAD_LETTERS.name in by_topic:  # Kafka's limit of decompressed bytes has no error of its own
                raise PublishRefused(f"the broker refuses a record of {names}: {error}") from error
            raise PublishFailed(f"{type(error).__name__}: {error}") from error
        except KafkaError as error:
            self._failed = True
            raise PublishFailed(f"{type(error).__name__}: {error}") from error
        except TimeoutError as error:
            self._failed = True
            raise PublishFailed(f"{names}: not confirmed within {DELIVERY_SECONDS:g} s") from error

    async def _renew(self) -> None:
        async with self._renewing:
            if not self._failed or self._settings is None:
                return
            old = self._events, self._letters
            self._events, self._letters = producer(self._settings), letter_producer(self._settings)
            for sender in old:
                await stop(sender)
            await self.start()
            self._failed = False

    async def _send(self, topic: str, records: Iterable[Outgoing]) -> list["asyncio.Future[Any]"]:
        """Makes the batches itself, in order. Sending record by record takes three times as long."""
        sender = self._letters if topic == DEAD_LETTERS.name else self._events
        every = sorted(await sender.partitions_for(topic))
        begun: dict[int, BatchBuilder] = {}
        deliveries = []
        for record, partition in ((each, to) for each in records for to in _partitions(each, every)):
            if partition not in begun:
                begun[partition] = sender.create_batch()
            if not _added(begun[partition], record):
                deliveries.append(await sender.send_batch(begun[partition], topic, partition=partition))
                begun[partition] = sender.create_batch()
                _added(begun[partition], record)  # an empty batch takes a record of any size
        for partition, batch in begun.items():
            deliveries.append(await sender.send_batch(batch, topic, partition=partition))
        return deliveries


def _partitions(record: Outgoing, every: Sequence[int]) -> Sequence[int]:
    if record.besides is not None:
        return [each for each in every if each != record.besides]
    return [partition_of(record.key, every, every) if record.partition is None else record.partition]


def _remedy(error: KafkaError) -> str:
    return next((text for kind, text in REMEDIES.items() if isinstance(error, kind)), str(error))


def _added(batch: BatchBuilder, record: Outgoing) -> bool:
    where = batch.append(
        key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers)
    )
    return where is not None


def producer(settings: BrokerSettings) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **settings.client(),
        acks="all",
        enable_idempotence=settings.idempotent_producer,
        max_batch_size=262_144,
        partitioner=partition_of,
        max_request_size=16 * 1_048_576,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


def partition_of(key: bytes | None, every: Sequence[int], available: Sequence[int]) -> int:
    """The partition that Kafka's own clients choose. Hashes are cached, because aiokafka computes them in
    Python: that takes as long as the rest of sending."""
    if key is None:
        return random.choice(available or every)
    return every[_hash(key) % len(every)]


@lru_cache(maxsize=1 << 15)
def _hash(key: bytes) -> int:
    positive: int = murmur2(key) & 0x7FFF_FFFF
    return positive


def letter_producer(settings: BrokerSettings) -> AIOKafkaProducer:
    """Compresses, and sets no size limit: brokers limit the compressed size, so a record may unpack to any
    size."""
    return AIOKafkaProducer(
        **settings.client(),
        acks="all",
        enable_idempotence=settings.idempotent_producer,
        compression_type="gzip",
        max_request_size=2**31 - 1,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


async def start(sender: AIOKafkaProducer) -> None:
    """Raises `PublishFailed` while no broker answers: try again. Raises `PublishRefused` or `KafkaError` if
    trying again cannot help."""
    try:
        async with asyncio.timeout(DELIVERY_SECONDS):
            await sender.start()
    except (KafkaConnectionError, TimeoutError) as error:
        raise PublishFailed(f"no Kafka broker answers: {error}") from error
    except ClusterAuthorizationFailedError as error:
        raise PublishRefused(f"the broker refuses this producer: {_remedy(error)}") from error
    except UnknownError as error:
        raise KafkaError(
            "the broker knows no idempotent producers, as the embedded one does not: set "
            "ROLECALL_IDEMPOTENT_PRODUCER=false (`rolecall up` prints all that its broker needs)"
        ) from error


async def stop(sender: AIOKafkaProducer) -> None:
    """Waits for 2 s at most. Records that are not delivered by then were never confirmed to the caller."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await sender.stop()
    except TimeoutError:
        if sender._sender is not None:
            await sender._sender.close()
        with suppress(KafkaError):
            await sender.client.close()

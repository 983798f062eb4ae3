"""Events -> records on the broker, delivery confirmed before anyone acks."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownError,
)
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import DEAD_LETTERS
from rolecall.streams.errors import PublishFailed, PublishRefused
from rolecall.streams.events.records import Outgoing

REQUEST_TIMEOUT_MS = 30_000


class Publisher(Protocol):
    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Return once every record is stored by the broker; `PublishFailed` if one is not."""


REFUSALS = (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)


class KafkaPublisher:
    """`letters` sends the dead letters, which may be far larger than any event of ours."""

    def __init__(self, events: AIOKafkaProducer, letters: AIOKafkaProducer | None = None) -> None:
        self._events = events
        self._letters = letters or events

    async def publish(self, records: Iterable[Outgoing]) -> None:
        by_topic: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        try:
            deliveries = [await self._send(topic, some) for topic, some in by_topic.items()]
            await asyncio.gather(*chain.from_iterable(deliveries))
        except REFUSALS as error:
            raise PublishRefused(
                f"{type(error).__name__}: {error}; check rights and max.message.bytes of "
                f"{', '.join(sorted(by_topic))}"
            ) from error
        except KafkaError as error:
            raise PublishFailed(f"{type(error).__name__}: {error}") from error

    async def _send(self, topic: str, records: Iterable[Outgoing]) -> list["asyncio.Future[Any]"]:
        """In batches made here, in order: the producer's own take three times as long, record by record."""
        sender = self._letters if topic == DEAD_LETTERS.name else self._events
        every = sorted(await sender.partitions_for(topic))
        begun: dict[int, BatchBuilder] = {}
        deliveries = []
        for record in records:
            partition = record.partition
            if partition is None:
                partition = partition_of(record.key, every, every)
            if partition not in begun:
                begun[partition] = sender.create_batch()
            if not _added(begun[partition], record):
                deliveries.append(await sender.send_batch(begun[partition], topic, partition=partition))
                begun[partition] = sender.create_batch()
                _added(begun[partition], record)  # the first always fits
        for partition, batch in begun.items():
            deliveries.append(await sender.send_batch(batch, topic, partition=partition))
        return deliveries


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
    """As Kafka's own clients choose. aiokafka hashes in Python, for as long as the rest of sending takes."""
    if key is None:
        return random.choice(available or every)
    return every[_hash(key) % len(every)]


@lru_cache(maxsize=1 << 15)
def _hash(key: bytes) -> int:
    positive: int = murmur2(key) & 0x7FFF_FFFF
    return positive


def letter_producer(settings: BrokerSettings) -> AIOKafkaProducer:
    """Compresses and sets no limit: brokers measure a record compressed, so it may unpack to any size."""
    return AIOKafkaProducer(
        **settings.client(),
        acks="all",
        enable_idempotence=settings.idempotent_producer,
        compression_type="gzip",
        max_request_size=2**31 - 1,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )


async def start(sender: AIOKafkaProducer) -> None:
    """`PublishFailed` while no broker answers; it may be tried again. KafkaError where it never will."""
    try:
        await sender.start()
    except KafkaConnectionError as error:
        raise PublishFailed(f"no Kafka broker answers: {error}") from error
    except UnknownError as error:
        raise KafkaError(
            "the broker knows no idempotent producers, as the embedded one does not: set "
            "ROLECALL_IDEMPOTENT_PRODUCER=false (`rolecall up` prints all that its broker needs)"
        ) from error

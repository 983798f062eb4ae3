"""Read topics from offset to offset. No other module needs to know how to find the end of a topic."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.errors import RolecallError

POLL_MS = 50


class TopicError(RolecallError):
    """A topic cannot be read. The text names the broker, the topic and the way out."""

    exit_code = 1


async def partitions_of(settings: BrokerSettings, *topics: str) -> list[TopicPartition]:
    """As many as the cluster has now, in order. Asking does not create a topic.

    Raises `TopicError` for a topic that does not exist.
    """
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        described = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
    finally:
        await admin.close()
    if missing := [topic for topic in topics if topic not in described]:
        raise TopicError(
            f"the broker at {settings.broker} has no topic {', '.join(missing)}; create it: "
            "rolecall topics create"
        )
    return [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(each["partition"] for each in described[topic])
    ]


def assign(consumer: AIOKafkaConsumer, starts: dict[TopicPartition, int]) -> None:
    """Read these partitions from these offsets on."""
    consumer.assign(list(starts))
    for partition, offset in starts.items():
        consumer.seek(partition, offset)


async def read_to(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncIterator[Any]:
    """The records of the assigned partitions before `ends`, in the order of each partition.

    A partition that `ends` lacks is read to where it ends now, which is entered into `ends`. The end comes
    from a fetch response, because the embedded broker's ListOffsets returns batch counts instead. It is the
    last stable offset, so an open transaction blocks no reader.
    """
    partitions = consumer.assignment()
    while not await _reached(consumer, partitions, ends):
        for partition, batch in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            for record in batch:
                if record.offset < ends.get(partition, record.offset + 1):
                    yield record


async def ends_now(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Current ends of the assigned partitions. Drops the records that it fetches meanwhile."""
    ends: dict[TopicPartition, int] = {}
    while ends.keys() != consumer.assignment():
        await consumer.getmany(timeout_ms=POLL_MS)
        _note_ends(consumer, consumer.assignment(), ends)
    return ends


async def _reached(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], ends: dict[TopicPartition, int]
) -> bool:
    _note_ends(consumer, partitions, ends)
    return all([each in ends and await consumer.position(each) >= ends[each] for each in partitions])


def _note_ends(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], ends: dict[TopicPartition, int]
) -> None:
    for partition in partitions:
        if partition not in ends and (mark := consumer.highwater(partition)) is not None:
            stable = consumer.last_stable_offset(partition)
            ends[partition] = mark if stable is None or stable < 0 else min(mark, stable)

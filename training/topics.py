"""Topics read once, from offset to offset, as a batch job needs them."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.broker import BrokerSettings

Ranges = Mapping[int, tuple[int, int]]  # partition -> its first offset, and the one after its last


@dataclass(frozen=True, slots=True)
class Record:
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class TopicError(Exception):
    """A topic cannot be read. The text names the broker, the topic and the way out."""


async def read(
    settings: BrokerSettings, topic: str, ranges: Ranges | None = None
) -> tuple[list[Record], Ranges]:
    """The records of the ranges, by partition and offset, and the ranges that were read.

    ranges: as an earlier call gave them back; None: from the start to where the topic ends now.
    """
    try:
        partitions = await _partitions(settings, topic)
        consumer = AIOKafkaConsumer(**settings.client(), auto_offset_reset="earliest", fetch_max_wait_ms=50)
        try:
            await consumer.start()
            return await _drain(consumer, partitions, ranges)
        finally:
            await consumer.stop()
    except (KafkaError, OSError) as error:
        raise TopicError(
            f"topic {topic} cannot be read from {settings.broker} ({error}); set ROLECALL_BROKER"
        ) from error


async def _partitions(settings: BrokerSettings, topic: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        described = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
    finally:
        await admin.close()
    if topic not in described:
        raise TopicError(
            f"the broker at {settings.broker} has no topic {topic}; create it: rolecall topics create"
        )
    return [TopicPartition(topic, n) for n in sorted(each["partition"] for each in described[topic])]


async def _drain(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], ranges: Ranges | None
) -> tuple[list[Record], Ranges]:
    wanted = {each: (ranges or {}).get(each.partition, (0, 0)) for each in partitions}
    stops = {} if ranges is None else {each: stop for each, (_, stop) in wanted.items()}
    consumer.assign(partitions)
    for partition, (start, _) in wanted.items():
        consumer.seek(partition, start)
    firsts: dict[TopicPartition, int] = {}
    found: dict[TopicPartition, list[Record]] = {partition: [] for partition in partitions}
    while not await _reached(consumer, partitions, stops):
        for partition, batch in (await consumer.getmany(timeout_ms=50)).items():
            for each in batch:
                if each.offset < stops.get(partition, each.offset + 1):
                    firsts.setdefault(partition, each.offset)
                    found[partition].append(Record(each.key, each.value, each.timestamp))
    for partition, (start, stop) in wanted.items():
        if ranges is not None and start < stop and firsts.get(partition) != start:
            raise TopicError(
                f"offsets {start} to {stop} of {partition.topic}/{partition.partition} are gone: past the "
                "topic's retention, or another broker's"
            )
    records = [record for partition in partitions for record in found[partition]]
    return records, {each.partition: (firsts.get(each, stops[each]), stops[each]) for each in partitions}


async def _reached(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], stops: dict[TopicPartition, int]
) -> bool:
    """Stops are the high watermarks of fetches: the embedded broker's ListOffsets counts batches."""
    for partition in partitions:
        if (mark := consumer.highwater(partition)) is None:
            return False
        if stops.setdefault(partition, mark) > mark:
            raise TopicError(
                f"{partition.topic}/{partition.partition} ends at offset {mark}, before {stops[partition]}: "
                "these offsets are another broker's"
            )
    positions = [await consumer.position(partition) >= stops[partition] for partition in partitions]
    return all(positions)

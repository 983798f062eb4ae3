"""Read a topic up to where it ends now."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from rolecall.schemas.broker.reading import assign, partitions_of, read_to
from rolecall.schemas.topics import DEAD_LETTERS
from rolecall.streams.events.record import Record
from rolecall.streams.settings import Settings


async def records_to_end(
    settings: Settings, topic: str, starts: Mapping[int, int] | None = None
) -> AsyncGenerator[Any]:
    """The records of the whole topic, or of the partitions in `starts` from these offsets on.

    Raises `TopicError` for a topic that does not exist.
    """
    if starts is None:
        offsets = dict.fromkeys(await partitions_of(settings, topic), 0)
    else:
        offsets = {TopicPartition(topic, partition): offset for partition, offset in starts.items()}
    assert DEAD_LETTERS.max_message_bytes
    consumer = AIOKafkaConsumer(
        **settings.reader(),
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * DEAD_LETTERS.max_message_bytes,
    )
    await consumer.start()
    try:
        assign(consumer, offsets)
        async for record in read_to(consumer, {}):
            yield record
    finally:
        await consumer.stop()


async def filled(settings: Settings, topic: str, partition: int, start: int, end: int) -> bool:
    """Whether the partition has a record with `start` <= offset < `end`.

    An offset can be without a record: compaction removes records, and transactions have markers.
    """
    records = records_to_end(settings, topic, {partition: start})
    try:
        async for record in records:
            return int(record.offset) < end
        return False
    finally:
        await records.aclose()


async def replayed(settings: Settings, topic: str) -> list[Record]:
    """All records of the topic, as `receive` takes them."""
    return [record async for record in records_read(settings, topic)]


async def records_read(
    settings: Settings, topic: str, starts: Mapping[int, int] | None = None
) -> AsyncIterator[Record]:
    """As `records_to_end`, in the form that `receive` takes."""
    async for each in records_to_end(settings, topic, starts):
        yield Record(topic, each.partition, each.offset, each.key, each.value, each.timestamp, each.headers)


async def beginnings(settings: Settings, topic: str) -> dict[int, int]:
    """The first offset that each partition still has: above 0 when retention has deleted records."""
    found, _ = await _bounds(settings, topic)
    return found


async def newest_records(settings: Settings, topic: str, of_each_partition: int) -> list[Record]:
    """The last records of each partition; fewer than asked for if compaction has removed some."""
    _, ends = await _bounds(settings, topic)
    starts = {partition: max(end - of_each_partition, 0) for partition, end in ends.items()}
    return [record async for record in records_read(settings, topic, starts)]


async def _bounds(settings: Settings, topic: str) -> tuple[dict[int, int], dict[int, int]]:
    """First and last offsets by partition."""
    partitions = await partitions_of(settings, topic)
    consumer = AIOKafkaConsumer(**settings.reader(), fetch_max_wait_ms=settings.fetch_max_wait_ms)
    await consumer.start()
    try:
        consumer.assign(partitions)
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return {each.partition: starts[each] for each in partitions}, {
        each.partition: ends[each] for each in partitions
    }

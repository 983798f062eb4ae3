"""A topic's records up to where it ends now."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.receive import Record
from streams.settings import Settings
from streams.topics import MAX_DEAD_LETTER_BYTES


async def records_to_end(
    settings: Settings, topic: str, starts: Mapping[int, int] | None = None
) -> AsyncIterator[Any]:
    """From the start, or from these offsets of these partitions alone. Ends are what fetches tell: the
    embedded broker's ListOffsets counts batches."""
    consumer = AIOKafkaConsumer(
        *((topic,) if starts is None else ()),
        **settings.client(),
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * MAX_DEAD_LETTER_BYTES,
    )
    await consumer.start()
    try:
        if starts is not None:
            consumer.assign([TopicPartition(topic, partition) for partition in starts])
            for partition, offset in starts.items():
                consumer.seek(TopicPartition(topic, partition), offset)
        ends: dict[TopicPartition, int] = {}
        while not await _reached(consumer, ends):
            for batch in (await consumer.getmany(timeout_ms=50)).values():
                for record in batch:
                    yield record
    finally:
        await consumer.stop()


async def replayed(settings: Settings, topic: str) -> list[Record]:
    """All of a topic, as `receive` takes it."""
    return [
        Record(topic, each.partition, each.offset, each.key, each.value, each.timestamp)
        async for each in records_to_end(settings, topic)
    ]


async def _reached(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for partition in consumer.assignment():
        if (end := consumer.highwater(partition)) is not None:
            ends.setdefault(partition, end)
    return ends.keys() == consumer.assignment() and all(
        [await consumer.position(partition) >= end for partition, end in ends.items()]
    )

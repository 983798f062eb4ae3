"""Read a topic once, from offset to offset. The offsets are kept, so that a training run can be repeated."""

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from rolecall.schemas.broker.reading import TopicError, assign, ends_now, partitions_of, read_to
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.record import Record

Ranges = Mapping[int, tuple[int, int]]  # partition -> its first offset, and the one after its last
Ends = Mapping[TopicPartition, int]


async def read(
    settings: BrokerSettings, topic: str, ranges: Ranges | None = None
) -> tuple[list[Record], Ranges]:
    """The records sorted by partition and offset, and the ranges that were read.

    ranges: as an earlier call returned them; None: the whole topic as it is now.
    """
    try:
        partitions = await partitions_of(settings, topic)
        consumer = AIOKafkaConsumer(**settings.reader(), auto_offset_reset="earliest", fetch_max_wait_ms=50)
        try:
            await consumer.start()
            return await _drain(consumer, partitions, ranges)
        finally:
            await consumer.stop()
    except KafkaConnectionError as error:
        raise TopicError(f"no Kafka broker answers at {settings.broker}; set ROLECALL_BROKER") from error
    except (KafkaError, OSError) as error:
        raise TopicError(
            f"topic {topic} cannot be read from {settings.broker} ({error}); set ROLECALL_BROKER"
        ) from error


async def _drain(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], ranges: Ranges | None
) -> tuple[list[Record], Ranges]:
    wanted = {each: (ranges or {}).get(each.partition, (0, 0)) for each in partitions}
    ends = {} if ranges is None else {each: end for each, (_, end) in wanted.items()}
    assign(consumer, {partition: start for partition, (start, _) in wanted.items()})
    if ranges is not None:
        _check_ends(ends, await ends_now(consumer))
        assign(consumer, {partition: start for partition, (start, _) in wanted.items()})
    firsts: dict[TopicPartition, int] = {}
    found: dict[TopicPartition, list[Record]] = {partition: [] for partition in partitions}
    async for each in read_to(consumer, ends):
        partition = TopicPartition(each.topic, each.partition)
        firsts.setdefault(partition, each.offset)
        found[partition].append(
            Record(each.topic, each.partition, each.offset, each.key, each.value, each.timestamp)
        )
    for partition, (start, end) in wanted.items():
        if ranges is not None and start < end and firsts.get(partition) != start:
            raise TopicError(
                f"offsets {start} to {end} of {partition.topic}/{partition.partition} are gone: past the "
                "topic's retention, or another broker's"
            )
    records = [record for partition in partitions for record in found[partition]]
    return records, {each.partition: (firsts.get(each, ends[each]), ends[each]) for each in partitions}


def _check_ends(ends: Ends, marks: Ends) -> None:
    for partition, end in ends.items():
        if end > marks[partition]:
            raise TopicError(
                f"{partition.topic}/{partition.partition} ends at offset {marks[partition]}, before {end}: "
                "these offsets are another broker's"
            )

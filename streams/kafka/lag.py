"""How far a consumer group is behind its topics."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
)

from rolecall.schemas.broker.reading import assign, ends_now, partitions_of
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import INPUTS, Topic
from rolecall.streams.errors import NotAllowed, PublishFailed
from rolecall.streams.settings import Settings


async def lag(settings: BrokerSettings, group: str, topics: Sequence[Topic] = INPUTS) -> int:
    """Events of the topics that the group has not committed yet."""
    partitions = await partitions_of(settings, *(topic.name for topic in topics))
    done = await _committed(settings, group, partitions)
    ends = await _ends(settings, done)
    return sum(max(ends[partition] - done[partition], 0) for partition in partitions)


async def fence(settings: Settings, group: str) -> dict[TopicPartition, int]:
    """Where the inputs end now."""
    partitions = await _inputs(settings)
    return await _ends(settings, await _committed(settings, group, partitions))


async def missing(settings: BrokerSettings, group: str, ends: Mapping[TopicPartition, int]) -> int:
    """Events before the fence that the group has not committed yet."""
    done = await _committed(settings, group, list(ends))
    return sum(max(end - done[partition], 0) for partition, end in ends.items())


async def members(settings: BrokerSettings, group: str) -> int:
    """The number of workers in the group. It counts workers that are joining or leaving."""
    async with _asking(settings, group) as admin:
        try:
            [response] = await admin.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:  # a new cluster keeps groups once somebody asks for one
            return 0
    return len(response.groups[0][5])


async def handled(settings: Settings, group: str) -> dict[tuple[str, int], int]:
    """How far the group has committed the inputs. Raises `PublishFailed` if no broker answers."""
    try:
        partitions = await _inputs(settings)
        done = await _committed(settings, group, partitions)
    except KafkaError as error:
        raise PublishFailed(f"offsets of {group}: {type(error).__name__}: {error}") from error
    return {(each.topic, each.partition): offset for each, offset in done.items()}


async def groups_with_commits(settings: BrokerSettings, base: str) -> list[str]:
    """The group and its later generations (`-gN`), if they have committed an offset above 0."""
    async with _asking(settings, base) as admin:
        named = [name for name, _ in await admin.list_consumer_groups()]
        ours = sorted(name for name in named if re.fullmatch(rf"{re.escape(base)}(-g\d+)?", name))
        offsets = {name: await admin.list_consumer_group_offsets(name) for name in ours}
    return [name for name in ours if any(each.offset > 0 for each in offsets[name].values())]


async def _inputs(settings: Settings) -> list[TopicPartition]:
    return await partitions_of(settings, *(topic.name for topic in settings.inputs))


async def _committed(
    settings: BrokerSettings, group: str, partitions: Sequence[TopicPartition]
) -> dict[TopicPartition, int]:
    async with _asking(settings, group) as admin:
        try:
            found = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
        except GroupCoordinatorNotAvailableError:  # no group has ever committed anything on this cluster
            return dict.fromkeys(partitions, 0)
    return {partition: max(found[partition].offset, 0) for partition in partitions}


def may_read(group: str) -> str:
    """The command that gives the right to be in the group."""
    return f"kafka-acls.sh --add --allow-principal User:NAME --operation Read --group {group}"


@asynccontextmanager
async def _asking(settings: BrokerSettings, group: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    try:
        yield admin
    except GroupAuthorizationFailedError as error:
        raise NotAllowed(
            f"this user may not Describe group {group} on {settings.broker}; add the right, which Read "
            f"includes: {may_read(group)}"
        ) from error
    finally:
        await admin.close()


async def _ends(
    settings: BrokerSettings, positions: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(
        **settings.reader(),
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
        max_partition_fetch_bytes=1,
    )
    await consumer.start()
    try:
        assign(consumer, dict(positions))
        return await ends_now(consumer)
    finally:
        await consumer.stop()


@dataclass(frozen=True, slots=True)
class Progress:
    """What one worker has still to do. `lag` is by (topic, partition); None before the first fetch."""

    lag: Mapping[tuple[str, int], int | None] = field(default_factory=dict)
    unacked: int = 0
    joined: bool = False  # in its group, with partitions or without
    silent_seconds: float = 0.0  # since the last fetch of the partition that waits longest for one

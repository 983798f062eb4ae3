"""The topic `rollouts`. Each read goes to its very end, so what was written before is never missed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from rolecall.schemas.broker.reading import TopicError, assign, partitions_of, read_to
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.schemas.topics import ROLLOUTS
from rolecall.streams.errors import GaveUp, NotDeployed, PublishFailed, RolloutRefused
from rolecall.streams.events.records import rollout_record
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.retry import patiently
from rolecall.streams.rollout.steps import collections, founded, publishes, served
from rolecall.streams.settings import Settings

log = structlog.get_logger()

READ_SECONDS = 5.0


class RolloutTopic:
    """Every method may raise `PublishFailed` while the broker is away."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._newest: Rollout | None = None
        self._read: list[Rollout] = []  # all of them, in order of arrival
        self._reading = asyncio.Lock()

    async def newest(self) -> Rollout | None:
        """The newest record; None if no worker ever ran."""
        try:
            async with self._reading, asyncio.timeout(READ_SECONDS):
                ends = await self._consumer.end_offsets(self._consumer.assignment())
                async for record in read_to(self._consumer, ends):
                    self._take(record)
        except KafkaError as error:
            raise PublishFailed(f"topic {ROLLOUTS.name}: {type(error).__name__}: {error}") from error
        except TimeoutError as error:
            raise PublishFailed(
                f"topic {ROLLOUTS.name}: the broker does not answer within {READ_SECONDS:g} s"
            ) from error
        return self._newest

    async def between(self, before: Rollout, after: Rollout) -> Rollout | None:
        """The record that another program wrote between these two; None if there is none."""
        await self.newest()
        others = self._read[self._read.index(before) + 1 : self._read.index(after)]
        return others[-1] if others else None

    def _take(self, record: Any) -> None:
        try:
            read = None if record.value is None else Rollout.model_validate_json(record.value)
        except ValidationError:
            log.error("rollout_unreadable", topic=ROLLOUTS.name, offset=record.offset, does="skipped")
            return
        if read is not None:
            self._read.append(read)
        if read is None or self._newest is None or read.revision > self._newest.revision:
            self._newest = read


@asynccontextmanager
async def followed(settings: Settings, *, retry_seconds: float = 0) -> AsyncIterator[RolloutTopic]:
    consumer = AIOKafkaConsumer(
        **settings.reader(), auto_offset_reset="earliest", fetch_max_wait_ms=settings.fetch_max_wait_ms
    )
    try:
        await patiently(partial(_start, consumer, settings), "start", retry_seconds)
        yield RolloutTopic(consumer)
    finally:
        await consumer.stop()


async def _start(consumer: AIOKafkaConsumer, settings: Settings) -> None:
    try:
        partitions = await partitions_of(settings, ROLLOUTS.name)
        await consumer.start()
    except KafkaError as error:
        raise PublishFailed(f"no Kafka broker answers: {error}") from error
    assign(consumer, dict.fromkeys(partitions, 0))


async def write(publisher: Publisher, rollout: Rollout) -> Rollout:
    await publisher.publish([rollout_record(rollout)])
    return rollout


async def write_next(
    rollouts: RolloutTopic, publisher: Publisher, before: Rollout, after: Rollout
) -> Rollout:
    """Write `after`, which was made from `before`.

    Raises `RolloutRefused` if another program wrote meanwhile.
    """
    await write(publisher, after)
    other = await rollouts.between(before, after)
    if other is not None:  # it wrote first, so its record has to count
        await write(publisher, other.model_copy(update={"revision": after.revision + 1}))
        raise RolloutRefused("another `rolecall rollout` wrote at the same moment: look at `rollout status`")
    return after


async def _may_found(rollouts: RolloutTopic, may_found: Callable[[], Awaitable[None]]) -> bool:
    """Whether to write the first record: not if another worker has written it meanwhile. Raises what
    `may_found` raises."""
    try:
        await may_found()
    except NotDeployed:
        if await rollouts.newest() is None:
            raise
        return False
    return True


async def deployment_of(
    rollouts: RolloutTopic,
    publisher: Publisher,
    model_version: str,
    *,
    newest: bool,
    may_found: Callable[[], Awaitable[None]],
) -> tuple[Deployment, bool]:
    """What this worker serves, and whether it rehearses.

    If no rollout record exists, the first worker writes one, unless `may_found` raises. If two write at once,
    the higher revision wins.
    """
    if await rollouts.newest() is None and await _may_found(rollouts, may_found):
        await write(publisher, founded(model_version))
    rollout = await rollouts.newest()
    assert rollout is not None
    serves = served(rollout, model_version, newest=newest)
    return serves, not publishes(rollout, serves)


async def newest_rollout(settings: Settings) -> Rollout | None:
    async with followed(settings) as rollouts:
        return await rollouts.newest()


async def served_collections(settings: Settings, model_version: str) -> str | None:
    """The collections that the workers with this model use; None when no broker answers."""
    try:
        rollout = await newest_rollout(settings)
    except (GaveUp, PublishFailed, TopicError):
        return None
    return model_version if rollout is None else collections(served(rollout, model_version, newest=False))

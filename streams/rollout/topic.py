"""The topic `rollouts`. Each read goes to its very end, so what was written before is never missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from rolecall.schemas.broker.reading import assign, read_to
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.schemas.topics import ROLLOUTS
from rolecall.streams.errors import GaveUp, PublishFailed
from rolecall.streams.events.records import rollout_record
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.retry import patiently
from rolecall.streams.rollout.steps import collections, founded, publishes, served
from rolecall.streams.settings import Settings

PARTITION = TopicPartition(ROLLOUTS.name, 0)


class RolloutTopic:
    """Every method may raise `PublishFailed` while the broker is away."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._newest: Rollout | None = None
        self._reading = asyncio.Lock()

    async def newest(self) -> Rollout | None:
        """The newest record; None if no worker ever ran."""
        try:
            async with self._reading:
                ends = await self._consumer.end_offsets([PARTITION])
                async for record in read_to(self._consumer, ends):
                    self._take(record.value)
        except KafkaError as error:
            raise PublishFailed(f"topic {ROLLOUTS.name}: {type(error).__name__}: {error}") from error
        return self._newest

    def _take(self, value: bytes | None) -> None:
        read = None if value is None else Rollout.model_validate_json(value)
        if read is None or self._newest is None or read.revision > self._newest.revision:
            self._newest = read


@asynccontextmanager
async def followed(settings: Settings, *, retry_seconds: float = 0) -> AsyncIterator[RolloutTopic]:
    consumer = AIOKafkaConsumer(**settings.client(), fetch_max_wait_ms=settings.fetch_max_wait_ms)
    try:
        await patiently(partial(_start, consumer), "start", retry_seconds)
        yield RolloutTopic(consumer)
    finally:
        await consumer.stop()


async def _start(consumer: AIOKafkaConsumer) -> None:
    try:
        await consumer.start()
    except KafkaError as error:
        raise PublishFailed(f"no Kafka broker answers: {error}") from error
    assign(consumer, {PARTITION: 0})


async def write(publisher: Publisher, rollout: Rollout) -> Rollout:
    await publisher.publish([rollout_record(rollout)])
    return rollout


async def deployment_of(
    rollouts: RolloutTopic, publisher: Publisher, model_version: str, *, newest: bool
) -> tuple[Deployment, bool]:
    """What this worker serves, and whether it rehearses.

    If no rollout record exists, the first worker writes one. If two write at once, the higher revision wins.
    """
    if await rollouts.newest() is None:
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
    except (GaveUp, PublishFailed):
        return None
    return model_version if rollout is None else collections(served(rollout, model_version, newest=False))

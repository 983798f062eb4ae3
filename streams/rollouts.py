"""The topic `rollouts`, read up to its very end: what was written before is never missed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from uuid import NAMESPACE_URL, uuid5

import click
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.cloud_event import cloud_event
from schemas.dead_letter import Stage
from schemas.rollout import Deployment, Rollout
from schemas.topics import DEAD_LETTERS, MATCHES, ROLLOUTS, event_type
from streams.deployment import collections, founded, publishes, rehearsal, served, stays
from streams.patience import GaveUp, patiently
from streams.publish import Outgoing, Publisher, PublishFailed
from streams.settings import Settings

log = structlog.get_logger()

KEY = b"rollout"
PARTITION = TopicPartition(ROLLOUTS.name, 0)
WATCH_SECONDS = 1.0


class Rollouts:
    """Every method may raise `PublishFailed` while the broker is away."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._newest: Rollout | None = None
        self._reading = asyncio.Lock()

    async def newest(self) -> Rollout | None:
        """None before the first worker ran."""
        try:
            async with self._reading:
                end = (await self._consumer.end_offsets([PARTITION]))[PARTITION]
                while await self._consumer.position(PARTITION) < end:
                    for records in (await self._consumer.getmany(timeout_ms=50)).values():
                        for record in records:
                            self._take(record.value)
        except KafkaError as error:
            raise PublishFailed(f"topic {ROLLOUTS.name}: {type(error).__name__}: {error}") from error
        return self._newest

    def _take(self, value: bytes | None) -> None:
        read = None if value is None else Rollout.model_validate_json(value)
        if read is None or self._newest is None or read.revision > self._newest.revision:
            self._newest = read


@asynccontextmanager
async def followed(settings: Settings, *, retry_seconds: float = 0) -> AsyncIterator[Rollouts]:
    consumer = AIOKafkaConsumer(**settings.client(), fetch_max_wait_ms=settings.fetch_max_wait_ms)
    try:
        await patiently(partial(_start, consumer), "start", retry_seconds)
        yield Rollouts(consumer)
    finally:
        await consumer.stop()


async def _start(consumer: AIOKafkaConsumer) -> None:
    try:
        await consumer.start()
    except KafkaError as error:
        raise PublishFailed(f"no Kafka broker answers: {error}") from error
    consumer.assign([PARTITION])
    consumer.seek(PARTITION, 0)


async def write(publisher: Publisher, rollout: Rollout) -> Rollout:
    id = str(uuid5(NAMESPACE_URL, rollout.model_dump_json()))
    headers = cloud_event(id, event_type(Rollout), rollout.occurred_at)
    value = rollout.model_dump_json(exclude_none=True).encode()
    await publisher.publish([Outgoing(ROLLOUTS.name, KEY, value, headers)])
    return rollout


async def deployment_of(
    rollouts: Rollouts, publisher: Publisher, model_version: str, *, newest: bool
) -> tuple[Deployment, bool]:
    """What this worker serves, and whether it rehearses.

    The first worker of all founds; of two at once, the later record counts.
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


async def served_collections(settings: Settings, model_version: str) -> str:
    """The collections that the workers with this model use; without a broker, those of the first."""
    try:
        rollout = await newest_rollout(settings)
    except (GaveUp, PublishFailed):
        click.echo(f"no broker at {settings.broker}: taken is the first index of {model_version}", err=True)
        return model_version
    return model_version if rollout is None else collections(served(rollout, model_version, newest=False))


class Rehearsing:
    """The publisher of a deployment that was not switched to yet: its matches go to a topic of its own.

    Asks before each publication, until it may publish. So once the record that lets it is written, whatever
    is published for events that arrive later goes to `matches`, on every worker.
    """

    def __init__(
        self, publisher: Publisher, rollouts: Rollouts, deployment: Deployment, *, silent: bool
    ) -> None:
        self._publisher = publisher
        self._rollouts = rollouts
        self._deployment = deployment
        self.silent = silent

    async def publish(self, records: Iterable[Outgoing]) -> None:
        records = list(records)
        if self.silent and records:
            rollout = await self._rollouts.newest()
            self.silent = rollout is None or not publishes(rollout, self._deployment)
        if self.silent:
            topic = rehearsal(self._deployment)
            records = [_redirected(each, topic) for each in records if not _refused_before(each)]
        await self._publisher.publish(records)


def _redirected(record: Outgoing, topic: str) -> Outgoing:
    if record.topic != MATCHES.name:
        return record
    return Outgoing(topic, record.key, record.value, record.headers)


def _refused_before(record: Outgoing) -> bool:
    """A replay meets records again that the live deployment could not read either, and dead-lettered."""
    stage = ("__connect.errors.stage", Stage.RECEIVE.value.encode())
    return record.topic == DEAD_LETTERS.name and stage in record.headers


async def watch(rollouts: Rollouts, deployment: Deployment) -> None:
    """Return when the deployment is to end."""
    while True:
        try:
            rollout = await rollouts.newest()
        except PublishFailed as error:
            log.warning("rollouts_unread", error=str(error))
        else:
            if rollout is not None and not stays(rollout, deployment):
                return
        await asyncio.sleep(WATCH_SECONDS)

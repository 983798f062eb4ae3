"""The topics of the contract on a broker: ask for them, create them, delete one."""

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import MATCHES, TOPICS
from rolecall.streams.errors import TopicsMissing, Unreachable

TIMEOUT_SECONDS = 10.0


async def missing_topics(settings: BrokerSettings) -> list[str]:
    """Names of our topics that the broker lacks. Raises `Unreachable` after 10 s at the latest."""
    try:
        admin = AIOKafkaAdminClient(**settings.client(), request_timeout_ms=round(TIMEOUT_SECONDS * 1000))
    except ValueError as error:
        raise Unreachable(
            f"ROLECALL_BROKER={settings.broker} is not an address; write host:port[,host:port...]"
        ) from error
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await admin.start()
            existing = set(await admin.list_topics())
    except ValueError as error:
        raise Unreachable(
            f"ROLECALL_BROKER={settings.broker} is not an address: {error}; write host:port"
        ) from error
    except (KafkaError, TimeoutError, OSError) as error:
        if settings.security_protocol != "PLAINTEXT":
            raise Unreachable(
                f"no Kafka broker lets us in at {settings.broker} by {settings.security_protocol}; check "
                "ROLECALL_BROKER, its certificate (ROLECALL_BROKER_CA) and login (ROLECALL_BROKER_SASL)"
            ) from error
        raise Unreachable(
            f"no Kafka broker answers at {settings.broker}; set ROLECALL_BROKER, or start one "
            "(`rolecall up` for a trial)"
        ) from error
    finally:
        await admin.close()
    return [topic.name for topic in TOPICS if topic.name not in existing]


async def require_topics(settings: BrokerSettings) -> None:
    """Raises `TopicsMissing`. A client that writes to a missing topic waits for long, or creates it without
    compaction."""
    if missing := await missing_topics(settings):
        raise TopicsMissing(
            f"the broker at {settings.broker} lacks {', '.join(missing)}; create them: rolecall topics create"
        )


async def create_rehearsal(settings: BrokerSettings, name: str) -> None:
    """Create a topic like `matches`, with as many replicas, whose records are kept until it is deleted."""
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    try:
        [described] = await admin.describe_topics([MATCHES.name])
        replication = len(described["partitions"][0]["replicas"])
        config = {"cleanup.policy": "delete", "retention.ms": "-1"}
        topic = NewTopic(name, MATCHES.partitions, replication, topic_configs=config)
        _check(await admin.create_topics([topic]))
    finally:
        await admin.close()


async def delete_topic(settings: BrokerSettings, name: str) -> None:
    """Does nothing when the topic does not exist."""
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    try:
        if name in await admin.list_topics():
            await admin.delete_topics([name])
    finally:
        await admin.close()


async def create_topics(settings: BrokerSettings, *, replication: int = 1) -> list[str]:
    """Create the missing topics; the names of those that were created."""
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if topic.name not in existing]
        if not missing:
            return []
        response = await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config())
                for topic in missing
            ]
        )
        _check(response)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


def _check(response: Any) -> None:
    for name, code, *_ in response.topic_errors:
        if code and code != TopicAlreadyExistsError.errno:
            raise for_code(code)(f"topic {name!r} could not be created")

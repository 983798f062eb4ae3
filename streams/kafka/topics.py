"""The topics of the contract on a broker: ask for them, create them, delete one."""

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import MATCHES, TOPICS
from rolecall.streams.errors import NotAllowed, TopicsMissing, TopicsWrong, Unreachable
from rolecall.streams.kafka.topic_settings import Deviation, deviations

TIMEOUT_SECONDS = 5.0


async def missing_topics(settings: BrokerSettings) -> list[str]:
    """Names of our topics that the broker lacks. Raises `Unreachable` after 5 s at the latest."""
    admin = AIOKafkaAdminClient(**settings.client(), request_timeout_ms=round(TIMEOUT_SECONDS * 1000))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await admin.start()
            described = await admin.describe_topics([topic.name for topic in TOPICS])
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
    errors = {each["topic"]: each["error_code"] for each in described}
    if hidden := sorted(name for name, code in errors.items() if code == TopicAuthorizationFailedError.errno):
        raise NotAllowed(
            f"this user may not Describe {', '.join(hidden)} on {settings.broker}; add the right, for each: "
            "kafka-acls.sh --add --allow-principal User:NAME --operation Describe --topic TOPIC"
        )
    return [topic.name for topic in TOPICS if errors.get(topic.name) == UnknownTopicOrPartitionError.errno]


async def require_topics(settings: BrokerSettings) -> None:
    """Raises `TopicsMissing`. A client that writes to a missing topic waits for long, or creates it without
    compaction."""
    if missing := await missing_topics(settings):
        raise TopicsMissing(
            f"the broker at {settings.broker} lacks {', '.join(missing)}; create them: rolecall topics create"
        )


async def require_sound_topics(settings: BrokerSettings) -> list[Deviation]:
    """Returns the deviations that lose no state. Raises `TopicsMissing`, or `TopicsWrong` if states would get
    lost."""
    await require_topics(settings)
    found = await deviations(settings)
    if wrong := [each for each in found if each.loses_state]:
        raise TopicsWrong("; ".join(f"{each}. Mend it: {each.remedy}" for each in wrong))
    return found


async def create_rehearsal(settings: BrokerSettings, name: str) -> None:
    """Create a topic like `matches`, with as many replicas, whose records are kept until it is deleted."""
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    try:
        [described] = await admin.describe_topics([MATCHES.name])
        replication = len(described["partitions"][0]["replicas"])
        config = {"cleanup.policy": "delete", "retention.ms": "-1"}
        topic = NewTopic(name, MATCHES.partitions, replication, topic_configs=config)
        _check(await admin.create_topics([topic]), f"fewer than {replication}")
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
        _check(response, str(len((await admin.describe_cluster())["brokers"])))
        return [topic.name for topic in missing]
    finally:
        await admin.close()


def _check(response: Any, brokers: str) -> None:
    for name, code, *_ in response.topic_errors:
        if code == InvalidReplicationFactorError.errno:
            raise NotAllowed(
                f"topic {name} was not created: it asks for more replicas than there are brokers ({brokers});"
                " pass a lower --replication"
            )
        if code == TopicAuthorizationFailedError.errno:
            raise NotAllowed(
                f"topic {name} was not created: this user lacks the right to Create it; kafka-acls.sh --add "
                f"--allow-principal User:NAME --operation Create --topic {name}"
            )
        if code and code != TopicAlreadyExistsError.errno:
            raise for_code(code)(f"topic {name!r} could not be created")

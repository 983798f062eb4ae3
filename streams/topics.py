"""Create and inspect the topics of the contract on a broker."""

from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.broker import BrokerSettings
from schemas.topics import DEAD_LETTERS, MATCHES, TOPICS, Topic

DAY_MS = 86_400_000
RETENTION_MS = {"matches": 7 * DAY_MS, "feedback": 365 * DAY_MS, "dead-letters": 30 * DAY_MS}
TOMBSTONE_RETENTION_MS = 7 * DAY_MS
MAX_DEAD_LETTER_BYTES = 16 * 1_048_576


def topic_config(topic: Topic) -> dict[str, str]:
    """Broker-side settings; the dead letters hold whatever any input could have carried, and its headers."""
    config: dict[str, str] = {"cleanup.policy": topic.cleanup_policy}
    if topic.cleanup_policy == "compact":
        config["delete.retention.ms"] = str(TOMBSTONE_RETENTION_MS)
    else:
        config["retention.ms"] = str(RETENTION_MS[topic.name])
    if topic is DEAD_LETTERS:
        config["max.message.bytes"] = str(MAX_DEAD_LETTER_BYTES)
    return config


async def create_rehearsal(settings: BrokerSettings, name: str) -> None:
    """Like `matches`, as often replicated, but kept until it is deleted."""
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
    """It need not exist."""
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
                NewTopic(topic.name, topic.partitions, replication, topic_configs=topic_config(topic))
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

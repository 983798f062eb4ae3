"""Is the broker there, and has it our topics? Asked before a command starts its work."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.broker import BrokerSettings
from schemas.topics import TOPICS

TIMEOUT_SECONDS = 10.0


class Unreachable(Exception):
    """No Kafka broker answers, or it lacks topics; the message names the address and the way out."""


class TopicsMissing(Unreachable):
    pass


async def missing_topics(settings: BrokerSettings) -> list[str]:
    """Names of our topics that the broker lacks. `Unreachable` within seconds, whatever listens there."""
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
    """A client that writes to a missing topic waits for long, or makes one that is not compacted."""
    if missing := await missing_topics(settings):
        raise TopicsMissing(
            f"the broker at {settings.broker} lacks {', '.join(missing)}; create them: rolecall topics create"
        )

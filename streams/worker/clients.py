"""The producers of a worker, started patiently and stopped at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rolecall.streams.kafka.publisher import KafkaPublisher, Publisher
from rolecall.streams.retry import patiently
from rolecall.streams.settings import Settings


@asynccontextmanager
async def publisher(settings: Settings) -> AsyncIterator[Publisher]:
    """Raises `GaveUp` when no broker answers within `retry_seconds`."""
    confirmed = KafkaPublisher.of(settings)
    try:
        await patiently(confirmed.start, "start", settings.retry_seconds)
        yield confirmed
    finally:
        await confirmed.stop()

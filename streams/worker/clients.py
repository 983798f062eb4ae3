"""The producers of a worker, started patiently and stopped at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from rolecall.streams.kafka.publisher import KafkaPublisher, Publisher, letter_producer, producer, start
from rolecall.streams.retry import patiently
from rolecall.streams.settings import Settings


@asynccontextmanager
async def publisher(settings: Settings) -> AsyncIterator[Publisher]:
    """Raises `GaveUp` when no broker answers within `retry_seconds`."""
    events, letters = producer(settings), letter_producer(settings)
    try:
        for sender in (events, letters):
            await patiently(partial(start, sender), "start", settings.retry_seconds)
        yield KafkaPublisher(events, letters)
    finally:
        await events.stop()
        await letters.stop()

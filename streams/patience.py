"""Errors sorted. What may pass by itself is retried here; what will not end the process says so."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from streams.index import IndexMismatch, IndexUnavailable
from streams.publish import PublishFailed, PublishRefused

log = structlog.get_logger()

T = TypeVar("T")

TRANSIENT = (IndexUnavailable, PublishFailed)
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0


class GaveUp(Exception):
    """A dependency stayed away for longer than `retry_seconds`. End the process; nothing was acked."""


class NotTheEvents(Exception):
    """Every event fails in one way: a defect, or a broken dependency. End the process; nothing was acked."""


# Ends of the process that explain themselves; past these a traceback has to.
FATAL = (GaveUp, NotTheEvents, IndexMismatch, PublishRefused)


async def patiently(attempt: Callable[[], Awaitable[T]], what: str, retry_seconds: float) -> tuple[T, int]:
    """The answer, and how many retries it took: exponential backoff with full jitter.

    Raises `GaveUp` when the budget is spent, at most one attempt later.
    """
    deadline = time.monotonic() + retry_seconds
    ceiling, retries = FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            return await attempt(), retries
        except TRANSIENT as error:
            pause = random.uniform(0, ceiling)
            if time.monotonic() + pause > deadline:
                raise GaveUp(f"{what} failed for {retry_seconds:g} s, last with: {error}") from error
            retries += 1
            log.warning("retry", stage=what, error=str(error), pause_seconds=round(pause, 3))
            await asyncio.sleep(pause)
            ceiling = min(ceiling * 2, LONGEST_PAUSE_SECONDS)

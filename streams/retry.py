"""Retry an operation after a `TransientError`."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from rolecall.streams.errors import GaveUp, TransientError

log = structlog.get_logger()

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0


async def patiently(attempt: Callable[[], Awaitable[T]], what: str, retry_seconds: float) -> tuple[T, int]:
    """Returns the answer and the number of retries. Waits with exponential backoff and full jitter.

    Raises `GaveUp` once `retry_seconds` are over. The last attempt may end later than that.
    """
    deadline = time.monotonic() + retry_seconds
    ceiling, retries = FIRST_PAUSE_SECONDS, 0
    while True:
        try:
            return await attempt(), retries
        except TransientError as error:
            pause = random.uniform(0, ceiling)
            if time.monotonic() + pause > deadline:
                raise GaveUp(f"{what} failed for {retry_seconds:g} s, last with: {error}") from error
            retries += 1
            log.warning("retry", stage=what, error=str(error), pause_seconds=round(pause, 3))
            await asyncio.sleep(pause)
            ceiling = min(ceiling * 2, LONGEST_PAUSE_SECONDS)

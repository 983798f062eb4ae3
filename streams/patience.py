"""Retry what may pass by itself."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schemas.dead_letter import Stage
from streams.index import IndexUnavailable
from streams.publish import PublishFailed

log = structlog.get_logger()

T = TypeVar("T")


class GaveUp(Exception):
    """A dependency stayed away for longer than `retry_seconds`. End the process; nothing was acked."""


async def patiently(attempt: Callable[[], Awaitable[T]], stage: Stage, retry_seconds: float) -> tuple[T, int]:
    """The answer, and how many retries it took: exponential backoff with full jitter."""
    deadline = time.monotonic() + retry_seconds
    ceiling, retries = 0.05, 0
    while True:
        try:
            return await attempt(), retries
        except (IndexUnavailable, PublishFailed) as error:
            pause = random.uniform(0, ceiling)
            if time.monotonic() + pause > deadline:
                raise GaveUp(f"{stage} failed for {retry_seconds:g} s, last with: {error}") from error
            retries += 1
            log.warning("retry", stage=stage, error=str(error), pause_seconds=round(pause, 3))
            await asyncio.sleep(pause)
            ceiling = min(ceiling * 2, 5.0)

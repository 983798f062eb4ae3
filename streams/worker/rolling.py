"""Records that make the broker compact quiet partitions.

Kafka compacts closed segments only. It closes the last segment of a partition when a record comes that is
dated `segment.ms` after the first record of the segment. So a partition to which nobody writes keeps what was
erased for ever, whatever `max.compaction.lag.ms` says (4.3.1 and 4.4.0). Workers write a record now and then:
the erasure of an id that nobody has.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from rolecall.schemas.topics import SIDE_OF
from rolecall.streams.errors import PublishFailed
from rolecall.streams.events.records import ERASURE_COPY, Outgoing

log = structlog.get_logger()

ROLL_ID = "rolecall.roll"
ROLL_SECONDS = 6 * 3600.0  # a quarter of `segment.ms`
FIRST_SECONDS = 3600.0  # so that workers that are started daily still write it


def rolling_records(partitions: Iterable[tuple[str, int]]) -> list[Outgoing]:
    """One a partition of vacancies and candidates. Workers do not copy them: they count as copies."""
    return [
        Outgoing(topic, ROLL_ID.encode(), None, [(ERASURE_COPY, b"roll")], partition=number)
        for topic, number in sorted(partitions)
        if topic in SIDE_OF
    ]


async def keep_rolling(
    publish: Callable[[Iterable[Outgoing]], Awaitable[None]],
    partitions: Callable[[], Iterable[tuple[str, int]]],
) -> None:
    """Until cancelled; for the partitions that this worker has."""
    pause = FIRST_SECONDS
    while True:
        await asyncio.sleep(pause)
        pause = ROLL_SECONDS
        try:
            await publish(rolling_records(partitions()))
        except PublishFailed as error:
            log.warning("roll_failed", error=str(error))
            pause = FIRST_SECONDS

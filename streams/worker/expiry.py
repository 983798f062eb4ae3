"""Sweep the index: withdraw expired vacancies, remove old tombstones, and delete cached embeddings."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from rolecall.schemas.topics import VACANCIES
from rolecall.streams.errors import IndexUnavailable, PublishFailed
from rolecall.streams.events.records import Outgoing, withdrawal_record
from rolecall.streams.index.port import SPACES, Index, Point
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.worker.embedding_cache import Cache, forget
from rolecall.streams.worker.lists import Lists

log = structlog.get_logger()

PAGE = 500
MAX_FAILURES = 10  # consecutive failures; after these, waiting longer will not help


class Sweeper:
    """Removes expired vacancies, and tombstones that are older than every record on the topics.

    Every worker may sweep at any time, beside the others and beside its own batches. The tombstone has the
    revision that expired, so it replaces that revision only: a newer one that arrives meanwhile stays, and
    one that arrives later revives the vacancy. The withdrawal is one above: it ends the matches of what
    expired and of nothing newer.
    """

    def __init__(
        self,
        *,
        index: Index,
        publisher: Publisher,
        cache: Cache | None = None,
        lists: Lists | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._index = index
        self._publisher = publisher
        self._cache = cache
        self._lists = lists
        self._now = now

    async def sweep(self) -> int:
        """How many vacancies had expired. Raises `IndexUnavailable` or `PublishFailed`: sweep again later."""
        now = self._now()
        removed = 0
        while found := await self._index.expired(Side.VACANCY, milliseconds(now), PAGE):
            # Before the index forgets that there is something to withdraw.
            await self._publisher.publish([_withdrawal(id, revision, now) for id, revision in found])
            tombstones = [Point(id, revision) for id, revision in found]
            stored = await self._index.fetch(Side.VACANCY, [id for id, _ in found])
            if self._cache is not None:
                await forget(self._cache, stored, tombstones)
            await self._index.upsert(Side.VACANCY, tombstones)
            if self._lists:
                live = [point for point in stored.values() if point.vector is not None]
                try:
                    left = await self._lists.left(Side.VACANCY, live)
                    places = dict(zip((point.id for point in live), left, strict=True))
                    await self._lists.published(Side.VACANCY, {}, places)
                except IndexUnavailable:
                    self._lists.sweep(lost=True)  # the next sweep does not find these vacancies any more
                    raise
            removed += len(found)
        for space in SPACES:
            await self._index.purge(space, milliseconds(now) - VACANCIES.retention_ms)
        return removed


def _withdrawal(id: str, revision: int, now: datetime) -> Outgoing:
    return withdrawal_record(
        MatchesWithdrawn(
            side=Side.VACANCY,
            entity_id=id,
            revision=revision + 1,
            reason=WithdrawalReason.EXPIRED,
            occurred_at=now,
        )
    )


async def keep_sweeping(sweep: Callable[[], Awaitable[int]], interval_seconds: float) -> None:
    """Sweeps until cancelled. A failed sweep is repeated, but not without end."""
    failures = 0
    await asyncio.sleep(random.uniform(0, interval_seconds))  # workers that start together take turns
    while True:
        try:
            removed = await sweep()
        except (IndexUnavailable, PublishFailed) as error:
            failures += 1
            log.warning("sweep_failed", error=str(error), failures=failures)
            if failures == MAX_FAILURES:
                raise
        else:
            failures = 0
            if removed:
                log.info("expired", vacancies=removed)
        await asyncio.sleep(interval_seconds)

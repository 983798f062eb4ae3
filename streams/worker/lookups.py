"""Bring records of `rules`, `occupations` and `feedback` to their effect or to the dead letters."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Generic

import structlog

from rolecall.schemas.dead_letter import Stage
from rolecall.streams.events.receive import AnyEvent, Limits, Reject, newest
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing, dead_letter
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.monitor.tally import LookupTally
from rolecall.streams.retry import patiently
from rolecall.streams.worker.poison import Streak, sift

log = structlog.get_logger()

Receive = Callable[[Sequence[Record], Limits], tuple[list[AnyEvent], list[Reject]]]
Apply = Callable[[Sequence[AnyEvent], datetime], Awaitable[Iterable[Outgoing]]]

PUBLISHED_TOGETHER = 200  # a wide rule withdraws millions of pairs: they are never in memory together


class LookupRunner(Generic[AnyEvent]):
    """`apply` brings events with distinct ids to their effect. It is idempotent, so it can be retried. It may
    make its records one by one, while they are published."""

    def __init__(
        self,
        receive: Receive[AnyEvent],
        apply: Apply[AnyEvent],
        *,
        publisher: Publisher,
        limits: Limits,
        retry_seconds: float = 60.0,
        max_poison_in_a_row: int = 50,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._receive = receive
        self._apply = apply
        self._publisher = publisher
        self._limits = limits
        self._retry_seconds = retry_seconds
        self._streak = Streak(max_poison_in_a_row)
        self._now = now

    async def run(self, records: Sequence[Record]) -> LookupTally:
        """Raises `FatalError`. In that case nothing may be acked."""
        now = self._now()
        events, rejects = self._receive(records, self._limits)
        tally = LookupTally(len(records), rejects=rejects)
        current = newest(events)
        _, poison = await sift(current, lambda some: self._effects(some, now, tally), lambda: Stage.UPSERT)
        self._streak.add(len(current), poison)
        rejects += poison
        letters = [dead_letter(reject) for reject in rejects]
        await self._publish(letters, tally)
        for reject in rejects:
            log.warning(
                "dead_letter",
                topic=reject.record.topic,
                offset=reject.record.offset,
                stage=reject.stage,
                # Only messages of the contract itself are sure not to quote the text.
                reason=reject.message if reject.stage is Stage.RECEIVE else reject.exception,
            )
        return tally

    async def _effects(self, events: Sequence[AnyEvent], now: datetime, tally: LookupTally) -> list[Outgoing]:
        apply = partial(self._apply, events, now)
        outgoing, retries = await patiently(apply, Stage.UPSERT, self._retry_seconds)
        tally.retries += retries
        rest = iter(outgoing)
        while part := list(islice(rest, PUBLISHED_TOGETHER)):
            await self._publish(part, tally)
            tally.published += len(part)
        return []

    async def _publish(self, records: Sequence[Outgoing], tally: LookupTally) -> None:
        publish = partial(self._publisher.publish, records)
        _, retries = await patiently(publish, Stage.PUBLISH, self._retry_seconds)
        tally.retries += retries

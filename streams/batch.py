"""The batch runner: the one place that knows order, retries and what happens to poison.

receive -> encode -> upsert -> search -> match -> publish; the caller acks when `run` returns. An exception
out of `run` means that nothing was acked and the process must end: the broker will deliver the batch again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TypeVar

import numpy as np
import structlog

from encoder.document import Document, candidate_document, content_hash, vacancy_document
from encoder.model import Encoder
from schemas.common import Status, milliseconds
from schemas.dead_letter import Stage
from schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from schemas.vacancy import Vacancy
from streams.areas import DEEPER, MAX_DEPTH
from streams.cache import Cache, Row
from streams.index import Index, Point, Query
from streams.lifecycle import forget
from streams.match import Embedded, Found, Policy, compatible_hits, is_filled, matches, point, wanted
from streams.patience import patiently
from streams.poison import Streak, sift
from streams.publish import Outgoing, Publisher, dead_letter, match_record, withdrawal_record
from streams.receive import Entity, Erased, Event, Limits, Published, Record, Reject, newest, receive
from streams.reference import References
from streams.tally import Tally

log = structlog.get_logger()

T = TypeVar("T")

PART = 64  # events of a batch that go through together
OVERFETCH = 1.2  # first search; deeper ones follow only where the recheck left a list short


@dataclass(frozen=True, slots=True)
class Gone:
    """An entity to be taken out of the index, and why."""

    event: Event
    reason: WithdrawalReason


class BatchRunner:
    def __init__(
        self,
        *,
        encoder: Encoder,
        index: Index,
        publisher: Publisher,
        policy: Policy,
        limits: Limits,
        cache: Cache | None = None,
        retry_seconds: float = 60.0,
        max_poison_in_a_row: int = 50,
        rehearses: Callable[[], bool] = lambda: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """While it rehearses, every event withdraws the older revisions: what this index never held of them,
        one that was lost may have matched."""
        self._encoder = encoder
        self._index = index
        self._references = References(index, policy.min_reference_score)
        self._publisher = publisher
        self._policy = policy
        self._limits = limits
        self._cache = cache
        self._matching = asyncio.Lock()
        self._retry_seconds = retry_seconds
        self._streaks = {side: Streak(max_poison_in_a_row) for side in Side}
        self._rehearses = rehearses
        self._now = now

    async def run(self, side: Side, records: Sequence[Record]) -> Tally:
        """Bring every record to its effect or to the dead letters. Raises what is `FATAL`."""
        now = self._now()
        tally = Tally(side, len(records))
        with tally.timed(Stage.RECEIVE):
            events, rejects = receive(side, records, milliseconds(now), self._limits)
            current = newest(events)
            tally.stale += len(events) - len(current)
        parts = [current[start : start + PART] for start in range(0, len(current), PART)]
        tallies = [Tally(side, len(part)) for part in parts]
        poison = await asyncio.gather(
            *(self._bring(side, part, now, own) for part, own in zip(parts, tallies, strict=True))
        )
        for own in tallies:
            tally.add(own)
        poisoned = list(chain.from_iterable(poison))
        self._streaks[side].add(len(current), poisoned)
        rejects += poisoned
        tally.rejects = rejects
        await self._publish([dead_letter(reject) for reject in rejects], tally)
        for reject in rejects:
            log.warning(
                "dead_letter",
                topic=reject.record.topic,
                partition=reject.record.partition,
                offset=reject.record.offset,
                stage=reject.stage,
                # Past the contract's own words, a message may quote the text.
                reason=reject.message if reject.stage is Stage.RECEIVE else reject.exception,
            )
        return tally

    async def _bring(self, side: Side, events: Sequence[Event], now: datetime, tally: Tally) -> list[Reject]:
        """While one part waits for the index, another has the processor."""
        outgoing, poison = await sift(
            events, lambda some: self._effects(side, some, now, tally), lambda: tally.stage
        )
        await self._publish(outgoing, tally)
        return poison

    async def _publish(self, records: Sequence[Outgoing], tally: Tally) -> None:
        with tally.timed(Stage.PUBLISH):
            await self._patiently(partial(self._publisher.publish, records), tally)

    async def _effects(
        self, side: Side, events: Sequence[Event], now: datetime, tally: Tally
    ) -> list[Outgoing]:
        """Upsert, then search: of two events that arrive together on two workers, one sees the other."""
        gone = [Gone(event, reason) for event in events if (reason := _reason_to_go(event, now))]
        leaving = {entry.event.id for entry in gone}
        staying = [
            event.entity for event in events if isinstance(event, Published) and event.id not in leaving
        ]
        with tally.timed(Stage.ENCODE):
            embedded = await self._embed(staying, tally)
        with tally.timed(Stage.SEARCH):
            nearest = partial(self._references.nearest, [each.vector for each in embedded])
            occupations = await self._patiently(nearest, tally)
            embedded = [
                each if occupation is None else replace(each, occupation=occupation)
                for each, occupation in zip(embedded, occupations, strict=True)
            ]
        with tally.timed(Stage.UPSERT):
            points = [Point(entry.event.id, entry.event.revision) for entry in gone]
            points += [point(each, self._policy.book) for each in embedded]
            before = await self._patiently(partial(self._write, side, points), tally)
        known = dict(zip((each.id for each in points), before, strict=True))
        gone = [entry for entry in gone if _is_current(entry.event, known[entry.event.id])]
        if self._cache is not None:
            stale = (each for each in embedded if not _is_current(each.entity, known[each.entity.id]))
            await self._cache.forget([each.content for each in stale if each.content])
        embedded = [each for each in embedded if _is_current(each.entity, known[each.entity.id])]
        hits = await self._search(side, embedded, now, tally)
        async with self._match_stage(tally):
            found: list[Outgoing] = []
            for each, compatible in zip(embedded, hits, strict=True):
                found += map(match_record, matches(self._encoder, each, compatible, self._policy, now))
                await asyncio.sleep(0)
            tally.upserted += len(embedded)
            tally.certainties += (each.certainty for each in embedded)
            tally.vectors += (each.vector for each in embedded)
            tally.located += (each.occupation for each in embedded if each.occupation is not None)
            tally.removed += len(gone)
            tally.stale += len(points) - len(embedded) - len(gone)
            tally.matches += len(found)
            withdrawn: list[tuple[Event | Entity, WithdrawalReason]] = [
                (entry.event, entry.reason) for entry in gone
            ]
            withdrawn += [(each.entity, WithdrawalReason.SUPERSEDED) for each in embedded]
            return [
                withdrawal_record(
                    MatchesWithdrawn(
                        side=side,
                        entity_id=what.id,
                        revision=_withdrawing_revision(what, reason, known[what.id]),
                        reason=reason,
                        occurred_at=now,
                    )
                )
                for what, reason in withdrawn
                if known[what.id] is not None or self._rehearses()
            ] + found

    async def _write(self, side: Side, points: Sequence[Point]) -> list[int | None]:
        if self._cache is not None:
            await forget(self._index, self._cache, side, points)
        return await self._index.upsert(side, points)

    async def _embed(self, entities: Sequence[Entity], tally: Tally) -> list[Embedded]:
        documents = [document(entity) for entity in entities]
        if self._cache is None:
            rows = await asyncio.to_thread(self._rows, documents)
            return [Embedded(entity, *_split(row)) for entity, row in zip(entities, rows, strict=True)]
        hashes = [content_hash(document) for document in documents]
        cached = await self._cache.get(hashes)
        tally.cache_hits += len(cached)
        missing = {key: doc for key, doc in zip(hashes, documents, strict=True) if key not in cached}
        tally.cache_misses += len(missing)
        fresh_rows = await asyncio.to_thread(self._rows, list(missing.values()))
        fresh = dict(zip(missing, fresh_rows, strict=True))
        await self._cache.put(fresh)  # before the write: whoever replaces the point can forget this too
        return [
            Embedded(entity, *_split(cached[key] if key in cached else fresh[key]), key)
            for entity, key in zip(entities, hashes, strict=True)
        ]

    def _rows(self, documents: Sequence[Document]) -> list[Row]:
        """One (dims + 1,) row a document: the vector, then its certainty."""
        if not documents:
            return []
        embeddings = self._encoder.encode(documents)
        return list(np.concatenate([embeddings.vectors, embeddings.certainty[:, None]], axis=1))

    async def _search(
        self, side: Side, embedded: Sequence[Embedded], now: datetime, tally: Tally
    ) -> list[list[Found]]:
        """The compatible hits of each, deep enough to fill `top_k` wherever that many exist."""
        found: list[list[Found]] = [[] for _ in embedded]
        policies = [self._policy.of(each.entity) for each in embedded]
        limits = [first_limit(policy.top_k) for policy in policies]
        pending = list(range(len(embedded)))
        conditions = [wanted(each.entity, now, self._policy.book) for each in embedded]
        while pending:
            with tally.timed(Stage.SEARCH):
                queries = [Query(embedded[i].vector, conditions[i], limits[i]) for i in pending]
                search = partial(self._index.search_allowed, side.other, queries)
                answers = await self._patiently(search, tally)
            short: list[int] = []
            async with self._match_stage(tally):
                for i, hits in zip(pending, answers, strict=True):
                    found[i] = compatible_hits(embedded[i].entity, hits, now, self._policy.book)
                    if len(hits) == limits[i] < MAX_DEPTH and not is_filled(found[i], hits[-1], policies[i]):
                        short.append(i)
                        limits[i] = min(limits[i] * DEEPER, MAX_DEPTH)
                    await asyncio.sleep(0)
            pending = short
        return found

    @asynccontextmanager
    async def _match_stage(self, tally: Tally) -> AsyncIterator[None]:
        """One part at a time, which lets others at the loop between its events: while it matches, they ask
        the index, and it is not all of them that match and all of them that ask."""
        async with self._matching:
            with tally.timed(Stage.MATCH):
                yield

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], tally: Tally) -> T:
        answer, retries = await patiently(attempt, tally.stage, self._retry_seconds)
        tally.retries += retries
        return answer


def first_limit(top_k: int) -> int:
    """How many hits the first search asks for."""
    return max(round(top_k * OVERFETCH), top_k + 2)


def document(entity: Entity) -> Document:
    return vacancy_document(entity) if isinstance(entity, Vacancy) else candidate_document(entity)


def _reason_to_go(event: Event, now: datetime) -> WithdrawalReason | None:
    if isinstance(event, Erased):
        return WithdrawalReason.ERASED
    if event.entity.status is Status.CLOSED:
        return WithdrawalReason.CLOSED
    if isinstance(event.entity, Vacancy) and event.entity.expires_at and event.entity.expires_at <= now:
        return WithdrawalReason.EXPIRED
    return None


def _withdrawing_revision(what: Event | Entity, reason: WithdrawalReason, stored: int | None) -> int:
    """Of an entity taken out at the revision that was matched, the matches of that revision end too."""
    ends_its_own = reason is not WithdrawalReason.SUPERSEDED and stored == what.revision
    return what.revision + 1 if ends_its_own else what.revision


def _split(row: Row) -> tuple[Row, float]:
    return row[:-1], float(row[-1])


def _is_current(what: Event | Entity, stored_revision: int | None) -> bool:
    return stored_revision is None or stored_revision <= what.revision

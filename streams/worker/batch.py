"""The batch runner. It alone knows the order of the stages, the retries, and what happens to poison.

receive -> encode -> upsert -> search -> match -> publish -> settle. What repeats a stored entity stops before
encode. The caller acks when `run` returns. An exception out of `run` means that nothing was acked and the
process must end: the broker will deliver the batch again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TypeVar

import structlog

from rolecall.encoder.model import Encoder
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from rolecall.schemas.receive import edition_of
from rolecall.streams.events.receive import Entity, Erased, Event, Limits, Published, Reject, newest, receive
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import (
    Outgoing,
    dead_letter,
    erasure_copy,
    is_copy,
    match_record,
    withdrawal_record,
)
from rolecall.streams.events.withdrawals import Ended, reason_to_go, withdrawals
from rolecall.streams.index import verdicts
from rolecall.streams.index.port import Index, Listing, Point, Repetition
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.matching.card import Embedded, digest_of
from rolecall.streams.matching.match import listed
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import MatchList, Place
from rolecall.streams.monitor.tally import Tally
from rolecall.streams.retry import patiently
from rolecall.streams.worker.embed import Embedder
from rolecall.streams.worker.embedding_cache import Cache, forget
from rolecall.streams.worker.exclusion_rules import forget_anchors
from rolecall.streams.worker.lists import REACH, Lists
from rolecall.streams.worker.members import members_of
from rolecall.streams.worker.occupations import References
from rolecall.streams.worker.poison import Streak, sift
from rolecall.streams.worker.search import Search

log = structlog.get_logger()

T = TypeVar("T")

PART = 64  # events of a batch that go through together
LONG_TO_READ = 1_000_000  # bytes of a batch; reading more would keep the event loop from its heartbeats


@dataclass(frozen=True, slots=True)
class Done:
    """What the attempts of a part have done so far."""

    found: dict[str, tuple[Repetition, MatchList]] = field(default_factory=dict)  # by id, the lists of events
    before: dict[str, Point] = field(default_factory=dict)  # by id, what was stored before the first attempt
    left: dict[str, dict[str, Place]] = field(default_factory=dict)  # by id, its places, by the list's id
    written: dict[str, Ended] = field(default_factory=dict)  # by id, what was written to the index, and why


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
        """rehearses: whether this deployment is being built beside the live one (see `withdrawals`)."""
        self._encoder = encoder
        self._embedder = Embedder(encoder, cache)
        self._index = index
        self._search = Search(encoder, index, policy, retry_seconds)
        self.lists = Lists(
            encoder=encoder,
            index=index,
            search=self._search,
            publisher=publisher,
            policy=policy,
            retry_seconds=retry_seconds,
            now=now,
        )
        self._references = References(index, policy.min_reference_score)
        self._publisher = publisher
        self._policy = policy
        self._limits = limits
        self._cache = cache
        self._retry_seconds = retry_seconds
        self._streaks = {side: Streak(max_poison_in_a_row) for side in Side}
        self._rehearses = rehearses
        self._now = now

    async def run(self, side: Side, records: Sequence[Record]) -> Tally:
        """Bring every record to its effect or to the dead letters. Raises `FatalError`."""
        now = self._now()
        tally = Tally(side, len(records))
        with tally.timed(Stage.RECEIVE):
            if sum(len(record.value or b"") for record in records) > LONG_TO_READ:
                events, rejects = await asyncio.to_thread(receive, side, records, self._limits)
            else:
                events, rejects = receive(side, records, self._limits)
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
        await self.lists.catch_up()
        for reject in rejects:
            log.warning(
                "dead_letter",
                topic=reject.record.topic,
                partition=reject.record.partition,
                offset=reject.record.offset,
                stage=reject.stage,
                # Only messages of the contract itself are sure not to quote the text.
                reason=reject.message if reject.stage is Stage.RECEIVE else reject.exception,
            )
        return tally

    async def _bring(self, side: Side, events: Sequence[Event], now: datetime, tally: Tally) -> list[Reject]:
        """Parts run side by side: while one waits for the index, another uses the processor."""
        done = Done()
        outgoing, poison = await sift(
            events, lambda some: self._effects(side, some, now, tally, done), lambda: tally.stage
        )
        letters = {id(reject.record) for reject in poison}
        lost = [
            done.written[each.id] for each in events if each.id in done.written and id(each.record) in letters
        ]
        outgoing += map(withdrawal_record, self._withdrawn_with_letter(side, lost, now))
        await self._publish(outgoing, tally)
        lists = {entity_id: found for entity_id, (_, found) in done.found.items()}
        with tally.timed(Stage.UPSERT):
            if done.found:
                listings = [self._listing(news, found) for news, found in done.found.values()]
                overtaken = await self._patiently(partial(self._index.settle, side, listings), tally)
                self.lists.due(side, (id for id, other in overtaken.items() if other))
                # What was replaced meanwhile has left again what it entered.
                lists = {id: each for id, each in lists.items() if overtaken.get(id, each)}
            await self._patiently(partial(self.lists.published, side, lists, done.left), tally)
        return poison

    def _withdrawn_with_letter(
        self, side: Side, lost: Sequence[Ended], now: datetime
    ) -> Iterator[MatchesWithdrawn]:
        """Poison that was found after its write: it has replaced what older matches speak of."""
        stored = {what.id: what.revision for what, _ in lost}
        return withdrawals(side, lost, stored, now, rehearses=self._rehearses())

    async def _publish(self, records: Sequence[Outgoing], tally: Tally) -> None:
        with tally.timed(Stage.PUBLISH):
            await self._patiently(partial(self._publisher.publish, records), tally)

    async def _effects(
        self, side: Side, events: Sequence[Event], now: datetime, tally: Tally, done: Done
    ) -> list[Outgoing]:
        """Upsert, then search: of two events that arrive together on two workers, one sees the other."""
        reasons = {event.id: reason for event in events if (reason := reason_to_go(event, now))}
        leaving = [event for event in events if event.id in reasons]
        staying = [
            event.entity for event in events if isinstance(event, Published) and event.id not in reasons
        ]
        editions = {entity.id: edition_of(entity) for entity in staying}
        news = await self._news(side, staying, editions, tally)
        staying = [entity for entity in staying if entity.id in news]
        embedded = [
            replace(
                each,
                edition=editions[each.entity.id],
                digest=news[each.entity.id].digest,
                duplicate_key=self._policy.duplicate_key(each.entity),
            )
            for each in await self._embed(staying, tally)
        ]
        points = [Point(event.id, event.revision) for event in leaving]
        points += [self._search.point(each) for each in embedded]
        stored = await self._replace(side, points, tally, done)
        self._tell_stale_erasures(leaving, stored)
        leaving = [event for event in leaving if _is_current(event, stored)]
        await self._forget_erased(side, [event for event in leaving if isinstance(event, Erased)], tally)
        await self._forget_stale(embedded, stored)
        embedded = [each for each in embedded if _is_current(each.entity, stored)]
        done.written.update((event.id, (event, reasons[event.id])) for event in leaving)
        done.written.update((e.entity.id, (e.entity, WithdrawalReason.SUPERSEDED)) for e in embedded)
        await self._note_left(side, points, stored, done, tally)
        lists = await self._lists(side, embedded, now, tally)
        found = await self._matches(embedded, lists, now, tally)
        tally.stale += len(points) - len(embedded) - len(leaving)
        tally.removed += len(leaving)
        ended: list[Ended] = [
            (event, reasons[event.id])
            for event in leaving
            if self._rehearses() or not _was_erased_already(event, stored)
        ]
        ended += [(each.entity, WithdrawalReason.SUPERSEDED) for each in embedded]
        withdrawn = [*withdrawals(side, ended, stored, now, rehearses=self._rehearses())]
        for each, its in zip(embedded, lists, strict=True):
            done.found[each.entity.id] = news[each.entity.id], its
        return [*map(withdrawal_record, withdrawn), *found, *_copies(leaving)]

    async def _forget_erased(self, side: Side, erased: Sequence[Erased], tally: Tally) -> None:
        """What other spaces of the index keep of them."""
        if not erased:
            return
        dims, revisions = self._encoder.dims, {event.id: event.revision for event in erased}
        with tally.timed(Stage.UPSERT):
            forget = partial(forget_anchors, self._index, side, revisions, dims)
            for rule in await self._patiently(forget, tally):
                remedy = "its anchor was erased, and it excludes nothing now; give the anchor as a text"
                log.warning("rule_lost_anchor", rule=rule, remedy=remedy)
            await self._patiently(partial(verdicts.erase, self._index, dims, side, revisions), tally)

    def _tell_stale_erasures(self, leaving: Sequence[Event], stored: Mapping[str, int | None]) -> None:
        """Logs an erasure without effect, because somebody asked for it. A replay has such erasures too."""
        for event in leaving:
            if isinstance(event, Erased) and not _is_current(event, stored) and not self._rehearses():
                log.warning(
                    "erasure_stale",
                    topic=event.record.topic,
                    partition=event.record.partition,
                    offset=event.record.offset,
                    revision=event.revision,
                    stored_revision=stored[event.id],
                    remedy="nothing was erased; if it is to be, send it again with the current time",
                )

    async def _news(
        self, side: Side, entities: Sequence[Entity], editions: Mapping[str, str], tally: Tally
    ) -> dict[str, Repetition]:
        """The entities that do not repeat what is stored, by id, each as a later event may repeat it.

        During a rollout or rebuild every entity is news: the live index may have withdrawn matches for
        revisions that this index never held.
        """
        asked = [
            Repetition(entity.id, entity.revision, digest_of(editions[entity.id], self._policy.fingerprint))
            for entity in entities
        ]
        repeated: set[str] = set()
        if entities and not self._rehearses():
            with tally.timed(Stage.UPSERT):
                repeated = await self._patiently(partial(self._index.repeated, side, asked), tally)
            tally.unchanged += len(repeated)
        return {each.id: each for each in asked if each.id not in repeated}

    async def _embed(self, entities: Sequence[Entity], tally: Tally) -> list[Embedded]:
        """With the occupation that each is nearest to."""
        with tally.timed(Stage.ENCODE):
            embedded = await self._embedder.embed(entities, tally)
        with tally.timed(Stage.SEARCH):
            nearest = partial(self._references.nearest, [each.vector for each in embedded])
            occupations = await self._patiently(nearest, tally)
        return [
            each if occupation is None else replace(each, occupation=occupation)
            for each, occupation in zip(embedded, occupations, strict=True)
        ]

    async def _replace(
        self, side: Side, points: Sequence[Point], tally: Tally, done: Done
    ) -> dict[str, int | None]:
        """Write the points. Returns the revisions that were stored before, by id."""
        with tally.timed(Stage.UPSERT):
            unread = [each.id for each in points if each.id not in done.before]
            before = await self._patiently(partial(self._index.fetch, side, unread), tally)
            done.before.update({id: before.get(id, Point(id, -1)) for id in unread})
            if self._cache is not None:
                await forget(self._cache, done.before, points)
            revisions = await self._patiently(partial(self._index.upsert, side, points), tally)
        return dict(zip((each.id for each in points), revisions, strict=True))

    async def _note_left(
        self, side: Side, points: Sequence[Point], stored: Mapping[str, int | None], done: Done, tally: Tally
    ) -> None:
        """The other side's lists that the points may have left."""
        written = [each for each in points if (stored[each.id] or 0) <= each.revision]
        if any(
            stored[each.id] not in (None, each.revision, done.before[each.id].revision) for each in written
        ):
            self.lists.sweep(lost=True)  # another writer came between: nobody knows what it had written
        before = [was for each in written if (was := done.before[each.id]).vector is not None]
        with tally.timed(Stage.SEARCH):
            left = await self._patiently(partial(self.lists.left, side, before), tally)
        for was, ids in zip(before, left, strict=True):
            done.left.setdefault(was.id, {}).update(ids)

    async def _lists(
        self, side: Side, embedded: Sequence[Embedded], now: datetime, tally: Tally
    ) -> list[MatchList]:
        reach = REACH if self._policy.max_entered else 0
        return await self._search.lists(side, embedded, now, tally, reach=reach)

    async def _matches(
        self, embedded: Sequence[Embedded], lists: Sequence[MatchList], now: datetime, tally: Tally
    ) -> list[Outgoing]:
        found: list[Outgoing] = []
        async with self._search.match_stage(tally):
            for each, its in zip(embedded, lists, strict=True):
                published = its.best + its.duplicates + its.entered
                found += map(match_record, listed(self._encoder, each, published, now))
                await asyncio.sleep(0)
        tally.upserted += len(embedded)
        tally.certainties += (each.certainty for each in embedded)
        tally.vectors += (each.vector for each in embedded)
        tally.located += (each.occupation for each in embedded if each.occupation is not None)
        tally.matches += len(found)
        return found

    async def _forget_stale(self, embedded: Sequence[Embedded], stored: Mapping[str, int | None]) -> None:
        """A stale entity was not written, so no later write will find its row in the cache."""
        if self._cache is not None:
            stale = (each for each in embedded if not _is_current(each.entity, stored))
            await self._cache.forget([each.content for each in stale if each.content])

    def _listing(self, news: Repetition, found: MatchList) -> Listing:
        members = members_of(found, self._policy)
        return Listing(news.id, news.revision, news.digest, 0, found.floor, found.held, members)

    async def _patiently(self, attempt: Callable[[], Awaitable[T]], tally: Tally) -> T:
        answer, retries = await patiently(attempt, tally.stage, self._retry_seconds)
        tally.retries += retries
        return answer


def _copies(leaving: Iterable[Event]) -> Iterator[Outgoing]:
    for event in leaving:
        if isinstance(event, Erased) and not is_copy(event.record):
            yield erasure_copy(event.record)


def _was_erased_already(event: Event, stored: Mapping[str, int | None]) -> bool:
    """By the erasure that this one is a copy of."""
    return isinstance(event, Erased) and is_copy(event.record) and stored[event.id] == event.revision


def _is_current(what: Event | Entity, stored: Mapping[str, int | None]) -> bool:
    revision = stored[what.id]
    return revision is None or revision <= what.revision

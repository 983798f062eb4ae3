"""Keep the lists of stored entities true while others come, change and go.

A pair belongs while one of the two is among the best `top_k` of the other. The event of an entity publishes
its own list, and the pairs in which it enters a list of the other side (`Search.lists`). What is left is done
here:

- The floor of a list goes up with what enters it (`members.py`).
- An entity that leaves a list, because it is gone or has changed, frees a place. Unless enough members are
  known, the list is searched again, beside the events.
- After every rebalance, every list is searched once: a worker may have ended with lists still to do.

Why no pair is missed, with any number of workers. A point has a `floor` and a value `held`. What reaches the
floor is published by its own event. What scores `held` or more is published. So nothing is missing while
`held` is no higher than the last place. A search that finds a lower last place first lowers the floor, then
searches again: what arrives after the floor is lowered publishes itself, and the second search sees the rest.
Two writes of one list exclude each other by `listed`: the later one does nothing. Whoever raises `held`
relies on the scores of the members. So an event that takes a member out, lowers its score or changes its
duplicate key writes the list as it is, or has it searched. Then a floor that relies on the older score is not
written any more. If it was written before, this write fails, and the list is searched again.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

import structlog

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.errors import FatalError, TransientError
from rolecall.streams.events.records import MatchFields, Outgoing, match_record
from rolecall.streams.index.port import UNREACHABLE, Hit, Index, Listing, Point
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.matching.card import Embedded, stored
from rolecall.streams.matching.match import listed
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import (
    Found,
    MatchList,
    Place,
    above,
    compatible_hits,
    confidences,
    enters,
    merit,
    place_in,
    units_below,
)
from rolecall.streams.monitor.tally import ListCounts, Tally
from rolecall.streams.retry import patiently
from rolecall.streams.worker.members import Change, changes_of, members_of
from rolecall.streams.worker.search import Search

log = structlog.get_logger()

LISTS_AT_ONCE = 16  # an event that arrives waits for them
MARGIN = 2_000  # units; how far a floor is lowered before a list is searched for what it lacks
WRITES = 3  # of what happened to a list, when others write it too; after these it is searched
WRITTEN_TOGETHER = 500  # other requests wait for them
SHARE = 0.25  # of a worker's time, while events are processed
REACH = 10_000  # lists that are looked at for one entity
LEFT_AT_ONCE = 64  # entities whose lists are looked for in one request


@dataclass(slots=True)
class _Sweep:
    after: str | None
    lost: bool


class Lists:
    def __init__(
        self,
        *,
        encoder: Encoder,
        index: Index,
        search: Search,
        publisher: Publisher,
        policy: Policy,
        retry_seconds: float,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._encoder = encoder
        self._index = index
        self._publisher = publisher
        self._policy = policy
        self._retry_seconds = retry_seconds
        self._now = now
        self._search = search
        self._due: dict[Side, set[str]] = {side: set() for side in Side}
        self._sweeps: dict[Side, _Sweep] = {}
        self._again: bool | None = None  # a sweep that was asked for during another one
        # With a limit, a vacancy may be passed over, or give its place to another one of its employer.
        self._reckons = policy.max_per_employer is None
        self._wake = asyncio.Event()
        self._working = asyncio.Lock()
        self._pressing = False
        self._matches = 0
        self._cut = 0

    @property
    def counts(self) -> ListCounts:
        return ListCounts(self.behind, self._matches, self._cut)

    @property
    def behind(self) -> int:
        """How many lists are known to be due; a sweep counts as one more."""
        return sum(map(len, self._due.values())) + len(self._sweeps)

    def due(self, side: Side, ids: Iterable[str]) -> None:
        """A member left these lists, or is missing."""
        self._due[side].update(ids)
        self._wake.set()

    def sweep(self, *, lost: bool = False) -> None:
        """Every list is searched once, from now on. lost: members left many of them."""
        if self._sweeps:
            self._again = lost or bool(self._again)
        else:
            self._sweeps = {side: _Sweep(None, lost) for side in Side}
        self._wake.set()

    async def published(
        self, side: Side, lists: Mapping[str, MatchList], left: Mapping[str, Mapping[str, Place]]
    ) -> None:
        """Call it once the matches are published, and before the events are acknowledged.

        lists: by entity id. left: by entity id, the places that its older content may have had, by the list's
        id.
        """
        changes = changes_of(lists, left, reckons=self._reckons)
        for _ in range(WRITES):
            news = {id: each.listing() for id, each in changes.items()}
            due = {id for id, each in changes.items() if self._lacks(each, news[id])}
            self.due(side.other, due)
            write = [
                new
                for id, new in news.items()
                if id not in due and (changes[id].leaves or new != changes[id].place.listing)
            ]
            overtaken = await self._write(side.other, write)
            changes = {
                id: changes[id].again(stored)
                for id, stored in overtaken.items()
                if stored and changes[id].leaves
            }
        self.due(side.other, changes)
        self._cut += sum(bool(each.cut) or each.hidden for each in lists.values())
        if cut := {id for each in lists.values() for id in each.cut}:
            await self._doubt(side.other, cut)

    def _lacks(self, change: Change, news: Listing) -> bool:
        """Whether somebody that is not published may belong to the list."""
        if not change.lost:
            return False
        if not (self._reckons and change.place.settled):
            return True
        whole = not self._policy.book.soft and news.held <= change.place.least
        return not whole and not change.fills(news)

    async def _doubt(self, side: Side, ids: Collection[str]) -> None:
        """Note in the index that a pair of these lists is not published: a restart must not lose it."""
        doubted = ids
        while ids:
            points = await self._index.fetch(side, list(ids))
            stored = (
                Listing.stored(point.id, point.payload or {}) for point in points.values() if _live(point)
            )
            listings = [replace(each, held=UNREACHABLE) for each in stored]
            overtaken = await self._index.settle(side, listings, own=False)
            ids = [id for id, stored in overtaken.items() if stored]
        self.due(side, doubted)  # not before: a search of before the note could not know of it
        self._pressing = True

    async def left(self, side: Side, before: Sequence[Point]) -> list[dict[str, Place]]:
        """For each point that was replaced or taken out: its places in lists of the other side, by their ids.

        If these cannot be told, every list is searched again. What cannot be read of others must not keep an
        erasure from being done.
        """
        found: list[dict[str, Place]] = []
        try:
            for start in range(0, len(before), LEFT_AT_ONCE):
                found += await self._left(side, before[start : start + LEFT_AT_ONCE])
        except (FatalError, TransientError):
            raise
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("lists_unread", side=side, error=type(error).__name__)
            self.sweep(lost=True)
            return [{} for _ in before]
        return found

    async def _left(self, side: Side, before: Sequence[Point]) -> list[dict[str, Place]]:
        now = self._now()
        old = [_timeless(stored(side, point)) for point in before]
        # An exclusion rule or a verdict may be new, and the lists may be from before it.
        answers = await self._index.search(
            side.other, [self._search.reaching(each, REACH, now) for each in old]
        )
        if any(sum(hit.reaches for hit in hits) >= REACH for hits in answers):
            self.sweep(lost=True)
        found: list[list[Found]] = []
        for each, hits in zip(old, answers, strict=True):
            found.append(compatible_hits(each.entity, hits, now, self._policy.book))
            await asyncio.sleep(0)
        return self._places(old, found)

    def places(self, each: Embedded, hits: Sequence[Hit], now: datetime) -> dict[str, Place]:
        """Where it may stand in the lists of these hits, by their ids."""
        [places] = self._places([each], [compatible_hits(each.entity, hits, now, self._policy.book)])
        return places

    def _places(self, askers: Sequence[Embedded], found: Sequence[Sequence[Found]]) -> list[dict[str, Place]]:
        told = [(each.certainty, each.told, theirs) for each, theirs in zip(askers, found, strict=True)]
        sure = confidences(self._encoder, told, self._policy)
        return [
            {
                choice[0].hit.id: place_in(each, choice[0], self._encoder, self._policy)
                for choice in choices
                if enters(choice, self._policy)
            }
            for each, choices in zip(askers, sure, strict=True)
        ]

    async def keep(self, busy: Callable[[], bool]) -> None:
        """Until cancelled. Takes a share of the time while events are processed, else all of it."""
        while True:
            await self._wake.wait()
            started = time.perf_counter()
            if not await self.work():
                self._wake.clear()
            elif busy():
                await asyncio.sleep((time.perf_counter() - started) * (1 / SHARE - 1))

    async def catch_up(self) -> None:
        """Lists that were cut have low floors, and let too many enter: search them before the next events."""
        while self._pressing and await self.work():
            pass
        self._pressing = False

    async def work(self) -> bool:
        """Search some of the lists that are due. False if there are none."""
        async with self._working:
            return await self._work()

    async def _work(self) -> bool:
        for side, due in self._due.items():
            if some := list(islice(due, LISTS_AT_ONCE)):
                due.difference_update(some)
                await self._relist_sound(side, some, lost=True)
                return True
        for side, sweep in self._sweeps.items():
            page = partial(self._index.page, side, sweep.after, LISTS_AT_ONCE)
            (ids, sweep.after), _ = await patiently(page, "lists", self._retry_seconds)
            if sweep.after is None:
                del self._sweeps[side]
            await self._relist_sound(side, ids, lost=sweep.lost)
            return True
        if self._again is not None:
            again, self._again = self._again, None
            self.sweep(lost=again)
            return True
        return False

    async def _relist_sound(self, side: Side, ids: Sequence[str], *, lost: bool) -> None:
        """A list that cannot be searched keeps no other one from it, and no worker from its work."""
        try:
            await self._relist(side, ids, lost=lost)
        except FatalError:
            raise
        except Exception as error:  # noqa: BLE001 - see above; the index may be asked for too much at once
            if len(ids) == 1:
                log.warning("list_skipped", side=side, error=type(error).__name__)
                return
            for id in ids:
                await self._relist_sound(side, [id], lost=lost)

    async def _relist(self, side: Side, ids: Sequence[str], *, lost: bool) -> None:
        points, _ = await patiently(partial(self._index.fetch, side, ids), "lists", self._retry_seconds)
        lists = [_List(stored(side, point), point) for point in points.values() if _live(point)]
        own = [each for each in lists if not each.settled]  # its own event is under way, and lists it
        await self._settle(side, [each.listing for each in own])
        lists = [each for each in lists if each.settled]
        if lost:
            overtaken = await self._open(side, [each for each in lists if each.listing.held < UNREACHABLE])
            lists = [each for each in lists if each.listing.id not in overtaken]
        while lists:
            tally = Tally(side, 0)
            embedded = [each.embedded for each in lists]
            found = await self._search.lists(side, embedded, self._now(), tally, longer=self._reckons)
            for each, of_it in zip(lists, found, strict=True):
                policy = self._policy.of(each.embedded.entity)
                each.found = above(of_it, each.listing.floor, policy)
            low = [each for each in lists if each.found and each.found.floor < each.listing.floor]
            await self._publish(side, [each for each in lists if each not in low])
            overtaken = await self._open(side, low)
            lists = [each for each in low if each.listing.id not in overtaken]

    async def _open(self, side: Side, lists: Sequence["_List"]) -> Collection[str]:
        """Lower the floor, so that what arrives from now on publishes itself. As `_settle`."""
        listings = []
        for each in lists:
            was = each.listing
            last = was.held if each.found is None else each.found.floor
            least = min(self._search.threshold(each.embedded), last)
            opened = replace(was, floor=min(was.floor, max(least, last - MARGIN)))
            listings.append(opened)
            each.listing = replace(opened, listed=was.listed + 1)
        return await self._settle(side, listings)

    async def _publish(self, side: Side, lists: Sequence["_List"]) -> None:
        records: list[Outgoing] = []
        news: list[Listing] = []
        for each in lists:
            assert each.found is not None
            policy = self._policy.of(each.embedded.entity)
            records += map(match_record, each.matches(self._encoder, policy, self._now()))
            members = members_of(each.found, self._policy)
            listing = replace(each.listing, floor=each.found.floor, held=each.found.held, members=members)
            if listing != each.listing:
                news.append(listing)
        self._matches += len(records)
        await patiently(partial(self._publisher.publish, records), "lists", self._retry_seconds)
        await self._settle(side, news)

    async def _settle(self, side: Side, listings: Sequence[Listing]) -> Collection[str]:
        """Returns the lists that another write came between. They are due."""
        overtaken = await self._write(side, listings)
        self.due(side, (id for id, stored in overtaken.items() if stored))
        return overtaken

    async def _write(self, side: Side, listings: Sequence[Listing]) -> dict[str, Listing | None]:
        overtaken: dict[str, Listing | None] = {}
        for start in range(0, len(listings), WRITTEN_TOGETHER):
            part = listings[start : start + WRITTEN_TOGETHER]
            settle = partial(self._index.settle, side, part, own=False)
            found, _ = await patiently(settle, "lists", self._retry_seconds)
            overtaken |= found
        return overtaken


def _timeless(embedded: Embedded) -> Embedded:
    """As it was before it expired."""
    if not isinstance(embedded.entity, Vacancy):
        return embedded
    return replace(embedded, entity=embedded.entity.model_copy(update={"expires_at": None}))


def _live(point: Point) -> bool:
    return point.vector is not None and "card" in (point.payload or {})


class _List:
    """The list of one stored entity, as it is searched again."""

    def __init__(self, embedded: Embedded, point: Point) -> None:
        payload = point.payload or {}
        self.embedded = embedded
        self.listing = Listing.stored(point.id, payload)
        self.settled = payload.get("settled") == payload.get("since")
        self.found: MatchList | None = None

    def matches(self, encoder: Encoder, policy: Policy, now: datetime) -> Iterator[MatchFields]:
        """Those of the list that nobody may have published."""
        assert self.found is not None
        best = self.found.best + self.found.duplicates
        whole = policy.max_per_employer is not None  # one that was passed over may be in it now
        for (found, _), match in zip(best, listed(encoder, self.embedded, best, now), strict=True):
            if whole or units_below(merit(found, policy)) < self.listing.held:
                yield match

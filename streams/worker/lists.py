"""Keep the lists of stored entities true while others come, change and go.

A pair belongs while one of the two is among the best `top_k` of the other. The event of an entity publishes
its own list, and the pairs in which it enters a list of the other side (`Search.lists`). What is left is done
here, beside the events:

- An entity that leaves a list, because it is gone or has changed, frees a place: the list is searched again.
- A list that many have entered has a floor that is too low, and lets too many enter: it is searched again.
- After every rebalance, every list is searched once: a worker may have ended with lists still to do.

Why no pair is missed, with any number of workers. A point has a `floor` and a value `held`. What reaches the
floor is published by its own event. What scores `held` or more is published. So nothing is missing while
`held` is no higher than the last place. A search that finds a lower last place first lowers the floor, then
searches again: what arrives after the floor is lowered publishes itself, and the second search sees the rest.
After `held` was raised, the list is searched once more, because a member may have left during the search.
Two searches of one list exclude each other by `listed`: the later write does nothing, and its list is due.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial

import structlog

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.errors import FatalError, TransientError
from rolecall.streams.events.records import MatchFields, Outgoing, match_record
from rolecall.streams.index.port import UNREACHABLE, Index, Listing, Point
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.matching.card import Embedded, stored
from rolecall.streams.matching.match import listed
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import (
    MatchList,
    compatible_hits,
    confidences,
    enters,
    merit,
    units_below,
)
from rolecall.streams.monitor.tally import ListCounts, Tally
from rolecall.streams.retry import patiently
from rolecall.streams.worker.search import Search

log = structlog.get_logger()

LISTS_AT_ONCE = 16  # an event that arrives waits for them
ENTERED_BEFORE_RAISE = 10  # a list that so many have entered gets a higher floor
CROWD = 200  # lists of the other side that an event enters; more are a sign of floors that are too low
MARGIN = 500  # units; how far a floor is lowered before a list is searched for what it lacks
SHARE = 0.25  # of a worker's time, while events are processed
REACH = 10_000  # lists that are looked at for one entity
LEFT_AT_ONCE = 16  # entities whose lists are looked for in one request


class Due(IntEnum):
    """Why a list is searched again; of two reasons the higher counts."""

    VERIFY = 0  # its floor was raised: is it still full above it?
    RAISE = 1  # its floor may be too low
    LOST = 2  # a member left, or is missing


@dataclass(slots=True)
class _Sweep:
    after: str | None
    due: Due


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
        self._due: dict[Side, dict[str, Due]] = {side: {} for side in Side}
        self._sweeps: dict[Side, _Sweep] = {}
        self._again: Due | None = None  # a sweep that was asked for during another one
        self._entered: Counter[tuple[Side, str]] = Counter()
        self._wake = asyncio.Event()
        self._working = asyncio.Lock()
        self._crowded = False
        self._matches = 0
        self._cut = 0

    @property
    def counts(self) -> ListCounts:
        return ListCounts(self.behind, self._matches, self._cut)

    @property
    def behind(self) -> int:
        """How many lists are known to be due; a sweep counts as one more."""
        return sum(map(len, self._due.values())) + len(self._sweeps)

    def due(self, side: Side, ids: Iterable[str], why: Due) -> None:
        due = self._due[side]
        for id in ids:
            due[id] = max(why, due.get(id, why))
        self._wake.set()

    def sweep(self, why: Due = Due.RAISE) -> None:
        """Every list is searched once, from now on."""
        if self._sweeps:
            self._again = why if self._again is None else max(why, self._again)
        else:
            self._sweeps = {side: _Sweep(None, why) for side in Side}
        self._wake.set()

    async def entered(self, side: Side, lists: Sequence[MatchList]) -> None:
        """What the events of `side` publish. Call it before they are acknowledged."""
        for each in lists:
            for found, _ in each.entered:
                key = side.other, found.hit.id
                self._entered[key] += 1
                if self._entered[key] >= ENTERED_BEFORE_RAISE:
                    del self._entered[key]
                    self.due(side.other, [found.hit.id], Due.RAISE)
        self._cut += sum(bool(each.cut) or each.hidden for each in lists)
        self._crowded |= sum(len(each.entered) for each in lists) > CROWD * len(lists)
        if cut := {id for each in lists for id in each.cut}:
            await self._doubt(side.other, cut)

    async def _doubt(self, side: Side, ids: Collection[str]) -> None:
        """Note in the index that a pair of these lists is not published: a restart must not lose it."""
        doubted = ids
        while ids:
            points = await self._index.fetch(side, list(ids))
            listings = [
                replace(each.listing(each.floor), held=UNREACHABLE)
                for each in (
                    _List(stored(side, point), point, Due.LOST) for point in points.values() if _live(point)
                )
            ]
            ids = await self._index.settle(side, listings, own=False)
        self.due(side, doubted, Due.LOST)  # not before: a search of before the note could not know of it

    async def left(self, side: Side, before: Sequence[Point]) -> list[set[str]]:
        """For each point that was replaced or taken out: the other side's lists that it may have stood in.

        If these cannot be told, every list is searched again. What cannot be read of others must not keep an
        erasure from being done.
        """
        found: list[set[str]] = []
        try:
            for start in range(0, len(before), LEFT_AT_ONCE):
                found += await self._left(side, before[start : start + LEFT_AT_ONCE])
        except (FatalError, TransientError):
            raise
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("lists_unread", side=side, error=type(error).__name__)
            self.sweep(Due.LOST)
            return [set() for _ in before]
        return found

    async def _left(self, side: Side, before: Sequence[Point]) -> list[set[str]]:
        now, book = self._now(), self._policy.book
        old = [_timeless(stored(side, point)) for point in before]
        answers = await self._index.search_allowed(
            side.other,
            [self._search.reaching(each, REACH, now) for each in old],
        )
        if any(sum(hit.reaches for hit in hits) >= REACH for hits in answers):
            self.sweep(Due.LOST)
        found = []
        for each, hits in zip(old, answers, strict=True):
            compatible = compatible_hits(each.entity, hits, now, book)
            sure = confidences(self._encoder, each.certainty, each.told, compatible, self._policy)
            found.append({choice[0].hit.id for choice in sure if enters(choice, self._policy)})
            await asyncio.sleep(0)
        return found

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
        """If events enter very many lists, floors are too low: search what is due before more events come."""
        while self._crowded and await self.work():
            pass
        self._crowded = False

    async def work(self) -> bool:
        """Search some of the lists that are due. False if there are none."""
        async with self._working:
            return await self._work()

    async def _work(self) -> bool:
        for side, due in self._due.items():
            if some := dict(list(due.items())[:LISTS_AT_ONCE]):
                for id in some:
                    del due[id]
                await self._relist_sound(side, some)
                return True
        for side, sweep in self._sweeps.items():
            page = partial(self._index.page, side, sweep.after, LISTS_AT_ONCE)
            (ids, sweep.after), _ = await patiently(page, "lists", self._retry_seconds)
            if sweep.after is None:
                del self._sweeps[side]
                self._entered.clear()
            await self._relist_sound(side, dict.fromkeys(ids, sweep.due))
            return True
        if self._again is not None:
            again, self._again = self._again, None
            self.sweep(again)
            return True
        return False

    async def _relist_sound(self, side: Side, due: Mapping[str, Due]) -> None:
        """A list that cannot be searched keeps no other one from it, and no worker from its work."""
        try:
            await self._relist(side, due)
        except FatalError:
            raise
        except Exception as error:  # noqa: BLE001 - see above; the index may be asked for too much at once
            if len(due) == 1:
                log.warning("list_skipped", side=side, error=type(error).__name__)
                return
            for id, why in due.items():
                await self._relist_sound(side, {id: why})

    async def _relist(self, side: Side, due: Mapping[str, Due]) -> None:
        points, _ = await patiently(partial(self._index.fetch, side, list(due)), "lists", self._retry_seconds)
        lists = [
            _List(stored(side, point), point, due[point.id]) for point in points.values() if _live(point)
        ]
        for each in lists:
            del self._entered[side, each.id]
        own = [each for each in lists if not each.settled]  # its own event is under way, and lists it
        await self._settle(side, [each.listing(each.floor) for each in own])
        lists = [each for each in lists if each.settled]
        lost = [each for each in lists if each.due is Due.LOST and each.held < UNREACHABLE]
        overtaken = await self._open(side, lost)
        lists = [each for each in lists if each.id not in overtaken]
        while lists:
            tally = Tally(side, 0)
            found = await self._search.lists(side, [each.embedded for each in lists], self._now(), tally)
            for each, of_it in zip(lists, found, strict=True):
                each.found = of_it
            low = [each for each, of_it in zip(lists, found, strict=True) if of_it.floor < each.floor]
            await self._publish(side, [each for each in lists if each not in low])
            overtaken = await self._open(side, low)
            lists = [each for each in low if each.id not in overtaken]

    async def _open(self, side: Side, lists: Sequence["_List"]) -> set[str]:
        """Lower the floor, so that what arrives from now on publishes itself. As `_settle`."""
        listings = []
        for each in lists:
            last = each.held if each.found is None else each.found.floor
            each.floor = min(each.floor, max(min(self._search.threshold(each.embedded), last), last - MARGIN))
            listings.append(each.listing(each.floor))
            each.listed += 1
        return await self._settle(side, listings)

    async def _publish(self, side: Side, lists: Sequence["_List"]) -> None:
        records: list[Outgoing] = []
        listings: list[Listing] = []
        raised: list[str] = []
        for each in lists:
            found = each.found
            assert found is not None
            if each.due is Due.VERIFY and found.held >= each.held:
                continue
            policy = self._policy.of(each.embedded.entity)
            whole = policy.max_per_employer is not None  # one that was passed over may be in it now
            records += map(match_record, each.matches(self._encoder, policy, whole, self._now()))
            if found.held > each.held:
                raised.append(each.id)
            if (found.floor, found.held) != (each.floor, each.held):
                listings.append(replace(each.listing(found.floor), held=found.held))
        self._matches += len(records)
        await patiently(partial(self._publisher.publish, records), "lists", self._retry_seconds)
        await self._settle(side, listings)
        self.due(side, raised, Due.VERIFY)

    async def _settle(self, side: Side, listings: Sequence[Listing]) -> set[str]:
        """Returns the lists that another search came between. They are due again."""
        if not listings:
            return set()
        settle = partial(self._index.settle, side, listings, own=False)
        overtaken, _ = await patiently(settle, "lists", self._retry_seconds)
        self.due(side, overtaken, Due.LOST)
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

    def __init__(self, embedded: Embedded, point: Point, due: Due) -> None:
        payload = point.payload or {}
        self.id = point.id
        self.embedded = embedded
        self.due = due
        self.since = int(str(payload["since"]))
        self.digest = str(payload.get("digest", ""))
        self.listed = int(str(payload.get("listed", 0)))
        self.floor = int(str(payload.get("floor", UNREACHABLE)))
        self.held = int(str(payload.get("held", UNREACHABLE)))
        self.settled = payload.get("settled") == self.since
        self.found: MatchList | None = None

    def matches(self, encoder: Encoder, policy: Policy, whole: bool, now: datetime) -> Iterator[MatchFields]:
        """Those of the list that nobody may have published."""
        assert self.found is not None
        best = self.found.best
        for (found, _), match in zip(best, listed(encoder, self.embedded, best, now), strict=True):
            if whole or units_below(merit(found, policy)) < self.held:
                yield match

    def listing(self, floor: int) -> Listing:
        return Listing(self.id, self.since, self.digest, self.listed, floor, self.held)

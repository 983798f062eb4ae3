"""Pairs that were turned down: whoever was dismissed, rejected or hired leaves the other's list.

A verdict is processed in this order: write it, fetch both entities, take each out of the other's list, and
withdraw the match. An event is processed in this order: write the entity, search, read the verdicts. If the
event does not see the verdict, the verdict was written after the event's search. So the index held both
entities when they were fetched here, and both lists are written or due before the verdict is acknowledged.
The event writes what it found to the lists on condition that nobody has written them since its search
(`Listing.listed`). So either its write comes later and does nothing, or it comes earlier and is seen here.
The same holds for a list that is searched again. A withdrawal counts whether it comes before or after the
match.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from pydantic import ValidationError

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from rolecall.streams.events.receive import TurnedDown
from rolecall.streams.events.records import Outgoing, withdrawal_record
from rolecall.streams.index import verdicts
from rolecall.streams.index.port import SCORE_UNITS, Hit, Index, Point
from rolecall.streams.index.verdicts import Given, least_since
from rolecall.streams.matching.card import stored
from rolecall.streams.matching.ranking import Place
from rolecall.streams.worker.lists import Lists

log = structlog.get_logger()

ROUNDING = 2 / SCORE_UNITS  # of scores, by engines: who may stand in a list counts as standing in it

Pair = tuple[str, str]  # vacancy id, candidate id
Points = Mapping[Side, Mapping[str, Point]]


class TurnedDownPairs:
    def __init__(self, encoder: Encoder, index: Index, lists: Lists) -> None:
        self._dims = encoder.dims
        self._index = index
        self._lists = lists

    async def apply(self, events: Sequence[TurnedDown], now: datetime) -> list[Outgoing]:
        """A verdict that is known already is applied again: its withdrawal may never have been published."""
        given = {(event.vacancy_id, event.candidate_id): event.revision for event in events}
        points = await self._points(given)
        if holding := _holding(given, points):
            await self._add(holding, points)
            points = await self._points(given)
            holding = _holding(holding, points)
        # Whatever was changed or erased meanwhile: the erasure may have looked for verdicts before.
        await verdicts.remove(self._index, self._dims, {pair: given[pair] for pair in given.keys() - holding})
        for side in Side:
            await self._leave(side, holding, points, now)
        return [withdrawal_record(_withdrawal(pair, time, now)) for pair, time in holding.items()]

    async def _add(self, given: Given, points: Points) -> None:
        since = {
            verdicts.name(side, pair[place]): least_since(points[side].get(pair[place]))
            for pair in given
            for place, side in enumerate(Side)
        }
        if dropped := await verdicts.add(self._index, self._dims, given, since):
            log.warning("verdicts_dropped", verdicts=dropped, most_of_one_entity=verdicts.MOST)

    async def _points(self, pairs: Collection[Pair]) -> Points:
        return {
            side: await self._index.fetch(side, sorted({pair[place] for pair in pairs}))
            for place, side in enumerate(Side)
        }

    async def _leave(self, side: Side, pairs: Iterable[Pair], points: Points, now: datetime) -> None:
        """Each entity of this side leaves the list of its counterpart."""
        left: dict[str, dict[str, Place]] = {}
        for pair in pairs:
            id, other = pair if side is Side.VACANCY else pair[::-1]
            mine, theirs = points[side].get(id), points[side.other].get(other)
            if mine is not None and theirs is not None:
                left.setdefault(id, {}).update(self._place(side, mine, theirs, now))
        await self._lists.published(side, {}, left)

    def _place(self, side: Side, mine: Point, theirs: Point, now: datetime) -> dict[str, Place]:
        if mine.vector is None or theirs.vector is None:
            return {}
        score = float(mine.vector @ theirs.vector) + ROUNDING
        hit = Hit(theirs.id, theirs.revision, score, theirs.payload or {})
        try:
            return self._lists.places(stored(side, mine), [hit], now)
        except ValidationError:  # a card that cannot be read
            self._lists.due(side.other, [theirs.id])
            return {}


def _holding(given: Given, points: Points) -> dict[Pair, int]:
    """Those that hold, as far as both entities are known."""
    return {
        pair: time
        for pair, time in given.items()
        if all(time >= least_since(points[side].get(id)) for side, id in zip(Side, pair, strict=True))
    }


def _withdrawal(pair: Pair, time: int, now: datetime) -> MatchesWithdrawn:
    vacancy, candidate = pair
    return MatchesWithdrawn(
        side=Side.VACANCY,
        entity_id=vacancy,
        revision=time,
        reason=WithdrawalReason.TURNED_DOWN,
        occurred_at=now,
        counterparts={candidate: time},
    )

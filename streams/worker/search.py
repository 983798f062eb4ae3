"""Search the other side, deeper where the hard rules left a list short."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from rolecall.encoder.model import Encoder
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Side
from rolecall.streams.index.areas import DEEPER, MAX_DEPTH
from rolecall.streams.index.port import SCORE_UNITS, Hit, Index, Lookup, Point, Query
from rolecall.streams.index.verdicts import Times, verdicts
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import (
    Choice,
    Found,
    MatchList,
    bounds,
    compatible_hits,
    confidences,
    duplicates_of,
    enters,
    given_since,
    is_filled,
    kind_of,
    least_scores,
    merit,
    place_in,
    ranked,
    standing,
    wanted,
)
from rolecall.streams.monitor.tally import Tally
from rolecall.streams.retry import patiently

OVERFETCH = 1.2  # of the first search; a deeper one follows only where the rules left the list short


class Search:
    def __init__(self, encoder: Encoder, index: Index, policy: Policy, retry_seconds: float) -> None:
        self._encoder = encoder
        self._index = index
        self._policy = policy
        self._retry_seconds = retry_seconds
        self._matching = asyncio.Lock()
        self._any_verdict = False

    async def lists(
        self,
        side: Side,
        embedded: Sequence[Embedded],
        now: datetime,
        tally: Tally,
        *,
        reach: int = 0,
        longer: bool = False,
    ) -> list[MatchList]:
        """The list of each: searched deep enough to fill `top_k` wherever that many have the confidence.

        reach: how many lists of the other side an entity may enter. longer: with members to spare.
        """
        asks = [self._asked(each, now, longer=longer) for each in embedded]
        pending = asks
        while pending:
            with tally.timed(Stage.SEARCH):
                queries = [ask.query(reach if pending is asks else 0) for ask in pending]
                search = partial(self._index.search_allowed, side.other, queries)
                answers, retries = await patiently(search, tally.stage, self._retry_seconds)
                tally.retries += retries
                read = partial(self._verdicts, side, [ask.embedded.entity.id for ask in pending])
                times, retries = await patiently(read, tally.stage, self._retry_seconds)
                tally.retries += retries
            async with self.match_stage(tally):
                found: list[list[Found]] = []
                for ask, hits in zip(pending, answers, strict=True):
                    found.append(ask.compatible(hits, now, times.get(ask.embedded.entity.id, {})))
                    ask.hidden |= 0 < reach <= sum(hit.reaches for hit in hits)
                    await asyncio.sleep(0)
                told = [
                    (ask.embedded.certainty, ask.embedded.told, theirs)
                    for ask, theirs in zip(pending, found, strict=True)
                ]
                sure = confidences(self._encoder, told, self._policy)
                for ask, hits, choices in zip(pending, answers, sure, strict=True):
                    ask.take(hits, choices)
            pending = [ask for ask in pending if ask.short]
        return [ask.result() for ask in asks]

    async def _verdicts(self, side: Side, ids: Sequence[str]) -> dict[str, Times]:
        """Call it after each search: a verdict that it misses is written after the search, so whoever writes
        it finds both entities, and takes them out of each other's lists."""
        if self._policy.drop_turned_down and not self._any_verdict:
            self._any_verdict = await self._index.count(Lookup.VERDICT) > 0
        return await verdicts(self._index, side, ids) if self._any_verdict else {}

    def point(self, embedded: Embedded) -> Point:
        return point(
            embedded,
            self._policy.book,
            self.threshold(embedded),
            kind=kind_of(embedded.certainty, embedded.told),
            asks=self._policy.of(embedded.entity).min_confidence < self._policy.min_confidence,
        )

    def reaching(self, embedded: Embedded, reach: int, now: datetime) -> Query:
        """Whose lists it may enter, and nothing else."""
        condition = wanted(embedded.entity, now, self._policy.book)
        theirs = least_scores(self._encoder, embedded.certainty, embedded.told, self._policy)
        return Query(embedded.vector, condition, 0, reach=reach, reach_useful=theirs)

    def threshold(self, embedded: Embedded) -> int:
        """The floor of a list that nothing is in yet."""
        policy = self._policy.of(embedded.entity)
        return int(least_scores(self._encoder, embedded.certainty, embedded.told, policy)[-1])

    def _asked(self, embedded: Embedded, now: datetime, *, longer: bool = False) -> "_Ask":
        own = self._policy.of(embedded.entity)
        return _Ask(self._encoder, embedded, self._policy, own.longer() if longer else own, now)

    @asynccontextmanager
    async def match_stage(self, tally: Tally) -> AsyncIterator[None]:
        """Only one part matches at a time. It yields to the event loop after each event, so the other parts
        can query the index meanwhile."""
        async with self._matching:
            with tally.timed(Stage.MATCH):
                yield


class _Ask:
    """The search for one list."""

    def __init__(
        self, encoder: Encoder, embedded: Embedded, base: Policy, policy: Policy, now: datetime
    ) -> None:
        """base: of the deployment. policy: of this list."""
        self._encoder = encoder
        self.embedded = embedded
        self._base = base
        self._policy = policy
        self._limit = first_limit(self._policy.top_k)
        self._condition = wanted(embedded.entity, now, policy.book)
        self._useful = least_scores(encoder, embedded.certainty, embedded.told, self._policy)
        self._least = float(self._useful[-1]) / SCORE_UNITS
        self._best: list[Choice] = []
        self._bounds = (0, 0)
        self._entered: list[Choice] = []
        self._turned_down = 0  # how many counterparts a verdict may keep from the list
        self.hidden = False
        self.short = True

    def query(self, reach: int) -> Query:
        vector, limit = self.embedded.vector, self._limit
        useful = self._useful if self._policy.min_confidence else None
        if not reach:
            return Query(vector, self._condition, limit, useful=useful)
        theirs = least_scores(self._encoder, self.embedded.certainty, self.embedded.told, self._base)
        return Query(vector, self._condition, limit, useful=useful, reach=reach, reach_useful=theirs)

    def compatible(self, hits: Sequence[Hit], now: datetime, times: Times) -> list[Found]:
        """times: of the verdicts on pairs with the entity."""
        each = self.embedded
        holding = given_since(times, each.entity.revision)
        self._turned_down = len(holding)
        return standing(compatible_hits(each.entity, hits, now, self._policy.book), each.side.other, holding)

    def take(self, hits: Sequence[Hit], sure: Sequence[Choice]) -> None:
        """sure: those of the hits that are compatible."""
        policy = self._policy
        near = {hit.id for hit in hits[: self._limit]}
        self._entered += [choice for choice in sure if enters(choice, self._base)]
        own = [choice for choice in sure if choice[0].hit.id in near and choice[1] >= policy.min_confidence]
        ordered = ranked(own, policy)
        self._best = ordered[: policy.top_k]
        # With a limit for employers nothing relies on `held`: see `Lists`.
        reckoned = own if policy.max_per_employer is None else ordered
        self._bounds = bounds(self._best, reckoned, self._least, policy)
        more = len(hits) >= self._limit < MAX_DEPTH
        self.short = more and not is_filled(self._best, hits[: self._limit][-1], self._least, policy)
        if self.short:
            self._limit = min(self._limit * DEEPER + self._turned_down, MAX_DEPTH)

    def result(self) -> MatchList:
        best = {found.hit.id for found, _ in [*self._best, *duplicates_of(self._best)]}
        enters = {choice[0].hit.id: choice for choice in self._entered}
        ordered = sorted((choice for id, choice in enters.items() if id not in best), key=self._place)
        entered, cut = ordered[: self._base.max_entered], ordered[self._base.max_entered :]
        published = [enters[id] for id in best & enters.keys()] + entered
        return MatchList(
            self._best,
            *self._bounds,
            entered,
            places=[place_in(self.embedded, found, self._encoder, self._base) for found, _ in published],
            cut=[found.hit.id for found, _ in cut],
            hidden=self.hidden,
        )

    def _place(self, choice: Choice) -> tuple[float, str]:
        return -merit(choice[0], self._base), choice[0].hit.id


def first_limit(top_k: int) -> int:
    """How many hits the first search asks for."""
    return max(round(top_k * OVERFETCH), top_k + 2)

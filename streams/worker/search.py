"""Search the other side, deeper where the hard rules left a list short."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from rolecall.encoder.model import Encoder
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Side
from rolecall.streams.index.areas import DEEPER, MAX_DEPTH, ROUNDING
from rolecall.streams.index.port import Index, Query
from rolecall.streams.matching.card import Embedded
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import Choice, chosen, compatible_hits, is_filled, least_score, wanted
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

    async def lists(
        self, side: Side, embedded: Sequence[Embedded], now: datetime, tally: Tally
    ) -> list[list[Choice]]:
        """The list of each: searched deep enough to fill `top_k` wherever that many have the confidence."""
        found: list[list[Choice]] = [[] for _ in embedded]
        policies = [self._policy.of(each.entity) for each in embedded]
        limits = [first_limit(policy.top_k) for policy in policies]
        pending = list(range(len(embedded)))
        conditions = [wanted(each.entity, now, self._policy.book) for each in embedded]
        least = [
            least_score(self._encoder, each.certainty, each.told, policy)
            for each, policy in zip(embedded, policies, strict=True)
        ]
        useful = [
            score - ROUNDING if policy.min_confidence else None
            for score, policy in zip(least, policies, strict=True)
        ]
        while pending:
            with tally.timed(Stage.SEARCH):
                queries = [
                    Query(embedded[i].vector, conditions[i], limits[i], useful_score=useful[i])
                    for i in pending
                ]
                search = partial(self._index.search_allowed, side.other, queries)
                answers, retries = await patiently(search, tally.stage, self._retry_seconds)
                tally.retries += retries
            short: list[int] = []
            async with self.match_stage(tally):
                for i, hits in zip(pending, answers, strict=True):
                    each, policy = embedded[i], policies[i]
                    compatible = compatible_hits(each.entity, hits, now, self._policy.book)
                    best = chosen(self._encoder, each.certainty, each.told, compatible, policy)
                    found[i] = best[: policy.top_k]
                    more = len(hits) == limits[i] < MAX_DEPTH
                    if more and not is_filled(found[i], hits[-1], least[i], policy):
                        short.append(i)
                        limits[i] = min(limits[i] * DEEPER, MAX_DEPTH)
                    await asyncio.sleep(0)
            pending = short
        return found

    @asynccontextmanager
    async def match_stage(self, tally: Tally) -> AsyncIterator[None]:
        """Only one part matches at a time. It yields to the event loop after each event, so the other parts
        can query the index meanwhile."""
        async with self._matching:
            with tally.timed(Stage.MATCH):
                yield


def first_limit(top_k: int) -> int:
    """How many hits the first search asks for."""
    return max(round(top_k * OVERFETCH), top_k + 2)

"""The list of every entity: blocks of scores first, then the last rules pair by pair.

Some more than `top_k` pairs of each entity are kept from the blocks, because the blocks know less than
`hard_rules.compatible`. If too few of them pass, the entity is compared with the whole other side again, and
four times as many pairs are kept. So each list is exactly the best of all pairs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.streams.index.columns import Mask
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import (
    SCORE_DIGITS,
    Found,
    chosen,
    compatible_hits,
    duplicates_of,
    merit,
)
from rolecall.streams.offline.allowed import Allowed
from rolecall.streams.offline.best import NONE, SLACK, Best, least_scores
from rolecall.streams.offline.pool import Floats, Pool, Rows

VACANCIES_AT_ONCE, CANDIDATES_AT_ONCE = 512, 8192  # their scores take 16 MB
OVERFETCH = 1.2
DEEPER = 4
SAME = 1e-6  # rounded scores that differ by less are equal
PLACES_AT_ONCE = 1 << 21  # of the lists that are made again together; 16 MB

Advanced = Callable[[str, int, int | None], None]
"""Name of the counted things, how many more are done, and the total if it is known."""
List = tuple[Rows, Floats]
"""Of one entity: rows of the other side with their scores, highest first. With the duplicates of its best."""

EMPTY: List = (np.empty(0, np.int32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class Market:
    pools: Mapping[Side, Pool]
    allowed: Allowed
    encoder: Encoder
    policy: Policy
    now: datetime
    advanced: Advanced

    def found(self, side: Side, row: int, listed: List) -> list[Found]:
        """The listed entities that the rules let through."""
        others = self.pools[side.other]
        hits = [
            others.hit(other, score) for other, score in zip(*map(np.ndarray.tolist, listed), strict=True)
        ]
        return compatible_hits(self.pools[side].entity(row), hits, self.now, self.policy.book)


def lists(market: Market) -> dict[Side, list[List]]:
    """By side and row."""
    limit = max(round(market.policy.top_k * OVERFETCH), market.policy.top_k + 2)
    policies = {side: _policies(pool, market.policy) for side, pool in market.pools.items()}
    best = {
        side: _best(market, side, own, _rows(market.pools[side]), limit) for side, own in policies.items()
    }
    _compare(market, best, "pairs")
    made: dict[Side, list[List]] = {}
    for side in Side:
        made[side] = [EMPTY] * len(market.pools[side])
        short = list(_settle(market, side, policies[side], best.pop(side), made[side]))
        deeper = limit
        while short:
            deeper *= DEEPER
            at_once = max(1, PLACES_AT_ONCE // deeper)
            again: list[int] = []
            for start in range(0, len(short), at_once):
                rows = np.array(short[start : start + at_once], np.int32)
                part = _best(market, side, policies[side], rows, deeper)
                _compare(market, {side: part}, f"pairs again, {len(short)} {side} lists")
                again += _settle(market, side, policies[side], part, made[side])
            short = again
    return made


def _rows(pool: Pool) -> Rows:
    return np.arange(len(pool), dtype=np.int32)


def _policies(pool: Pool, policy: Policy) -> list[Policy]:
    """Each entity's own."""
    return [policy.of(pool.entity(row)) for row in range(len(pool))]


def _best(market: Market, side: Side, policies: Sequence[Policy], rows: Rows, limit: int) -> Best:
    mine, others = market.pools[side], market.pools[side.other]
    own, told = mine.certainty[rows], mine.told[rows]
    thresholds = np.array([policies[row].min_confidence for row in rows.tolist()], np.float32)

    def confident(scores: Floats, places: Rows, found: Rows) -> Mask:
        if not thresholds.any():
            return np.ones(len(scores), np.bool_)
        confidence = market.encoder.confidence(
            scores.clip(0, 1), own[places], others.certainty[found], told[places], others.told[found]
        )
        return np.asarray(confidence >= thresholds[places] - SLACK)

    return Best(rows, limit, least_scores(market.encoder, own, told, thresholds), confident)


def _compare(market: Market, best: Mapping[Side, Best], counted: str) -> None:
    """Compares the entities in `best` with the other side. A side that `best` lacks is compared whole."""
    everyone = {side: _rows(pool) for side, pool in market.pools.items()}
    vacancies, candidates = (best[side].rows if side in best else everyone[side] for side in Side)
    for right in range(0, len(candidates), CANDIDATES_AT_ONCE):
        columns = candidates[right : right + CANDIDATES_AT_ONCE]
        vectors = market.pools[Side.CANDIDATE].vectors(columns)
        seen: dict[int, Mask] = {}
        for left in range(0, len(vacancies), VACANCIES_AT_ONCE):
            rows = vacancies[left : left + VACANCIES_AT_ONCE]
            scores = market.pools[Side.VACANCY].vectors(rows) @ vectors.T  # (rows, columns)
            np.round(scores, SCORE_DIGITS, out=scores)
            np.copyto(scores, NONE, where=~market.allowed.mask(rows, columns, seen))
            if Side.VACANCY in best:
                best[Side.VACANCY].take(left, scores, columns, across=False)
            if Side.CANDIDATE in best:
                best[Side.CANDIDATE].take(right, scores, rows, across=True)
            market.advanced(counted, scores.size, len(vacancies) * len(candidates))


def _settle(
    market: Market, side: Side, policies: Sequence[Policy], best: Best, made: list[List]
) -> Iterator[int]:
    """Fill in the lists that no pair beyond the kept ones could enter; yield the rows of the others."""
    pool = market.pools[side]
    for row, scores, others in zip(best.rows.tolist(), best.scores, best.others, strict=True):
        count = int(np.count_nonzero(scores > NONE))
        listed = others[:count], scores[:count]
        found = market.found(side, row, listed)
        policy = policies[row]
        own = float(pool.certainty[row]), int(pool.told[row])
        list_ = chosen(market.encoder, *own, found, policy)[: policy.top_k]
        if count < best.limit or _is_filled([each for each, _ in list_], float(scores[-1]), policy):
            ids = {each.hit.id for each, _ in [*list_, *duplicates_of(list_)]}
            kept = [market.pools[side.other].ids[other] in ids for other in others[:count].tolist()]
            made[row] = others[:count][kept], scores[:count][kept]
            market.advanced(f"{side} lists", 1, len(pool))
        else:
            yield row


def _is_filled(list_: Sequence[Found], last: float, policy: Policy) -> bool:
    """Whether no pair that scores `last` or less could enter. A pair of the same score has a larger id, so it
    comes after a last place that has the score without a penalty."""
    if len(list_) < policy.top_k:
        return False
    above = merit(list_[-1], policy) - last
    return above > SAME or (above >= -SAME and not list_[-1].soft)

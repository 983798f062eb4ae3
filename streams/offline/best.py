"""The best counterparts of many entities, collected from blocks of scores."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import numpy.typing as npt

from rolecall.encoder.calibration import LEVELS
from rolecall.encoder.model import Encoder
from rolecall.streams.offline.pool import Floats, Rows

NONE = np.float32(-np.inf)  # the score of a free place, and of a pair that may not match
SLACK = 1e-4  # of confidence, for rounding errors: the exact threshold is applied later
STEPS = 1024  # of scores, and 64 of certainty, in the table of least scores
TRIM_FROM = 8  # trim if there are so many times more survivors than places

Confident = Callable[[Floats, Rows, Rows], npt.NDArray[np.bool_]]
"""Scores, places of the entities, rows of the others -> which pairs reach the least confidence."""


@dataclass(slots=True)
class Best:
    """The highest scores of each entity, best first. Of equal scores, the smaller row comes first."""

    rows: Rows  # (entities,)
    limit: int
    least: Floats  # (entities,): no lower score can reach the least confidence
    confident: Confident
    scores: Floats = field(init=False)  # (entities, limit)
    others: Rows = field(init=False)  # (entities, limit)
    _floor: Floats = field(init=False)  # (entities,): a score has to be above it

    def __post_init__(self) -> None:
        self.scores = np.full((len(self.rows), self.limit), NONE)
        self.others = np.zeros((len(self.rows), self.limit), np.int32)
        self._floor = self.least.copy()

    def take(self, start: int, scores: Floats, others: Rows, *, across: bool) -> None:
        """Scores of the entities from `start` on, one a row (`across`: one a column), with these others.

        The others must come in ascending order, from call to call too.
        """
        count = scores.shape[1] if across else scores.shape[0]
        floor = self._floor[start : start + count]
        flat = np.flatnonzero(scores > (floor if across else floor[:, None]))
        if not len(flat):
            return
        rows, columns = np.divmod(flat, scores.shape[1])
        places, found = (columns, rows) if across else (rows, columns)
        kept = scores.ravel()[flat]
        sure = self.confident(kept, places + start, others[found])
        places, found, kept = places[sure], found[sure], kept[sure]
        if len(kept) > TRIM_FROM * self.limit * count:
            places, found, kept = self._trimmed(places, found, kept, scores.shape, across=across)
        if len(kept):
            self._merge(places + start, kept, others[found])

    def _trimmed(
        self, places: Rows, found: Rows, kept: Floats, shape: tuple[int, ...], *, across: bool
    ) -> tuple[Rows, Rows, Floats]:
        """Keeps the `limit` highest scores of this block, because sorting all of them takes longer."""
        block = np.full(shape[::-1] if across else shape, NONE)
        block[places, found] = kept
        if self.limit >= block.shape[1]:
            return places, found, kept
        highest = np.partition(block, -self.limit, axis=1)[:, -self.limit]
        high = kept >= highest[places]
        return places[high], found[high], kept[high]

    def _merge(self, places: Rows, scores: Floats, others: Rows) -> None:
        changed = np.unique(places)
        places = np.concatenate([np.repeat(changed, self.limit), places])
        scores = np.concatenate([self.scores[changed].ravel(), scores])
        others = np.concatenate([self.others[changed].ravel(), others])
        order = np.lexsort((others, -scores, places))
        places, scores, others = places[order], scores[order], others[order]
        starts = np.searchsorted(places, changed)
        rank = np.arange(len(places)) - np.repeat(starts, np.diff([*starts, len(places)]))
        first = rank < self.limit
        self.scores[places[first], rank[first]] = scores[first]
        self.others[places[first], rank[first]] = others[first]
        self._floor[changed] = np.maximum(self.least[changed], self.scores[changed, -1])


def least_scores(
    encoder: Encoder, certainty: Floats, told: npt.NDArray[np.int8], min_confidence: Floats
) -> Floats:
    """(entities,): scores at or below it stay under the entity's least confidence, whatever the other's
    certainty.

    The logit is linear in the smaller certainty of a pair. So for one score it is highest where the other's
    certainty is 0, or at least the entity's own. The other may tell as much or as little as it likes.
    """
    grid = np.linspace(0, 1, STEPS + 1, dtype=np.float32)
    least = np.full(len(certainty), NONE)
    bins = np.ceil(certainty * 64).astype(int)
    kinds = {(int(b), int(n), float(t)) for b, n, t in zip(bins, told, min_confidence, strict=True)}
    for own, level, threshold in kinds:
        ceiling = np.max(
            [
                _confidence(encoder, grid, own / 64, other, (level, told_by_other))
                for other, told_by_other in product((0.0, 1.0), range(LEVELS))
            ],
            axis=0,
        )
        below = np.flatnonzero(ceiling >= threshold - SLACK)
        step = below[0] - 1 if len(below) else STEPS
        of_these = (bins == own) & (told == level) & (min_confidence == np.float32(threshold))
        least[of_these] = grid[step] if step >= 0 else NONE
    return least


def _confidence(encoder: Encoder, scores: Floats, own: float, other: float, told: tuple[int, int]) -> Floats:
    return encoder.confidence(scores, np.full_like(scores, own), np.full_like(scores, other), *told)

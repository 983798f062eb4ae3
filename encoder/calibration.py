"""Score, certainties and how much both sides tell -> probability that the pair is a match.

A score does not mean the same for two titles and for two full documents. So each pair of levels has its own
logistic curve (levels: a title; with skills; with a text; with both). All curves share the weights of the
certainties. An isotonic staircase, smoothed into straight lines, bends them to the frequencies on held-out
occupations. No weight of a score or a certainty is negative. So for the same levels confidence never falls
when one of them rises. Below a least certainty confidence falls in proportion to the certainty, down to 0
for a document that cannot be read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Levels = NDArray[np.int8] | int
ALIKE = 0.01  # how far from 1 a score has to be to count as another document's
LEVELS = 4  # of `document.told`
CELLS = LEVELS * (LEVELS + 1) // 2  # unordered pairs of levels


def inputs(score: Floats, certainty_a: Floats, certainty_b: Floats) -> NDArray[np.float64]:
    """What the logistic curves see: (pairs, 3), symmetric in the two sides.

    None of them falls when an argument rises.
    """
    near = -np.log(1 - np.minimum(score, 1) + ALIKE) + np.log(1 + ALIKE)  # 0 for a score of 0
    low, high = np.minimum(certainty_a, certainty_b), np.maximum(certainty_a, certainty_b)
    return np.stack([near, near * low, near * high], axis=-1).astype(np.float64)


def cells(told_a: Levels, told_b: Levels) -> NDArray[np.int64]:
    """Number of the pair of levels; both orders have one number."""
    low, high = np.minimum(told_a, told_b).astype(np.int64), np.maximum(told_a, told_b).astype(np.int64)
    return np.asarray(high * (high + 1) // 2 + low)


@dataclass(frozen=True, slots=True)
class Calibration:
    slopes: tuple[float, ...]  # of the score's logarithm, for each cell; none negative
    biases: tuple[float, ...]  # for each cell
    certainties: tuple[float, float]  # weights of the lower and the higher certainty, none negative
    knots: tuple[float, ...]  # logistic outputs, ascending
    values: tuple[float, ...]  # probabilities at the knots, ascending
    certain: float  # the least certainty of a document that is read in full

    def confidence(
        self,
        score: Floats,
        certainty_a: Floats,
        certainty_b: Floats,
        told_a: Levels = 0,
        told_b: Levels = 0,
    ) -> Floats:
        """Probability of a match in [0, 1], for arrays of one shape. Levels may be single numbers."""
        cell = cells(told_a, told_b)
        near, low, high = np.moveaxis(inputs(score, certainty_a, certainty_b), -1, 0)
        logit = near * np.array(self.slopes)[cell] + np.array(self.biases)[cell]
        logit += self.certainties[0] * low + self.certainties[1] * high
        raw = 1 / (1 + np.exp(-logit))
        readable = np.minimum(np.minimum(certainty_a, certainty_b) / self.certain, 1)
        confidence: Floats = (np.interp(raw, self.knots, self.values) * readable).astype(np.float32)
        return confidence

"""Score and certainties -> probability that the pair is a match.

A logistic curve over score and certainties orders the pairs, and an isotonic staircase, smoothed into
straight lines, bends it to the frequencies seen on held-out occupations. No weight is negative, so confidence
never falls when the score or a certainty rises. Below a least certainty confidence falls in proportion to the
certainty, down to 0 for a document that cannot be read.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ALIKE = 0.01  # how far from 1 a score has to be to count as another document's


def inputs(score: Floats, certainty_a: Floats, certainty_b: Floats) -> NDArray[np.float64]:
    """What the logistic curve sees: (pairs, 4), symmetric in the two sides.

    None of them falls when an argument rises.
    """
    near = -np.log(1 - np.minimum(score, 1) + ALIKE) + np.log(1 + ALIKE)  # 0 for a score of 0
    low, high = np.minimum(certainty_a, certainty_b), np.maximum(certainty_a, certainty_b)
    return np.stack([score, near, near * low, near * high], axis=-1).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    weights: tuple[float, ...]  # of `inputs`, none negative
    bias: float
    knots: tuple[float, ...]  # logistic outputs, ascending
    values: tuple[float, ...]  # probabilities at the knots, ascending
    certain: float  # the least certainty of a document that is read in full

    def confidence(self, score: Floats, certainty_a: Floats, certainty_b: Floats) -> Floats:
        """Probability of a match in [0, 1], for arrays of one shape."""
        logit = inputs(score, certainty_a, certainty_b) @ np.array(self.weights) + self.bias
        raw = 1 / (1 + np.exp(-logit))
        readable = np.minimum(np.minimum(certainty_a, certainty_b) / self.certain, 1)
        confidence: Floats = (np.interp(raw, self.knots, self.values) * readable).astype(np.float32)
        return confidence

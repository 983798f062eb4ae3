"""Score and certainties -> probability that the pair is a match.

A logistic curve over score and certainties orders the pairs, and an isotonic staircase, smoothed into
straight lines, bends it to the frequencies seen on held-out occupations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def inputs(score: Floats, certainty_a: Floats, certainty_b: Floats) -> NDArray[np.float64]:
    """What the logistic curve sees. (pairs, 3), symmetric in the two sides."""
    low = np.minimum(certainty_a, certainty_b)
    return np.stack([score, low, score * low], axis=-1).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    weights: tuple[float, ...]  # of `inputs`
    bias: float
    knots: tuple[float, ...]  # logistic outputs, ascending
    values: tuple[float, ...]  # probabilities at the knots, ascending

    def confidence(self, score: Floats, certainty_a: Floats, certainty_b: Floats) -> Floats:
        """Probability of a match in [0, 1], for arrays of one shape."""
        logit = inputs(score, certainty_a, certainty_b) @ np.array(self.weights) + self.bias
        raw = 1 / (1 + np.exp(-logit))
        confidence: Floats = np.interp(raw, self.knots, self.values).astype(np.float32)
        return confidence

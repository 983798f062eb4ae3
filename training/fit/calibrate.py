"""Fits what a score is worth, and finds out what the values of the groups stand for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.calibration import Calibration, inputs
from rolecall.encoder.model import Embeddings
from rolecall.encoder.usage import Usage, usage
from rolecall.training.data.sources import SourceError
from rolecall.training.judge.evaluate import Pairs

KNOTS = 24
MOST_TITLES = 3  # that name a value


def fit(pairs: Pairs) -> Calibration:
    """Logistic over score and certainties, then isotonic over its output, both on the same held-out pairs.

    The staircase is kept as `KNOTS` points between which confidence runs in straight lines.
    Raises SourceError when the pairs are all matches, or none is.
    """
    if not 0 < pairs.match.sum() < len(pairs.match):
        raise SourceError(
            f"{pairs.match.sum():,} of {len(pairs.match):,} held-out pairs are matches, so nothing tells "
            "what a score is worth; it takes more occupations with several titles each, or more steps"
        )
    from sklearn.isotonic import IsotonicRegression  # a second that only training has to spend
    from sklearn.linear_model import LogisticRegression

    seen = inputs(pairs.score, pairs.certainty_a, pairs.certainty_b)
    logistic = LogisticRegression(C=100.0, max_iter=1000).fit(seen, pairs.match)
    raw = logistic.predict_proba(seen)[:, 1]
    edges = np.quantile(raw, np.linspace(0, 1, KNOTS + 1))
    middles = np.unique((edges[1:] + edges[:-1]) / 2)
    # Mean outcome round each knot, made to rise: an isotonic fit of bins instead of single pairs.
    place = np.clip(np.searchsorted((middles[1:] + middles[:-1]) / 2, raw), 0, len(middles) - 1)
    counts = np.bincount(place, minlength=len(middles))
    means = np.bincount(place, pairs.match, minlength=len(middles)) / np.maximum(counts, 1)
    rising = IsotonicRegression(y_min=0, y_max=1).fit_transform(middles, means, sample_weight=counts)
    return Calibration(
        weights=tuple(map(float, logistic.coef_[0])),
        bias=float(logistic.intercept_[0]),
        knots=tuple(map(float, middles)),
        values=tuple(map(float, rising)),
    )


def usage_of_titles(titles: Embeddings, *, groups: int) -> Usage:
    """What drift is measured against: titles alone, each once. Whole documents are surer and more mixed."""
    return usage(titles.vectors, titles.certainty, groups, "titles of the occupations trained on, each once")


def name_values(
    vectors: NDArray[np.float32], titles: Sequence[str], *, groups: int
) -> tuple[tuple[str, ...], ...]:
    """The titles that put most weight on each value, joined with " · "; "" for a value no title chooses.

    vectors: (titles, groups * size). A value must be the first choice of its titles in their group.
    """
    chosen = vectors.reshape(len(titles), groups, -1)  # (titles, groups, size)
    first = chosen.argmax(2)  # (titles, groups)
    return tuple(
        tuple(
            " · ".join(_typical(chosen[:, group, value], first[:, group] == value, titles))
            for value in range(chosen.shape[2])
        )
        for group in range(groups)
    )


def _typical(weights: NDArray[np.float32], mine: NDArray[np.bool_], titles: Sequence[str]) -> list[str]:
    best = np.argsort(-np.where(mine, weights, -1), kind="stable")[: min(MOST_TITLES, int(mine.sum()))]
    return [titles[index] for index in best]

"""Ranking figures from score matrices, and calibration figures from probabilities. Pure numpy."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
DIGITS = 5  # scores that are equal after rounding to so many digits are ties


def first_ranks(scores: Floats, relevant: Bools) -> Ints:
    """Rank, from 1, of the best-ranked relevant item of each row. Ties are ranked by column. (queries,)

    scores, relevant: (queries, items), at least one relevant item a row.
    """
    scores = scores.round(DIGITS)
    best = np.where(relevant, scores, -np.inf).max(1, keepdims=True)
    tied = scores == best
    first = (tied & relevant).argmax(1)
    before = np.arange(scores.shape[1]) < first[:, None]
    ranks: Ints = 1 + (scores > best).sum(1) + (tied & before).sum(1)
    return ranks


def mean_reciprocal_rank(ranks: Ints) -> float:
    return float((1 / ranks).mean())


def recall_at(scores: Floats, relevant: Bools, k: int) -> Floats:
    """Relevant items among the k best of each row, divided by min(k, all relevant items). (queries,)"""
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < scores.shape[1] else None
    found = relevant.sum(1) if top is None else np.take_along_axis(relevant, top, 1).sum(1)
    share: Floats = (found / np.minimum(k, relevant.sum(1))).astype(np.float32)
    return share


def expected_calibration_error(probability: Floats, outcome: Bools, bins: int = 15) -> float:
    """Mean gap between probability and frequency over bins of equal width, weighted (Guo et al. 2017)."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    gaps = np.abs(np.bincount(place, probability - outcome, minlength=bins))
    return float(gaps.sum() / counts.sum())


def area_under_roc(scores: Floats, positive: Bools) -> float:
    """Probability that a positive scores above a negative, ties counting half (Mann-Whitney)."""
    order = np.argsort(scores, kind="stable")
    _, first, inverse, counts = np.unique(
        scores[order], return_index=True, return_inverse=True, return_counts=True
    )
    ranks = (first + (counts + 1) / 2)[inverse]
    labels = positive[order]
    wins = ranks[labels].sum() - labels.sum() * (labels.sum() + 1) / 2
    return float(wins / (labels.sum() * (~labels).sum()))

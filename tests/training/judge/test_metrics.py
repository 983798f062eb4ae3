import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rolecall.training.judge import metrics


def test_the_first_relevant_item_counts() -> None:
    """Row 1: the relevant scores are .5 and .7, and one item scores above .7: rank 2. Row 2: rank 1."""
    scores = np.array([[0.9, 0.5, 0.7], [0.1, 0.2, 0.8]], np.float32)
    relevant = np.array([[False, True, True], [False, False, True]])
    assert metrics.first_ranks(scores, relevant).tolist() == [2, 1]


def test_ties_go_by_column() -> None:
    scores = np.array([[0.5, 0.5, 0.5]], np.float32)
    ranks = [metrics.first_ranks(scores, np.eye(3, dtype=bool)[[n]])[0] for n in range(3)]
    assert ranks == [1, 2, 3]


def test_mean_reciprocal_rank_by_hand() -> None:
    assert metrics.mean_reciprocal_rank(np.array([1, 2, 4])) == pytest.approx((1 + 0.5 + 0.25) / 3)


def test_recall_is_capped_by_k() -> None:
    """Three relevant, k 2, one of them among the best two: 1 / 2. One relevant, found: 1."""
    scores = np.array([[0.9, 0.8, 0.2, 0.1], [0.9, 0.8, 0.2, 0.1]], np.float32)
    relevant = np.array([[True, False, True, True], [True, False, False, False]])
    assert metrics.recall_at(scores, relevant, 2).tolist() == [0.5, 1.0]


def test_recall_of_a_corpus_smaller_than_k_is_complete() -> None:
    assert metrics.recall_at(np.zeros((1, 3), np.float32), np.array([[True, False, True]]), 10).tolist() == [
        1
    ]


def test_calibration_error_by_hand() -> None:
    """Bin 0: two pairs at .1, one matches: gap .4. Bin 1: two at .9, both match: gap .1. Mean .25."""
    probability = np.array([0.1, 0.1, 0.9, 0.9], np.float32)
    outcome = np.array([True, False, True, True])
    assert metrics.expected_calibration_error(probability, outcome, bins=2) == pytest.approx(0.25)


def test_a_certain_probability_belongs_to_the_last_bin() -> None:
    error = metrics.expected_calibration_error(np.array([1.0], np.float32), np.array([True]), bins=10)
    assert error == 0


def test_area_under_roc_agrees_with_sklearn_also_with_ties() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 20, 500).astype(np.float32)
    positive = rng.random(500) < 0.3
    assert metrics.area_under_roc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))

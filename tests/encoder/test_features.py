import numpy as np
import pytest

from rolecall.encoder.features import Features

FEATURES = Features((("care", "flight"), ("metal", "care")))


def vector(*values: float) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.array(values, np.float32)


def test_the_values_that_agree_explain_a_pair() -> None:
    """The products are .4, 0, .1, 0 and their sum is .5: care has 80 %, metal 20 %, flight nothing."""
    shared = FEATURES.explain(vector(0.8, 0, 0.5, 0.4), vector(0.5, 0.9, 0.2, 0))
    assert [(s.group, s.value, s.name) for s in shared] == [(0, 0, "care"), (1, 0, "metal")]
    assert [s.share for s in shared] == pytest.approx([0.8, 0.2])


def test_a_name_is_told_once() -> None:
    shared = FEATURES.explain(vector(1, 0, 0, 1), vector(1, 0, 0, 0.5))
    assert [s.name for s in shared] == ["care"]


def test_at_most_top_values_are_told() -> None:
    assert len(FEATURES.explain(vector(1, 1, 1, 1), vector(1, 1, 1, 1), top=2)) == 2


def test_a_pair_that_shares_nothing_has_no_explanation() -> None:
    assert FEATURES.explain(vector(1, 0, 0, 0), vector(0, 1, 0, 0)) == []


def test_a_model_without_names_explains_nothing() -> None:
    assert Features(()).explain(vector(1, 0), vector(1, 0)) == []

"""Usage counted by hand, and the population stability index by its formula."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rolecall.encoder.usage import LEAST_SHARE, Usage, certainty_counts, stability, usage, value_counts

VECTORS = np.array([[0.9, 0.1, 0.2, 0.8], [0.7, 0.3, 0.6, 0.4], [0.1, 0.9, 0.1, 0.9]], np.float32)
counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)


def test_the_first_choice_of_each_group_is_counted():
    """Two groups of two: first 0, 0, 1; second 1, 0, 1."""
    assert value_counts(VECTORS, 2).tolist() == [[2, 1], [1, 2]]


def test_certainties_are_counted_by_tenths_and_1_is_in_the_last():
    counted = certainty_counts(np.array([0.0, 0.05, 0.55, 0.99, 1.0], np.float32))
    assert counted.tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_usage_is_in_shares():
    used = usage(VECTORS, np.array([0.5, 0.5, 0.9], np.float32), 2, "three")
    assert (used.documents, used.shape, used.values[0]) == (3, (2, 2), pytest.approx((2 / 3, 1 / 3)))


def test_the_index_of_a_half_that_became_a_quarter():
    """(.25 - .5) ln(.25 / .5) + (.75 - .5) ln(.75 / .5)"""
    expected = -0.25 * log(0.5) + 0.25 * log(1.5)
    assert stability(np.array([5.0, 5.0]), np.array([10.0, 30.0])) == pytest.approx(expected)


def test_what_was_never_chosen_counts_as_one_in_ten_thousand():
    assert stability(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(
        2 * (1 - LEAST_SHARE) * log(1 / LEAST_SHARE)
    )


@given(counts, counts)
def test_the_index_is_0_for_equal_shares_and_never_below(one, other):
    one, other = np.array(one, float), np.array(other, float)
    assert stability(one, 3 * one) == pytest.approx(0, abs=1e-12)
    assert stability(one, other) >= 0


def test_groups_of_different_sizes_are_refused():
    with pytest.raises(ValidationError, match="differ in size"):
        Usage(texts="t", documents=1, values=((1.0,), (0.5, 0.5)), certainty=(0.1,) * 10)

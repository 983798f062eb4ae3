"""The size of a part depends on how long the parts before it took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.streams.worker.faust.part_size import Pace


def sizes(pace, seconds_each, parts):
    """The sizes of the next parts if each event takes `seconds_each`."""
    seen = []
    for _ in range(parts):
        seen.append(pace.size)
        pace.took(pace.size, pace.size * seconds_each)
    return seen


def test_quick_ones_make_it_grow_to_the_whole_batch():
    assert sizes(Pace(256, 10), 0.002, 6) == [16, 32, 64, 128, 256, 256]


def test_slow_ones_make_it_shrink_until_it_fits():
    """An event takes 3 s: 16 take 48, 8 take 24, 4 take 12, 2 take 6."""
    assert sizes(Pace(256, 10), 3, 6) == [16, 8, 4, 2, 2, 2]


def test_where_smaller_parts_take_as_long_it_grows():
    """An index that answers after 20 s, for any number of events."""
    pace, seen = Pace(256, 10), []
    for _ in range(10):
        seen.append(pace.size)
        pace.took(pace.size, 20)
    assert seen == [16, 8, 32, 16, 64, 32, 128, 64, 256, 128]


@pytest.mark.parametrize(("took", "after"), [(2.4, 32), (2.5, 16), (10, 16), (10.1, 8)])
def test_under_a_quarter_of_the_limit_is_quick_and_up_to_the_limit_is_not_slow(took, after):
    pace = Pace(256, 10)
    pace.took(16, took)
    assert pace.size == after


@pytest.mark.parametrize(("events", "took", "after"), [(8, 15.1, 32), (8, 15, 4), (9, 20, 4)])
def test_it_grows_if_at_most_half_the_events_take_more_than_three_quarters_as_long(events, took, after):
    """The part before took 20 s for 16 events."""
    pace = Pace(256, 10)
    pace.took(16, 20)
    pace.took(events, took)
    assert pace.size == after


def test_where_it_grows_again_it_stays_within_a_batch():
    pace, seen = Pace(20, 10), []
    for _ in range(10):
        seen.append(pace.size)
        pace.took(pace.size, 20)
    assert max(seen) == 20


def test_it_recovers():
    pace = Pace(256, 10)
    sizes(pace, 3, 6)
    assert sizes(pace, 0.002, 4) == [2, 4, 8, 16]


def test_a_part_that_was_not_full_says_nothing_of_larger_ones():
    pace = Pace(256, 10)
    pace.took(1, 0.001)
    assert pace.size == 16


def test_a_part_that_was_not_full_and_took_too_long_is_halved():
    pace = Pace(256, 10)
    pace.took(6, 20)
    assert pace.size == 3


def test_one_at_least_however_slow():
    pace = Pace(256, 10)
    sizes(pace, 60, 10)
    assert pace.size == 1


@given(most=st.integers(1, 500), seconds_each=st.floats(1e-4, 5))
def test_a_part_takes_too_long_only_until_it_is_known_how_long_they_take(most, seconds_each):
    """Except if a single event takes longer than the limit."""
    taken = [size * seconds_each for size in sizes(Pace(most, 10), seconds_each, 20)]
    assert max(taken[9:]) <= max(10, seconds_each)


@pytest.mark.parametrize("most", [1, 8, 16, 256])
def test_never_more_than_a_batch(most):
    assert max(sizes(Pace(most, 10), 0, 12)) == most

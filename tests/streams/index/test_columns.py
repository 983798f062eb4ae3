"""Conditions by column against what they mean one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.streams.index.columns import Columns
from rolecall.streams.index.conditions import All, AnyOf, AtLeast, AtMost, Either, Near, Not, Within
from tests.streams.conditions import holds

TAGS = ("a", "b", "c")
tags = st.lists(st.sampled_from(TAGS), max_size=3, unique=True)
# Whole degrees: no distance lies within rounding of one of the radii.
coordinates = st.builds(
    lambda lat, lon: {"lat": lat, "lon": lon}, st.integers(-90, 90), st.integers(-180, 180)
)
payloads = st.fixed_dictionaries(
    {}, optional={"x": tags | st.sampled_from(TAGS), "n": st.integers(0, 5), "coordinates": coordinates}
)
leaves = st.one_of(
    st.builds(AnyOf, st.just("x"), tags.map(tuple)),
    st.builds(Within, st.just("x"), tags.map(tuple)),
    st.builds(AtLeast, st.just("n"), st.integers(0, 5)),
    st.builds(AtMost, st.just("n"), st.integers(0, 5)),
    st.builds(
        Near,
        st.just("coordinates"),
        st.integers(-90, 90),
        st.integers(-180, 180),
        st.sampled_from((50.5, 4000.5, 2e4, 3e4)),
    ),
)
conditions = st.recursive(
    leaves,
    lambda each: st.one_of(
        st.builds(All, st.lists(each, max_size=3).map(tuple)),
        st.builds(Either, st.lists(each, max_size=3).map(tuple)),
        st.builds(Not, each),
    ),
    max_leaves=6,
)


@given(payloads=st.lists(payloads, max_size=12), condition=conditions, data=st.data())
def test_a_condition_holds_for_the_same_points(payloads, condition, data):
    columns = Columns(payloads)
    rows = data.draw(
        st.lists(st.sampled_from(range(len(payloads))), unique=True) if payloads else st.just([])
    )
    passing = columns.passing(condition, np.array(sorted(rows), np.int32))
    assert passing.tolist() == [holds(condition, payloads[row]) for row in sorted(rows)]


@pytest.mark.parametrize("km", [0.0, 30_000.0])
def test_a_circle_holds_its_own_centre(km):
    columns = Columns([{"coordinates": {"lat": 52.52, "lon": 13.405}}])
    assert columns.passing(Near("coordinates", 52.52, 13.405, km + 0.1), np.array([0], np.int32)).all()


@given(
    written=st.lists(st.tuples(st.integers(0, 5), payloads), max_size=12),
    moves=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=3),
    condition=conditions,
)
def test_a_row_that_is_written_again_or_moved_has_nothing_of_before(written, moves, condition):
    columns, kept = Columns([{}] * 6), [{}] * 6
    for row, payload in written:
        columns.put(row, payload)
        kept[row] = payload
    for row, to in moves:
        columns.move(row, to)
        kept[to] = kept[row]
    passing = columns.passing(condition, np.arange(6))
    assert passing.tolist() == [holds(condition, payload) for payload in kept]

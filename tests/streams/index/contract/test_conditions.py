"""Conditions select the points that the port's docstrings promise."""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolecall.streams.index.conditions import (
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Near,
    Not,
    Payload,
    Within,
)
from rolecall.streams.index.port import Index, Query
from tests.streams.conditions import holds
from tests.streams.index.contract.common import EAST, LOCAL_QDRANT_WARNS, SIDE, found, live

pytestmark = LOCAL_QDRANT_WARNS


texts = st.sampled_from(["a", "b", "c", "A", "", "a b", "ä"])
numbers = st.sampled_from([-1.5, 0.0, 3.0, 3.5, 1e12, 1_795_305_600_123.0])
# At the poles themselves the engine's geo index misses what is near; nobody works there.
latitudes = st.sampled_from([-85.0, -33.9, 0.0, 52.37, 52.52, 85.0])
longitudes = st.sampled_from([-180.0, -179.9, -0.1, 0.0, 4.89, 13.4, 179.9, 180.0])
places = st.fixed_dictionaries({"lat": latitudes, "lon": longitudes})
distances = st.sampled_from([0.7, 25.3, 578.0, 3_001.0, 10_001.0, 20_100.0])

payloads = st.fixed_dictionaries(
    {},
    optional={
        "languages": st.lists(texts, max_size=3),
        "country": st.none() | texts,
        "pay": numbers,
        "expires": numbers,
        "coordinates": places,
    },
)
leaves = st.one_of(
    st.builds(AnyOf, st.sampled_from(["languages", "country"]), st.lists(texts, max_size=3).map(tuple)),
    st.builds(Within, st.sampled_from(["languages", "country"]), st.lists(texts, max_size=3).map(tuple)),
    st.builds(AtLeast, st.sampled_from(["pay", "expires"]), numbers),
    st.builds(AtMost, st.sampled_from(["pay", "expires"]), numbers),
    st.builds(Near, st.just("coordinates"), latitudes, longitudes, distances),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Either, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
revisions = count(1)


# All examples share one collection: each overwrites the last one, so updates of payload indexes are tested.
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(payloads, min_size=8, max_size=8), st.lists(conditions, min_size=1, max_size=8))
async def test_conditions_mean_what_they_say(
    index: Index, stored: list[Payload], asked: list[Condition]
) -> None:
    points = [live(str(row), next(revisions), **payload) for row, payload in enumerate(stored)]
    await index.upsert(SIDE, points)
    hits = await index.search(SIDE, [Query(EAST, condition, 100) for condition in asked])
    expected = [
        {str(row) for row, payload in enumerate(stored) if holds(condition, payload)} for condition in asked
    ]
    assert [{hit.id for hit in each} for each in hits] == expected


@pytest.mark.parametrize("missing", [{}, {"languages": []}, {"languages": None}])
async def test_within_lets_a_field_without_values_pass(index: Index, missing: Payload) -> None:
    await index.upsert(SIDE, [live("none", 1, **missing), live("two", 1, languages=["a", "b"])])
    assert await found(index, Within("languages", ("a",))) == ["none"]
    assert sorted(await found(index, Within("languages", ("a", "b", "c")))) == ["none", "two"]


async def test_a_missing_place_is_near_nothing(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1)])
    assert await found(index, Near("coordinates", 52.0, 5.0, 40_000)) == []


async def test_distances_are_kilometres_on_the_globe(index: Index) -> None:
    berlin = {"lat": 52.52, "lon": 13.405}
    await index.upsert(SIDE, [live("berlin", 1, coordinates=berlin)])
    assert (
        await found(index, Near("coordinates", 48.137, 11.575, 504)) == []
    )  # Munich: 504.4 km as the crow flies
    assert await found(index, Near("coordinates", 48.137, 11.575, 505)) == ["berlin"]

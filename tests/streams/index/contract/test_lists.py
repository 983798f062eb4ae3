"""Floors of lists: which points a new one reaches, and who may change a floor."""

import numpy as np
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.index.conditions import AnyOf
from rolecall.streams.index.port import SCORE_UNITS, UNREACHABLE, Index, Listing, Lookup, Point, Query
from tests.streams.index.contract.common import DIMS, EAST, EVERYTHING, LOCAL_QDRANT_WARNS, NORTH, SIDE, live

pytestmark = LOCAL_QDRANT_WARNS


def floored(id: str, vector: np.ndarray, floor: float, **payload: object) -> Point:
    units = round(floor * SCORE_UNITS)
    return Point(id, 1, vector, {"since": 1, "digest": "d", "listed": 0, "floor": units, **payload})


def unit(random: np.random.Generator, count: int) -> np.ndarray:
    vectors = np.abs(random.normal(size=(count, DIMS))).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def floor(index: Index) -> tuple[object, object, object]:
    payload = (await index.fetch(SIDE, ["a"]))["a"].payload or {}
    return payload.get("floor"), payload.get("held"), payload.get("settled")


async def test_after_the_best_come_the_points_whose_floor_is_reached(index: Index) -> None:
    """Compared with every product. The floors are where the scores are, so that a part of them is reached."""
    random = np.random.default_rng(5)
    vectors, floors = unit(random, 900), random.uniform(0.5, 1.2, 900)
    points = [
        floored(f"{n:03}", vector, least, languages=["de" if n % 3 else "en"])
        for n, (vector, least) in enumerate(zip(vectors, floors, strict=True))
    ]
    await index.upsert(SIDE, points)
    asked = unit(random, 4)
    queries = [Query(vector, AnyOf("languages", ("de",)), 5, reach=1000) for vector in asked]
    for found, vector in zip(await index.search_allowed(SIDE, queries), asked, strict=True):
        scores = vectors @ vector
        german = [n for n in range(900) if n % 3]
        best = sorted(german, key=lambda n: -scores[n])[:5]
        reached = {n for n in german if scores[n] >= round(floors[n], 5)} - set(best)
        assert [int(hit.id) for hit in found[:5]] == best
        assert {int(hit.id) for hit in found[5:]} == reached
        assert [hit.score for hit in found] == pytest.approx([scores[int(hit.id)] for hit in found], abs=1e-5)
        assert found == sorted(found, key=lambda hit: -hit.score)


async def test_those_behind_many_nearer_ones_are_reached_too(index: Index) -> None:
    """A thousand near points whose lists are full, and five farther ones with room."""
    half = (EAST + NORTH) / np.float32(2**0.5)
    points = [floored(f"near {n}", EAST, 1.1) for n in range(1000)]
    await index.upsert(SIDE, points + [floored(f"far {n}", half, 0.5) for n in range(5)])
    [found] = await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 12, reach=100)])
    assert {hit.id for hit in found[12:]} == {f"far {n}" for n in range(5)}


async def test_of_what_scores_too_little_only_who_asks_for_less_is_reached(index: Index) -> None:
    half = (EAST + NORTH) / np.float32(2**0.5)
    await index.upsert(
        SIDE,
        [
            floored("asks", half, 0.5, asks=1),
            floored("asks for more", half, 0.8, asks=1),
            floored("does not", half, 0.5),
        ],
    )
    least = np.array([0.9 * SCORE_UNITS], np.int32)
    [found] = await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 0, reach=9, reach_useful=least)])
    assert [hit.id for hit in found] == ["asks"]


async def test_no_more_are_reached_than_asked_for(index: Index) -> None:
    await index.upsert(SIDE, [floored(f"{n}", EAST, 0.5) for n in range(20)])
    [found] = await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 2, reach=6)])
    assert 6 <= len(found) <= 8


async def test_what_an_exclusion_rule_forbids_is_not_reached(index: Index) -> None:
    both = (EAST + NORTH) / np.float32(2**0.5)
    await index.upsert(
        SIDE, [floored("north", NORTH, 0.1), floored("east", EAST, 0.1), Point("near", 1, both, {})]
    )
    await index.upsert(Lookup.ANCHOR, [Point("r#0", 1, both, {}), Point("r#1", 1, NORTH, {})])
    [found] = await index.search_allowed(SIDE, [Query(both, EVERYTHING, 1, reach=10)])
    assert {hit.id for hit in found} == {"east", "near"}


async def test_a_point_without_a_floor_is_not_reached(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1), live("b", 1), live("c", 1)])
    [found] = await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 1, reach=10)])
    assert len(found) == 1


async def test_a_listing_sets_the_floor_that_searches_meet(index: Index) -> None:
    await index.upsert(SIDE, [floored("a", NORTH, 0.5), live("b", 1)])
    assert await index.settle(SIDE, [Listing("a", 1, "d", 0, 0, UNREACHABLE)]) == {}
    [found] = await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 1, reach=10)])
    assert [hit.id for hit in found] == ["b", "a"]
    assert await floor(index) == (0, UNREACHABLE, 1)


async def test_of_two_listings_that_began_together_the_second_is_overtaken(index: Index) -> None:
    await index.upsert(SIDE, [floored("a", EAST, 0.5)])
    assert await index.settle(SIDE, [Listing("a", 1, "d", 0, 60_000, 60_000)], own=False) == {}
    assert set(await index.settle(SIDE, [Listing("a", 1, "d", 0, 70_000, 70_000)])) == {"a"}
    assert await floor(index) == (60_000, 60_000, 1)
    assert await index.settle(SIDE, [Listing("a", 1, "d", 1, 80_000, 80_000)]) == {}
    assert await floor(index) == (80_000, 80_000, 1)


async def test_one_with_the_same_floor_is_overtaken_too(index: Index) -> None:
    await index.upsert(SIDE, [floored("a", EAST, 0.5)])
    await index.settle(SIDE, [Listing("a", 1, "d", 0, 50_000, 50_000)])
    assert set(await index.settle(SIDE, [Listing("a", 1, "d", 0, 50_000, UNREACHABLE)], own=False)) == {"a"}


async def test_a_point_that_was_never_listed_can_be(index: Index) -> None:
    """Written by a version that had no lists."""
    await index.upsert(SIDE, [Point("a", 1, EAST, {"since": 1, "digest": "d"})])
    assert await index.settle(SIDE, [Listing("a", 1, "d", 0, 7, 8)], own=False) == {}
    assert await floor(index) == (7, 8, None)


async def test_a_listing_of_another_content_does_nothing(index: Index) -> None:
    await index.upsert(SIDE, [floored("a", EAST, 0.5)])
    for since, digest in ((2, "d"), (1, "other")):
        assert await index.settle(SIDE, [Listing("a", since, digest, 0, 1, 1)]) == {"a": None}
    assert await floor(index) == (50_000, None, None)


async def test_a_listing_of_a_point_that_is_gone_does_nothing(index: Index) -> None:
    await index.upsert(SIDE, [Point("a", 2)])
    listings = [Listing(id, 1, "d", 0, 1, 1) for id in ("a", "never seen")]
    assert await index.settle(SIDE, listings) == {"a": None, "never seen": None}


async def test_a_listing_that_is_overtaken_learns_what_is_stored(index: Index) -> None:
    await index.upsert(SIDE, [floored("a", EAST, 0.5)])
    await index.settle(SIDE, [Listing("a", 1, "d", 0, 7, 8, "one:9")])
    overtaken = await index.settle(SIDE, [Listing("a", 1, "d", 0, 7, 8, "two:9")], own=False)
    assert overtaken == {"a": Listing("a", 1, "d", 1, 7, 8, "one:9")}


async def test_a_listing_by_others_does_not_say_that_the_event_is_done(index: Index) -> None:
    await index.upsert(SIDE, [floored("a", EAST, 0.5)])
    await index.settle(SIDE, [Listing("a", 1, "d", 0, 1, 2)], own=False)
    assert await floor(index) == (1, 2, None)


async def test_pages_have_every_live_point_once(index: Index) -> None:
    await index.upsert(Side.VACANCY, [live(f"{n}", 1) for n in range(25)] + [Point("gone", 1)])
    found: list[str] = []
    after = None
    for _ in range(4):
        ids, after = await index.page(SIDE, after, 10)
        found += ids
        if after is None:
            break
    assert sorted(found, key=int) == [f"{n}" for n in range(25)]
    assert after is None

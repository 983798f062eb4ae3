"""Searches of both indexes compared with brute force."""

import numpy as np
import pytest

from rolecall.streams.index.conditions import All, AnyOf, AtLeast, Condition
from rolecall.streams.index.port import SCORE_UNITS, Index, Lookup, Point, Query
from tests.streams.index.contract.common import DIMS, EAST, EVERYTHING, LOCAL_QDRANT_WARNS, SIDE, live

pytestmark = LOCAL_QDRANT_WARNS


@pytest.mark.parametrize("condition", [EVERYTHING, AnyOf("country", ("NL",))])
@pytest.mark.parametrize("queries", [1, 9])
async def test_what_scores_below_the_least_asked_for_is_left_out(
    index: Index, condition: Condition, queries: int
) -> None:
    vectors = np.random.default_rng(3).normal(size=(300, DIMS)).astype(np.float32)
    await index.upsert(
        Lookup.ANCHOR, [Point(f"{n}", 1, vector, {"country": "NL"}) for n, vector in enumerate(vectors)]
    )
    asked = [Query(EAST, condition, limit, 1.0) for limit in range(100, 100 + queries)]
    expected = [str(n) for n in np.argsort(-vectors[:, 0]) if vectors[n, 0] >= 1]
    assert 20 < len(expected) < 100
    for hits in await index.search(Lookup.ANCHOR, asked):
        assert [hit.id for hit in hits] == expected


async def test_hits_are_ranked_by_dot_product(index: Index) -> None:
    random = np.random.default_rng(7)
    vectors = random.normal(size=(200, DIMS)).astype(np.float32)
    await index.upsert(SIDE, [Point(str(row), 1, vector, {}) for row, vector in enumerate(vectors)])
    queries = random.normal(size=(20, DIMS)).astype(np.float32)
    hits = await index.search(SIDE, [Query(query, All(), 10) for query in queries])
    scores = queries @ vectors.T  # (20, 200)
    best = np.argsort(-scores, axis=1)[:, :10]
    assert [[int(hit.id) for hit in each] for each in hits] == best.tolist()
    np.testing.assert_allclose(
        [[hit.score for hit in each] for each in hits], np.take_along_axis(scores, best, axis=1), rtol=1e-5
    )


async def test_the_best_that_pass_are_found_however_few_they_are(index: Index) -> None:
    random = np.random.default_rng(8)
    vectors = random.normal(size=(300, DIMS)).astype(np.float32)
    await index.upsert(
        SIDE, [Point(f"{n}", 1, vector, {"pay": float(n)}) for n, vector in enumerate(vectors)]
    )
    await index.upsert(SIDE, [Point(str(n), 2) for n in range(20)])  # erased
    queries = random.normal(size=(16, DIMS)).astype(np.float32)
    least = [0, 20, 100, 200, 280, 290, 298, 300] * 2
    hits = await index.search(
        SIDE, [Query(query, AtLeast("pay", pay), 5) for query, pay in zip(queries, least, strict=True)]
    )
    scores = queries @ vectors.T  # (16, 300)
    for each, row, pay in zip(hits, scores, least, strict=True):
        passing = [n for n in np.argsort(-row).tolist() if n >= max(pay, 20)]
        assert [int(hit.id) for hit in each] == passing[:5]


async def test_each_query_of_a_batch_has_its_own_condition_and_limit(index: Index) -> None:
    await index.upsert(
        SIDE, [live(f"{country}{n}", 1, country=country) for country in "AB" for n in range(5)]
    )
    hits = await index.search(
        SIDE, [Query(EAST, AnyOf("country", ("A",)), 2), Query(EAST, AnyOf("country", ("B",)), 9)]
    )
    assert [{hit.id[0] for hit in each} for each in hits] == [{"A"}, {"B"}]
    assert [len(each) for each in hits] == [2, 5]


async def test_what_lies_across_from_the_querys_area_is_not_found(index: Index) -> None:
    """Random vectors of one octant, radii of .7 to 1; half of the rules removed again."""
    random = np.random.default_rng(9)
    points, queries, anchors = (
        (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        for vectors in (np.abs(random.normal(size=(count, DIMS))) for count in (700, 100, 40))
    )
    areas = anchors / random.uniform(0.7, 1.0, (40, 1)).astype(np.float32)
    await index.upsert(SIDE, [Point(f"{n}", 1, vector, {"pay": float(n)}) for n, vector in enumerate(points)])
    await index.upsert(
        Lookup.ANCHOR, [Point(f"r{n // 2}#{n % 2}", 1, area, {}) for n, area in enumerate(areas)]
    )
    await index.upsert(Lookup.ANCHOR, [Point(f"r{n // 2}#{n % 2}", 2) for n in range(20, 40)])
    pays = random.choice([0, 300, 690], 100).tolist()
    limits = random.choice([1, 3, 5], 100).tolist()
    hits = await index.search_allowed(
        SIDE,
        [
            Query(query, AtLeast("pay", pay), limit)
            for query, pay, limit in zip(queries, pays, limits, strict=True)
        ],
    )
    changed = 0
    for each, query, pay, limit in zip(hits, queries, pays, limits, strict=True):
        closed = [areas[n ^ 1] for n in range(20) if areas[n] @ query >= 1]
        best = [n for n in np.argsort(-(points @ query)).tolist() if n >= pay]
        allowed = [n for n in best if not any(area @ points[n] >= 1 for area in closed)]
        assert [int(hit.id) for hit in each] == allowed[:limit]
        changed += allowed[:limit] != best[:limit]
    assert 20 < changed < 100


async def test_where_everything_is_forbidden_nothing_is_found(index: Index) -> None:
    await index.upsert(SIDE, [live(f"{n}", 1) for n in range(500)])
    await index.upsert(Lookup.ANCHOR, [live("r#0", 1), live("r#1", 1)])
    assert await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 3)]) == [[]]
    assert await index.search_allowed(SIDE, [Query(EAST, EVERYTHING, 300)]) == [[]]


async def test_without_rules_all_is_allowed(index: Index) -> None:
    await index.upsert(SIDE, [live(f"{n}", 1, pay=float(n)) for n in range(500)])
    queries = [Query(EAST, EVERYTHING, 500), Query(EAST, AtLeast("pay", 450), 500)]
    hits = await index.search_allowed(SIDE, queries)
    assert [len(each) for each in hits] == [500, 50]
    assert await index.search_allowed(SIDE, []) == []


async def test_of_the_useful_scores_none_is_missing(index: Index) -> None:
    """Half of the points pass the condition. Enough points for a first look among the nearest."""
    random = np.random.default_rng(11)
    vectors = random.normal(size=(1500, DIMS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    points = [Point(f"{n}", 1, v, {"country": "NL" if n % 2 else "DE"}) for n, v in enumerate(vectors)]
    for start in range(0, len(points), 500):
        await index.upsert(SIDE, points[start : start + 500])
    useful = (0.95, 0.8, 0.2, -0.5, 1.1)
    query = [
        Query(
            vectors[n], AnyOf("country", ("NL",)), 12, useful=np.array([round(each * SCORE_UNITS)], np.int32)
        )
        for n, each in enumerate(useful)
    ]
    for n, (hits, least) in enumerate(zip(await index.search_allowed(SIDE, query), useful, strict=True)):
        scores = {f"{m}": float(vectors[m] @ vectors[n]) for m in range(1, 1500, 2)}
        best = sorted(scores, key=lambda id: -scores[id])[:12]
        wanted = [id for id in best if scores[id] >= least]
        assert [hit.id for hit in hits][: len(wanted)] == wanted


async def test_the_anchors_of_an_entity_are_found_among_many(index: Index) -> None:
    """Erasures look for them with a vector of zeros, to which every point is as near."""
    vectors = np.random.default_rng(9).normal(size=(700, DIMS)).astype(np.float32)
    marks = ({"anchor_of": "one"}, {"anchor_of": "other"}, {})
    points = [Point(f"{n}", 1, vector, {"card": "{}", **marks[n % 3]}) for n, vector in enumerate(vectors)]
    await index.upsert(Lookup.ANCHOR, points)
    query = Query(np.zeros(DIMS, np.float32), AnyOf("anchor_of", ("one", "nobody")), 1000)
    (hits,) = await index.search(Lookup.ANCHOR, [query])
    assert {hit.id for hit in hits} == {str(n) for n in range(700) if n % 3 == 0}

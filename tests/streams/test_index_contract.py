"""What every index must do, asked of both: the port's sentences one by one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from itertools import count
from math import asin, cos, radians, sin, sqrt
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import AsyncQdrantClient

from schemas.match import Side
from streams.index import (
    SPACES,
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Index,
    IndexMismatch,
    Lookup,
    Near,
    Not,
    Payload,
    Point,
    Query,
    Within,
    now_ms,
)
from streams.qdrant_edge import QdrantEdge
from streams.qdrant_edge_process import start_edge
from streams.qdrant_server import QdrantServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]

DIMS = 8
SIDE = Side.VACANCY
EAST, NORTH = np.eye(DIMS, dtype=np.float32)[:2]
EVERYTHING = All()
VERSIONS = (f"v{number}" for number in count())

Connect = Callable[[int], Index]


@pytest.fixture(scope="module")
def edge_socket() -> Iterator[Path]:
    memory = Path("/dev/shm")  # new collections wait for the disk many times; a busy one takes seconds
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        socket = Path(folder, "socket")
        with start_edge(Path(folder, "data"), socket):
            yield socket


@pytest.fixture(params=["edge", "server"])
def connect_named(request: pytest.FixtureRequest) -> Callable[[str, int], Index]:
    if request.param == "edge":
        socket = request.getfixturevalue("edge_socket")
        return lambda name, dims: QdrantEdge(socket, name, dims)
    client = AsyncQdrantClient(":memory:")
    return lambda name, dims: QdrantServer(client, name, dims)


@pytest.fixture
def version() -> str:
    return next(VERSIONS)


@pytest.fixture
def connect(connect_named: Callable[[str, int], Index], version: str) -> Connect:
    return partial(connect_named, version)


@pytest.fixture
async def other(connect_named: Callable[[str, int], Index], version: str) -> AsyncIterator[Index]:
    """Another generation of the same model."""
    made = connect_named(f"{version}-g1", DIMS)
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
async def index(connect: Connect) -> AsyncIterator[Index]:
    made = connect(DIMS)
    await made.prepare()
    yield made
    await made.drop()  # one shard holds on to 67 MB
    await made.close()


def live(id: str, revision: int, **payload: object) -> Point:
    return Point(id, revision, EAST, payload)


async def found(index: Index, condition: Condition = EVERYTHING) -> list[str]:
    [hits] = await index.search(SIDE, [Query(EAST, condition, 100)])
    return [hit.id for hit in hits]


async def test_a_written_point_is_found_once_upsert_has_returned(index: Index) -> None:
    await index.upsert(SIDE, [Point("a", 7, EAST * 0.5, {"country": "NL", "skills": ["sql"]})])
    [[hit]] = await index.search(SIDE, [Query(EAST, All(), 10)])
    assert (hit.id, hit.revision) == ("a", 7)
    assert hit.score == pytest.approx(0.5)
    assert hit.payload == {"skills": ["sql"]}


async def test_the_sides_do_not_mix(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1)])
    assert await index.count(SIDE.other) == 0
    assert await index.fetch(SIDE.other, ["a"]) == {}


@pytest.mark.parametrize("space", Lookup)
async def test_the_lookup_spaces_are_their_own(index: Index, space: Lookup) -> None:
    await index.upsert(space, [live("a", 1)])
    assert [await index.count(each) for each in SPACES] == [int(each is space) for each in SPACES]
    assert set(await index.fetch(space, ["a"])) == {"a"}


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


async def test_nothing_to_do_is_done(index: Index) -> None:
    assert await index.upsert(SIDE, []) == []
    assert await index.search(SIDE, []) == []
    assert await index.fetch(SIDE, []) == {}
    assert await index.vectors(SIDE, []) == {}


async def test_vectors_are_those_of_live_points_only(index: Index) -> None:
    point = live("a", 5, country="NL")
    await index.upsert(SIDE, [point, Point("gone", 6)])
    found = await index.vectors(SIDE, ["a", "gone", "unknown"])
    assert list(found) == ["a"]
    np.testing.assert_allclose(found["a"], point.vector, atol=1e-6)


async def test_upsert_returns_the_revision_stored_before(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 5), Point("gone", 6)])
    again = [live("new", 1), live("a", 9), live("gone", 8)]
    assert await index.upsert(SIDE, again) == [None, 5, 6]


async def test_a_stale_write_is_ignored_and_told(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 5, country="NL")])
    assert await index.upsert(SIDE, [live("a", 4, country="DE")]) == [5]
    assert (await index.fetch(SIDE, ["a"]))["a"].payload == {"country": "NL"}


async def test_an_equal_revision_is_ignored_and_told(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 5, country="NL")])
    assert await index.upsert(SIDE, [live("a", 5, country="DE")]) == [5]
    assert (await index.fetch(SIDE, ["a"]))["a"].payload == {"country": "NL"}


async def test_one_batch_may_hold_newer_older_and_new(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 5), live("b", 5)])
    await index.upsert(SIDE, [live("a", 6, country="NL"), live("b", 4, country="DE"), live("c", 1)])
    stored = await index.fetch(SIDE, ["a", "b", "c"])
    assert {id: point.revision for id, point in stored.items()} == {"a": 6, "b": 5, "c": 1}
    assert [stored[id].payload for id in "abc"] == [{"country": "NL"}, {}, {}]


async def test_a_newer_write_replaces_vector_and_whole_payload(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1, country="NL", pay=1.5)])
    await index.upsert(SIDE, [Point("a", 2, NORTH, {"country": "DE"})])
    point = (await index.fetch(SIDE, ["a"]))["a"]
    assert point.payload == {"country": "DE"}
    assert point.vector is not None
    assert point.vector.tolist() == NORTH.tolist()


async def test_a_tombstone_hides_and_keeps_nothing_but_its_revision(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1, country="NL")])
    await index.upsert(SIDE, [Point("a", 2)])
    assert await found(index) == []
    assert await found(index, Not(AnyOf("country", ("DE",)))) == []
    assert await index.count(SIDE) == 0
    assert await index.fetch(SIDE, ["a"]) == {"a": Point("a", 2)}


async def test_an_older_write_leaves_the_erased_erased(index: Index) -> None:
    await index.upsert(SIDE, [Point("a", 5)])
    assert await index.upsert(SIDE, [live("a", 4)]) == [5]
    assert await found(index) == []


async def test_a_newer_write_revives_the_erased(index: Index) -> None:
    await index.upsert(SIDE, [Point("a", 5)])
    await index.upsert(SIDE, [live("a", 6)])
    assert await found(index) == ["a"]


async def test_a_tombstone_replaces_the_point_of_its_own_revision(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 5, country="NL")])
    assert await index.upsert(SIDE, [Point("a", 5)]) == [5]
    assert await index.fetch(SIDE, ["a"]) == {"a": Point("a", 5)}


async def test_a_point_is_stale_beside_the_tombstone_of_its_own_revision(index: Index) -> None:
    await index.upsert(SIDE, [Point("a", 5)])
    assert await index.upsert(SIDE, [live("a", 5)]) == [6]
    assert await index.fetch(SIDE, ["a"]) == {"a": Point("a", 5)}


async def test_a_tombstone_leaves_a_newer_point_alone(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 6)])
    assert await index.upsert(SIDE, [Point("a", 5)]) == [6]
    assert await found(index) == ["a"]


async def test_purge_removes_old_tombstones_only(index: Index) -> None:
    await index.upsert(SIDE, [Point("old", 9), live("alive", 1)])
    await asyncio.sleep(0.002)
    between = now_ms()
    await index.upsert(SIDE, [Point("recent", 1), Point("old", 9)])
    await index.purge(SIDE, before_ms=between)
    assert set(await index.fetch(SIDE, ["old", "recent", "alive"])) == {"recent", "alive"}


async def test_expired_names_the_live_points_whose_time_has_passed(index: Index) -> None:
    await index.upsert(
        SIDE,
        [live("past", 1, expires=99.0), live("now", 2, expires=100.0), live("never", 3), live("gone", 4)],
    )
    await index.upsert(SIDE, [live("gone", 5, expires=1.0), live("other", 7, expires=5.0)])
    await index.upsert(SIDE, [Point("gone", 6)])
    assert sorted(await index.expired(SIDE, 100, 10)) == [("other", 7), ("past", 1)]


async def test_expired_names_no_more_than_asked_for(index: Index) -> None:
    await index.upsert(SIDE, [live(f"{n}", n, expires=1.0) for n in range(5)])
    assert len(await index.expired(SIDE, 100, 3)) == 3


async def test_fetch_leaves_out_the_unknown(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1), Point("b", 1)])
    stored = await index.fetch(SIDE, ["b", "unknown", "a", "a"])
    assert set(stored) == {"a", "b"}
    assert stored["a"].vector is not None
    assert stored["b"].vector is None


async def test_count_leaves_out_tombstones(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1), live("b", 1), Point("c", 1)])
    assert await index.count(SIDE) == 2


ODD_IDS = [
    "a b",
    "ä/ö?#%",
    "'; drop",
    "\u2028\U0001f4a9",
    "x" * 500,
    "0",
    "\x00",
    "A",
    "a",
    "e\u0301",
    "\u00e9",
]


async def test_ids_are_kept_apart_and_as_they_came(index: Index) -> None:
    await index.upsert(SIDE, [live(id, number) for number, id in enumerate(ODD_IDS)])
    stored = await index.fetch(SIDE, ODD_IDS)
    assert [stored[id].revision for id in ODD_IDS] == list(range(len(ODD_IDS)))
    assert sorted(await found(index)) == sorted(ODD_IDS)


async def test_payloads_come_back_as_they_went(index: Index) -> None:
    payload = {
        "s": "ä\U0001f4a9\x00",
        "i": 2**53,
        "f": 0.1,
        "n": None,
        "l": [],
        "d": {"id": [1, {"live": 2}]},
    }
    await index.upsert(SIDE, [live("a", 1, **payload)])
    [[hit]] = await index.search(SIDE, [Query(EAST, All(), 1)])
    assert hit.payload == payload
    assert (await index.fetch(SIDE, ["a"]))["a"].payload == payload


async def test_revisions_are_exact_to_the_millisecond(index: Index) -> None:
    now = 1_795_305_600_123
    await index.upsert(SIDE, [live("a", now)])
    assert await index.upsert(SIDE, [live("a", now - 1)]) == [now]
    assert await index.upsert(SIDE, [live("a", now + 1)]) == [now]
    assert (await index.fetch(SIDE, ["a"]))["a"].revision == now + 1


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


async def test_of_two_writers_the_newest_revision_wins(connect: Connect) -> None:
    one, two = connect(DIMS), connect(DIMS)
    await asyncio.gather(one.prepare(), two.prepare())
    order = np.random.default_rng(3).permutation(40).tolist()
    writes = [
        writer.upsert(SIDE, [live(f"{entity}", revision, seen=revision) for entity in range(5)])
        for writer, revision in zip([one, two] * 20, order, strict=True)
    ]
    await asyncio.gather(*writes)
    stored = await one.fetch(SIDE, [f"{entity}" for entity in range(5)])
    assert [(point.revision, point.payload) for point in stored.values()] == [(39, {"seen": 39})] * 5
    await asyncio.gather(one.close(), two.close())


async def test_writers_that_search_after_writing_never_miss_each_other(connect: Connect) -> None:
    async def match(index: Index, side: Side, id: str) -> set[str]:
        await index.upsert(side, [live(id, 1)])
        [hits] = await index.search(side.other, [Query(EAST, All(), 100)])
        return {hit.id for hit in hits}

    one, two = connect(DIMS), connect(DIMS)
    await one.prepare()
    ids = [f"{n}" for n in range(20)]
    vacancies = [match(one, Side.VACANCY, id) for id in ids]
    candidates = [match(two, Side.CANDIDATE, id) for id in ids]
    seen = await asyncio.gather(*vacancies, *candidates)
    pairs = {(id, other) for id, others in zip(ids, seen[:20], strict=True) for other in others}
    pairs |= {(other, id) for id, others in zip(ids, seen[20:], strict=True) for other in others}
    assert len(pairs) == 20 * 20
    await asyncio.gather(one.close(), two.close())


async def test_a_collection_of_other_dimensions_is_refused(index: Index, connect: Connect) -> None:
    with pytest.raises(IndexMismatch, match=f"of {DIMS} dimensions, not Dot vectors of {DIMS + 1}"):
        await connect(DIMS + 1).prepare()


async def test_prepare_keeps_what_is_there(index: Index) -> None:
    await index.upsert(SIDE, [live("a", 1)])
    await index.prepare()
    assert await index.count(SIDE) == 1


# Conditions


def values_of(payload: Payload, field: str) -> Sequence[object]:
    value = payload.get(field)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def km_between(lat: float, lon: float, place: dict[str, float]) -> float:
    """Haversine on a sphere of 6371.0088 km."""
    north, south = radians(lat), radians(place["lat"])
    half = sin((south - north) / 2) ** 2
    half += cos(north) * cos(south) * sin(radians(place["lon"] - lon) / 2) ** 2
    return 2 * 6371.0088 * asin(min(1, sqrt(half)))


def holds(condition: Condition, payload: Payload) -> bool:
    match condition:
        case AnyOf(field, values):
            return any(value in values for value in values_of(payload, field))
        case Within(field, values):
            return all(value in values for value in values_of(payload, field))
        case AtLeast(field, value):
            return any(number >= value for number in values_of(payload, field))  # type: ignore[operator]
        case AtMost(field, value):
            return any(number <= value for number in values_of(payload, field))  # type: ignore[operator]
        case Near(field, lat, lon, km):
            return any(km_between(lat, lon, place) <= km for place in values_of(payload, field))  # type: ignore[arg-type]
        case All(conditions):
            return all(holds(each, payload) for each in conditions)
        case Either(conditions):
            return any(holds(each, payload) for each in conditions)
        case Not(negated):
            return not holds(negated, payload)


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
        "place": places,
    },
)
leaves = st.one_of(
    st.builds(AnyOf, st.sampled_from(["languages", "country"]), st.lists(texts, max_size=3).map(tuple)),
    st.builds(Within, st.sampled_from(["languages", "country"]), st.lists(texts, max_size=3).map(tuple)),
    st.builds(AtLeast, st.sampled_from(["pay", "expires"]), numbers),
    st.builds(AtMost, st.sampled_from(["pay", "expires"]), numbers),
    st.builds(Near, st.just("place"), latitudes, longitudes, distances),
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


# One collection for all examples: each writes over the last, so the payload indexes see updates too.
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
    assert await found(index, Near("place", 52.0, 5.0, 40_000)) == []


async def test_distances_are_kilometres_on_the_globe(index: Index) -> None:
    berlin = {"lat": 52.52, "lon": 13.405}
    await index.upsert(SIDE, [live("berlin", 1, place=berlin)])
    assert await found(index, Near("place", 48.137, 11.575, 504)) == []  # Munich: 504.4 km as the crow flies
    assert await found(index, Near("place", 48.137, 11.575, 505)) == ["berlin"]


async def test_dropped_the_points_are_gone_and_prepared_it_takes_new_ones(index: Index):
    await index.upsert(SIDE, [live("a", 5)])
    await index.upsert(Lookup.ANCHOR, [live("x", 5)])
    await index.drop()
    await index.prepare()
    assert [await index.count(space) for space in (SIDE, Lookup.ANCHOR)] == [0, 0]
    assert await index.upsert(SIDE, [live("a", 1)]) == [None]


async def test_dropping_what_is_not_there_is_no_error(connect: Connect):
    index = connect(DIMS)
    await index.drop()
    await index.close()


async def test_a_dropped_generation_leaves_the_other_of_its_model(other: Index, index: Index) -> None:
    for each in (index, other):
        await each.upsert(SIDE, [live("a", 5)])
    await other.drop()
    assert await index.count(SIDE) == 1

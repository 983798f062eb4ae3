"""Points in both indexes: one test for each sentence of the port's docstrings."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexMismatch
from rolecall.streams.index.conditions import All, AnyOf, Not
from rolecall.streams.index.port import SPACES, Index, Lookup, Point, Query, now_ms
from tests.streams.index.contract.common import DIMS, EAST, LOCAL_QDRANT_WARNS, NORTH, SIDE, found, live

Connect = Callable[[int], Index]


pytestmark = LOCAL_QDRANT_WARNS


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

"""What repeats a stored point, and when its matches are published."""

import numpy as np
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.index.port import Index, Listing, Point, Repetition
from tests.streams.index.contract.common import DIMS, LOCAL_QDRANT_WARNS

pytestmark = LOCAL_QDRANT_WARNS


@pytest.fixture
async def write(index: Index):
    """A point of this revision and digest."""
    vector = np.full(DIMS, DIMS**-0.5, np.float32)

    async def one(revision: int = 5, digest: str = "one", *, settled: bool = True) -> None:
        await index.upsert(
            Side.VACANCY, [Point("v1", revision, vector, {"since": revision, "digest": digest})]
        )
        if settled:
            await index.settle(Side.VACANCY, [Listing("v1", revision, digest, 0, 0, 0)])

    return one


@pytest.fixture
def repeats(index: Index):
    async def asked(revision: int, digest: str = "one") -> bool:
        return await index.repeated(Side.VACANCY, [Repetition("v1", revision, digest)]) == {"v1"}

    return asked


async def stored(index: Index) -> int:
    return (await index.fetch(Side.VACANCY, ["v1"]))["v1"].revision


@pytest.mark.parametrize("revision", [5, 9])
async def test_the_same_digest_repeats_and_raises_the_revision(index, write, repeats, revision):
    await write()
    assert await repeats(revision)
    assert await stored(index) == revision


async def test_it_repeats_again_after_that(write, repeats):
    await write()
    assert [await repeats(revision) for revision in (7, 9, 8)] == [True, True, False]


async def test_an_older_revision_does_not(index, write, repeats):
    await write()
    assert not await repeats(4)
    assert await stored(index) == 5


async def test_another_digest_does_not(index, write, repeats):
    await write()
    assert not await repeats(9, "two")
    assert await stored(index) == 5


async def test_before_it_is_settled_it_does_not(index, write, repeats):
    await write(settled=False)
    assert not await repeats(9)


async def test_what_was_written_again_is_not_settled_by_the_earlier_matches(index, write, repeats):
    await write(settled=False)
    await write(6, settled=False)
    await index.settle(Side.VACANCY, [Listing("v1", 5, "one", 0, 0, 0)])
    assert not await repeats(9)


async def test_another_content_of_one_revision_is_not_settled_by_the_matches_of_the_first(index, repeats):
    """The worker that wrote the second content ended before it published its matches."""
    vector = np.full(DIMS, DIMS**-0.5, np.float32)
    for edition, digest in (("a", "one"), ("b", "two")):
        payload = {"since": 5, "edition": edition, "digest": digest}
        await index.upsert(Side.VACANCY, [Point("v1", 5, vector, payload)])
    await index.settle(Side.VACANCY, [Listing("v1", 5, "one", 0, 0, 0)])
    assert not await repeats(5, "two")
    await index.settle(Side.VACANCY, [Listing("v1", 5, "two", 0, 0, 0)])
    assert await repeats(5, "two")


async def test_settling_adds_nothing_to_a_tombstone(index, write, repeats):
    await write(settled=False)
    await index.upsert(Side.VACANCY, [Point("v1", 6)])
    await index.settle(Side.VACANCY, [Listing("v1", 5, "one", 0, 0, 0)])
    found = (await index.fetch(Side.VACANCY, ["v1"]))["v1"]
    assert (found.vector, found.payload, await repeats(9)) == (None, None, False)


async def test_an_unknown_id_repeats_nothing(index, repeats):
    assert not await repeats(9)

"""Whether an index exists, and how far it was fed."""

from collections.abc import Callable

import pytest

from rolecall.streams.errors import IndexGone
from rolecall.streams.index.port import SPACES, Index, Mark
from tests.streams.index.contract.common import DIMS, LOCAL_QDRANT_WARNS, SIDE, found, live

Connect = Callable[[int], Index]

pytestmark = LOCAL_QDRANT_WARNS


async def test_prepared_it_lacks_no_space_and_before_it_lacks_all(connect: Connect) -> None:
    index = connect(DIMS)
    assert await index.missing() == list(SPACES)
    await index.prepare()
    assert await index.missing() == []
    await index.drop()
    assert await index.missing() == list(SPACES)
    await index.close()


@pytest.mark.parametrize("connect_named", ["edge"], indirect=True)
async def test_only_prepare_creates(connect: Connect) -> None:
    index = connect(DIMS)
    for ask in (index.count(SIDE), index.fetch(SIDE, ["a"]), index.upsert(SIDE, [live("a", 1)])):
        with pytest.raises(IndexGone, match="rolecall rebuild"):
            await ask
    assert await index.missing() == list(SPACES)
    await index.close()


async def test_a_mark_is_kept_by_partition_and_never_goes_back(index: Index) -> None:
    assert await index.marks(SIDE, [0, 1]) == {}
    await index.mark(SIDE, {0: Mark(10, 1), 3: Mark(7, 1)})
    await index.mark(SIDE, {0: Mark(9, 2), 3: Mark(7, 5)})
    assert await index.marks(SIDE, [0, 1, 3]) == {0: Mark(10, 1), 3: Mark(7, 5)}
    assert await index.marks(SIDE.other, [0, 3]) == {}


async def test_a_mark_is_no_point_of_the_market(index: Index) -> None:
    await index.mark(SIDE, {0: Mark(10, 1)})
    assert (await found(index), await index.count(SIDE), await index.expired(SIDE, 2**53, 9)) == ([], 0, [])
    await index.purge(SIDE, before_ms=2**53)
    assert await index.marks(SIDE, [0]) == {0: Mark(10, 1)}

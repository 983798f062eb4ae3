"""Two workers write one id at the same time: what each is told, and what is stored at the end."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest

from rolecall.streams.index.port import Index, Point
from tests.streams.index.contract.common import DIMS, EAST, LOCAL_QDRANT_WARNS, SIDE, live

Connect = Callable[[int], Index]
Ended = defaultdict[str, int]  # by id, the highest revision withdrawn

pytestmark = LOCAL_QDRANT_WARNS


async def work(index: Index, points: Sequence[Point], matched: set[tuple[str, int]], ended: Ended) -> None:
    """What a worker does with what it is told: match what is current, withdraw what was there before."""
    for point in points:
        [before] = await index.upsert(SIDE, [point])
        if before is not None and before > point.revision:
            continue  # stale
        if before is not None:
            leaves_itself = point.vector is None and before == point.revision
            ended[point.id] = max(ended[point.id], point.revision + leaves_itself)
        if point.vector is not None:
            matched.add((point.id, point.revision))


@pytest.mark.parametrize("seed", range(12))
async def test_no_match_of_an_older_revision_is_held_whoever_writes_first(
    connect: Connect, seed: int
) -> None:
    rng = random.Random(seed)
    one, two = connect(DIMS), connect(DIMS)
    await one.prepare()
    events = [
        live(f"{id}", revision) if rng.random() < 0.6 else Point(f"{id}", revision)
        for id in range(6)
        for revision in rng.sample(range(1, 9), 4)
    ]
    rng.shuffle(events)
    matched, ended = set[tuple[str, int]](), Ended(int)
    shares = [[each for each in events if rng.random() < 0.6] for _ in range(2)]
    await asyncio.gather(work(one, shares[0], matched, ended), work(two, shares[1], matched, ended))
    stored = await one.fetch(SIDE, [f"{id}" for id in range(6)])
    newest = {id: max(e.revision for share in shares for e in share if e.id == id) for id in stored}
    assert {id: point.revision for id, point in stored.items()} == newest
    held = {(id, revision) for id, revision in matched if revision >= ended[id]}
    assert held <= {(id, point.revision) for id, point in stored.items() if point.vector is not None}
    await asyncio.gather(one.close(), two.close())


@pytest.mark.parametrize("first", ["5", "9"])
async def test_of_one_revision_with_two_contents_the_higher_hash_wins(index: Index, first: str) -> None:
    contents = {hash: Point("a", 7, EAST, {"edition": hash}) for hash in ("5", "9")}
    [second] = {"5", "9"} - {first}
    assert await index.upsert(SIDE, [contents[first]]) == [None]
    assert index.contested == 0
    assert await index.upsert(SIDE, [contents[second]]) == [7 if second == "9" else 8]
    assert index.contested == 1
    assert (await index.fetch(SIDE, ["a"]))["a"].payload == {"edition": "9"}
    assert await index.upsert(SIDE, [contents["9"]]) == [7]
    assert index.contested == 1

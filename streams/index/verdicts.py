"""Verdicts in the index: which pairs were turned down, and when.

A verdict holds while neither of the two has changed since: a pair may match again from the next revision of
either on. So of several verdicts on a pair only the latest counts, and their order does not matter.

Each entity with a verdict has one point, whether the entity is indexed yet or not. The point holds the times
of the entity's verdicts, by the name of the counterpart's point. Its revision counts its writes: who writes a
revision that is stored already has been overtaken by another worker, and reads again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

import numpy as np

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexUnavailable
from rolecall.streams.index.port import Index, Lookup, Point

Times = dict[str, int]
"""Of verdicts, in milliseconds since the epoch, by the name of the counterpart."""

Given = Mapping[tuple[str, str], int]
"""Times of verdicts, by vacancy id and candidate id."""

MOST = 1_000  # verdicts of one entity; the latest are kept
TRIES = 32  # of a write that other workers overtake


def name(side: Side, id: str) -> str:
    """Of an entity's point: a hash, so that the verdicts name nobody."""
    return blake2b(f"{side}/{id}".encode(), digest_size=8).hexdigest()


def least_since(point: Point | None) -> int:
    """Of an entity's point. A verdict from before this time cannot hold any more."""
    if point is None:
        return 0
    if point.vector is None:  # only a later revision brings it back
        return point.revision + 1
    return int(str((point.payload or {}).get("since", point.revision)))


async def verdicts(index: Index, side: Side, ids: Iterable[str]) -> dict[str, Times]:
    """By entity id; entities without a verdict are left out."""
    named = {name(side, id): id for id in ids}
    points = await index.fetch(Lookup.VERDICT, list(named))
    return {named[each]: times for each, point in points.items() if (times := _read(point))}


async def add(index: Index, dims: int, given: Given, since: Mapping[str, int]) -> int:
    """Returns how many were dropped because an entity had more than `MOST`.

    since: by the name of an entity, its `least_since`.
    """
    news = _both_ways(given)
    dropped: dict[str, int] = {}

    def merged(each: str, before: Times) -> Times:
        later = {other: max(time, before.get(other, 0)) for other, time in news[each].items()}
        times = {other: time for other, time in (before | later).items() if time >= since[each]}
        kept = sorted(times.items(), key=lambda verdict: (verdict[1], verdict[0]))[-MOST:]
        dropped[each] = len(times) - len(kept)
        return dict(kept)

    await _change(index, dims, news, merged)
    return sum(dropped.values())


async def remove(index: Index, dims: int, given: Given) -> None:
    """Take out these verdicts, and older ones on the same pairs."""
    await _take_out(index, dims, _both_ways(given))


async def erase(index: Index, dims: int, side: Side, erased: Mapping[str, int]) -> None:
    """Take out the verdicts on entities that were erased, unless they are later than the erasure.

    erased: by id, the revision. Call this once the entities are taken out of the index.
    """
    until = {name(side, id): revision for id, revision in erased.items()}
    points = await index.fetch(Lookup.VERDICT, list(until))
    others: dict[str, Times] = {}
    own: dict[str, Times] = {}
    for one, point in points.items():
        for other in _read(point):
            others.setdefault(other, {})[one] = own.setdefault(one, {})[other] = until[one]
    await _take_out(index, dims, others)
    await _take_out(index, dims, own)  # last: if this is interrupted, it is done again


def _both_ways(given: Given) -> dict[str, Times]:
    """By the name of each entity, the times by the names of its counterparts."""
    times: dict[str, Times] = {}
    for (vacancy, candidate), time in given.items():
        one, other = name(Side.VACANCY, vacancy), name(Side.CANDIDATE, candidate)
        times.setdefault(one, {})[other] = times.setdefault(other, {})[one] = time
    return times


async def _take_out(index: Index, dims: int, gone: Mapping[str, Times]) -> None:
    def rest(each: str, before: Times) -> Times:
        return {other: time for other, time in before.items() if time > gone[each].get(other, -1)}

    await _change(index, dims, gone, rest)


async def _change(
    index: Index, dims: int, names: Iterable[str], change: Callable[[str, Times], Times]
) -> None:
    """Read, change and write these points until no other writer has come between."""
    vector = np.zeros(dims, np.float32)  # nobody searches among verdicts
    pending = sorted(names)
    for _ in range(TRIES):
        if not pending:
            return
        stored = await index.fetch(Lookup.VERDICT, pending)
        news: list[Point] = []
        for each in pending:
            point = stored.get(each, Point(each, 0))
            before = _read(point)
            if (after := change(each, before)) != before:
                news.append(Point(each, point.revision + 1, vector, {"verdicts": _written(after)}))
        replaced = await index.upsert(Lookup.VERDICT, news) if news else []
        stale = [was is not None and was >= new.revision for new, was in zip(news, replaced, strict=True)]
        pending = [new.id for new, overtaken in zip(news, stale, strict=True) if overtaken]
        await _remove_empty(index, [new for new in news if new.id not in pending])
    raise IndexUnavailable(f"other writers changed {len(pending)} verdicts {TRIES} times in a row")


async def _remove_empty(index: Index, written: Sequence[Point]) -> None:
    """A tombstone replaces the point of its own revision, and nothing that another worker wrote after it."""
    empty = [Point(each.id, each.revision) for each in written if not _read(each)]
    if empty:
        await index.upsert(Lookup.VERDICT, empty)


def _read(point: Point) -> Times:
    pairs = (each.split(":") for each in str((point.payload or {}).get("verdicts", "")).split())
    return {name: int(time) for name, time in pairs}


def _written(times: Times) -> str:
    return " ".join(f"{name}:{time}" for name, time in times.items())

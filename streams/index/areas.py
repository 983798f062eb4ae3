"""Areas of exclusion rules in the index: which entities are inside an area, and which are then excluded.

An anchor is stored divided by its radius: a point is inside its area when their dot product is 1 or more, and
one search with that least score finds every area a batch is in, however many rules there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rolecall.streams.index.conditions import All
from rolecall.streams.index.port import Hit, Index, Lookup, Query, Space

Vector = npt.NDArray[np.float32]
Area = Vector  # (dims,): an anchor divided by its radius

ROUNDING = 1e-5  # of scores, by engines
INSIDE = 1 - ROUNDING  # an entity is inside an area of radius 1 around itself
DEPTH = 1_000
DEEPER = 4
MAX_DEPTH = 10_000


def other_anchor(id: str) -> str:
    """An anchor's id is its rule's, `#`, and 0 or 1."""
    return id[:-1] + ("1" if id.endswith("0") else "0")


async def inside(index: Index, space: Space, vectors: Sequence[Vector]) -> list[list[Hit]]:
    """All points that score 1 or more with each vector, without a limit."""
    found: list[list[Hit]] = [[] for _ in vectors]
    pending, limit = list(range(len(vectors))), DEPTH
    while pending:
        answers = await index.search(space, [Query(vectors[i], All(), limit, INSIDE) for i in pending])
        for i, hits in zip(pending, answers, strict=True):
            found[i] = hits
        pending, limit = [i for i in pending if len(found[i]) == limit], limit * DEEPER
    return found


async def search_allowed(index: Index, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
    """`Index.search_allowed` by the other methods: search, then look for areas, then search deeper for what
    is short of hits, 10,000 deep at most."""
    found: list[list[Hit]] = [[] for _ in queries]
    limits = [query.limit for query in queries]
    pending = list(range(len(queries)))
    while pending:
        answers = await index.search(space, [replace(queries[i], limit=limits[i]) for i in pending])
        closed = await _closed(index, [queries[i].vector for i in pending])
        asked = [hit.id for hits, areas in zip(answers, closed, strict=True) if areas for hit in hits]
        vectors = await index.vectors(space, sorted(set(asked))) if asked else {}
        short = []
        for i, hits, areas in zip(pending, answers, closed, strict=True):
            near, beyond = hits[: limits[i]], hits[limits[i] :]
            if areas:
                near, beyond = _outside(near, vectors, areas), _outside(beyond, vectors, areas)
            limit = queries[i].limit
            reached = (hit for hit in near[limit:] + beyond if queries[i].reach and hit.reaches)
            found[i] = [*near[:limit], *reached]
            if len(near) < limit and len(hits) >= limits[i] and limits[i] < MAX_DEPTH:
                short.append(i)
                limits[i] = min(limits[i] * DEEPER, MAX_DEPTH)
        pending = short
    return found


async def _closed(index: Index, vectors: Sequence[Vector]) -> list[list[Area]]:
    """For each vector, the areas across from those that it is in."""
    found = await inside(index, Lookup.ANCHOR, vectors)
    others = [[other_anchor(hit.id) for hit in hits] for hits in found]
    ids = sorted({id for each in others for id in each})
    areas = await index.vectors(Lookup.ANCHOR, ids) if ids else {}
    return [[areas[id] for id in each if id in areas] for each in others]


def _outside(hits: Sequence[Hit], vectors: Mapping[str, Vector], areas: Sequence[Area]) -> list[Hit]:
    """Without what was taken out in between."""
    known = [hit for hit in hits if hit.id in vectors]
    if not known:
        return []
    scores = np.stack([vectors[hit.id] for hit in known]) @ np.stack(areas).T  # (hits, areas)
    return [hit for hit, score in zip(known, scores.max(axis=1).tolist(), strict=True) if score < INSIDE]

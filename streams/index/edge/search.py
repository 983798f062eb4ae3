"""Exact search among the points in memory. The engine keeps them, and searches nothing.

HNSW is never built: building it stops every request for 17 s at 20,000 points of 1,024 dimensions. Asked in
full, the engine takes 3.5 ms a query, nearly all of it for testing a broad filter on every point. Here one
matrix product bounds the score of every point (`sketches.py`). Few points can be among the best or reach
their floor. Only these are filtered, and then scored exactly. Past 100,000 points use a Qdrant server.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from rolecall.streams.index.areas import ROUNDING
from rolecall.streams.index.conditions import All, Condition, Payload
from rolecall.streams.index.edge.condition_json import decode
from rolecall.streams.index.edge.points import Id, Points, Rows
from rolecall.streams.index.edge.sketches import Vectors
from rolecall.streams.index.port import SCORE_UNITS, Least

QUERIES_AT_ONCE = 64  # bounds the scores: 64 queries on 100,000 points are 26 MB
NOWHERE: Vectors = np.empty((0, 0), np.float32)  # no area
LIKELY_PER_HIT = 8
DEEPER = 8
BLOCK = 16  # rows per block; each block has one maximum

Asked = tuple[list[Any], int, float | None, int | None, int, int | None]
"""As the fields of `Query`; positions of tables for these."""
Scored = tuple[Rows, Vectors]
"""Rows and their exact scores."""


class Wanted(NamedTuple):
    """As `Query`, but for the vector."""

    condition: Condition
    limit: int
    min_score: float | None
    useful: Least | None
    closed: Vectors  # (areas, dims): no hit may lie in one of them
    reach: int
    reach_useful: Least | None


def hits(
    points: Points, vectors: Vectors, queries: list[Asked], closed: list[Vectors], tables: list[list[int]]
) -> tuple[list[Payload], list[list[tuple[int, float]]]]:
    """Each payload once, and for each query its hits: places of payloads, and scores."""
    least: dict[int | None, Least | None] = {None: None}
    least |= {number: np.array(table, np.int32) for number, table in enumerate(tables)}
    wanted = [
        Wanted(decode(condition), limit, lowest, least[useful], areas, reach, least[those])
        for (condition, limit, lowest, useful, reach, those), areas in zip(queries, closed, strict=True)
    ]
    places: dict[int, int] = {}
    answers = [
        [
            (places.setdefault(row, len(places)), score)
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]
        for rows, scores in found(points, vectors, wanted)
    ]
    return [points.at(row) for row in places], answers


def ranked(points: Points, vectors: Vectors, min_score: float) -> Iterator[list[Id]]:
    """For each vector, all points that score as much, best first."""
    wanted = Wanted(All(), len(points), min_score, None, NOWHERE, 0, None)
    for rows, _ in found(points, vectors, [wanted] * len(vectors)):
        yield [points.id_at(row) for row in rows.tolist()]


def found(points: Points, vectors: Vectors, wanted: list[Wanted]) -> Iterator[Scored]:
    if not len(points):
        yield from ((np.empty(0, np.int64), np.empty(0, np.float32)) for _ in wanted)
        return
    for start in range(0, len(wanted), QUERIES_AT_ONCE):
        some = vectors[start : start + QUERIES_AT_ONCE]
        for vector, bounds, query in zip(some, points.bounds(some), wanted[start:], strict=False):
            near, scores = _near(points, vector, bounds, query)
            if query.reach:
                beyond, theirs = _reached(points, vector, bounds, query)
                more = np.isin(beyond, near, invert=True)
                near, scores = np.append(near, beyond[more]), np.append(scores, theirs[more])
            yield near, scores


def _near(points: Points, vector: Vectors, bounds: Vectors, query: Wanted) -> Scored:
    """The best `limit`. A first look at the likeliest tells how much a row must score."""
    if not query.limit:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    rows = _enough(points, bounds, query)
    bounds = bounds[rows]
    likely = LIKELY_PER_HIT * query.limit
    while likely < len(rows):
        first = rows[_highest(bounds, likely)]
        known, scores = _allowed(points, vector, first, query)
        if len(known) >= query.limit:
            least = np.partition(scores, -query.limit)[-query.limit]
            rows = rows[bounds >= least - ROUNDING]
            break
        likely *= DEEPER
    return _best(*_allowed(points, vector, rows, query), query.limit)


def _enough(points: Points, bounds: Vectors, query: Wanted) -> Rows:
    """The rows that may score as much as is asked for."""
    if query.min_score is not None:
        return np.flatnonzero(bounds >= query.min_score - ROUNDING)
    if query.useful is None:
        return np.arange(len(bounds))
    rows = np.flatnonzero(bounds >= float(query.useful[-1]) / SCORE_UNITS - ROUNDING)
    return rows[points.useful(rows, bounds[rows], query.useful)]


def _reached(points: Points, vector: Vectors, bounds: Vectors, query: Wanted) -> Scored:
    """The best `reach` of those whose floor is reached. Their own lists may ask for less than `useful`."""
    rows = np.flatnonzero(bounds >= points.floors() - ROUNDING)
    if query.reach_useful is not None:
        rows = rows[points.useful(rows, bounds[rows], query.reach_useful) | points.asks(rows)]
    known, scores = _allowed(points, vector, rows, query._replace(min_score=None, useful=None))
    floors = points.floors()[known].astype(np.float64) * SCORE_UNITS
    reached = np.rint(scores.astype(np.float64) * SCORE_UNITS) >= np.rint(floors)
    if query.reach_useful is not None:
        reached &= points.useful(known, scores, query.reach_useful) | points.asks(known)
    return _best(known[reached], scores[reached], query.reach)


def _allowed(points: Points, vector: Vectors, rows: Rows, query: Wanted) -> Scored:
    """Those of the rows that the query wants."""
    rows = rows[points.columns.passing(query.condition, rows)]
    rows = points.outside(rows, query.closed)
    scores = points.scores(vector, rows)
    enough = np.ones(len(rows), np.bool_)
    if query.min_score is not None:
        enough = scores >= query.min_score
    elif query.useful is not None:
        enough = points.useful(rows, scores, query.useful)
    return rows[enough], scores[enough]


def _best(rows: Rows, scores: Vectors, count: int) -> Scored:
    """The `count` highest, best first."""
    if count < len(rows):
        highest = np.argpartition(scores, -count)[-count:]
        rows, scores = rows[highest], scores[highest]
    order = np.argsort(-scores, kind="stable")
    return rows[order], scores[order]


def _highest(scores: Vectors, count: int) -> Rows:
    """The rows of the `count` highest scores, in no order.

    As many blocks of rows have a maximum that is one of their `count` highest or above it: few rows are left.
    """
    blocks = len(scores) // BLOCK
    if count >= blocks:
        return np.argpartition(scores, -count)[-count:]
    highest = scores[: blocks * BLOCK].reshape(blocks, BLOCK).max(1)
    rows = np.flatnonzero(scores >= np.partition(highest, -count)[-count])
    return rows[np.argpartition(scores[rows], -count)[-count:]]

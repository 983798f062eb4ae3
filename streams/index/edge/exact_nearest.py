"""Exact nearest vectors of many queries at once, by matrix products.

If a least score is known, a query is first compared on few axes: the principal axes of the points, which hold
most of the length of every vector. The other axes can add at most the product of the two remainders' lengths
(Cauchy–Schwarz). So most points are ruled out without computing their exact scores.
"""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt

from rolecall.streams.index.areas import INSIDE, ROUNDING
from rolecall.streams.index.port import SCORE_UNITS, UNREACHABLE, Least

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Id = int | str | UUID

NOWHERE: Vectors = np.empty((0, 0), np.float32)  # no area

QUERIES_AT_ONCE = 64  # bounds the scores: 64 queries on 100,000 points are 26 MB
AXES = 127  # plus the length of the remainder: 128
BLOCK = 16  # points per block; each block has one maximum
FROM_POINTS = 2_000  # below it one product is as quick
SAMPLE = 4_096  # points that the axes are found from; 0.2 s, each time the points have doubled
MOST_IN_QUESTION = 1 / 16  # of the points; with more, one product of everything is quicker
FEW = 16  # hits of a query that are scored first, for a better bound


class Nearest:
    def __init__(self, dims: int) -> None:
        self._vectors: Vectors = np.empty((1024, dims), np.float32)
        self._floors: npt.NDArray[np.int32] = np.zeros(1024, np.int32)
        self._asks: npt.NDArray[np.bool_] = np.zeros(1024, np.bool_)
        self._kinds: npt.NDArray[np.int16] = np.zeros(1024, np.int16)
        self._ids: list[Id] = []
        self._rows: dict[Id, int] = {}
        self._axes: Vectors = np.empty((dims, min(AXES, dims)), np.float32)
        self._sketches: Vectors = np.zeros((1024, self._axes.shape[1] + 1), np.float32)
        self._stale: set[int] = set()  # rows whose sketch is not known
        self._axes_from = 0  # number of points when the axes were computed

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: Id) -> bool:
        return id in self._rows

    def put(
        self, id: Id, vector: Vectors, floor: int = UNREACHABLE, kind: int = -1, *, asks: bool = False
    ) -> None:
        row = self._rows.setdefault(id, len(self._ids))
        if row == len(self._ids):
            self._ids.append(id)
        if row == len(self._vectors):
            for name in ("_vectors", "_sketches", "_floors", "_asks", "_kinds"):
                held = getattr(self, name)
                setattr(self, name, np.concatenate([held, np.zeros_like(held)]))
        self._vectors[row] = vector
        self._floors[row] = floor
        self._asks[row] = asks
        self._kinds[row] = kind
        self._stale.add(row)

    def set_floor(self, id: Id, floor: int) -> None:
        self._floors[self._rows[id]] = floor

    def vectors(self, ids: Sequence[Id]) -> Vectors:
        return self._vectors[[self._rows[id] for id in ids]]  # (ids, dims)

    def drop(self, id: Id) -> None:
        row = self._rows.pop(id, None)
        if row is None:
            return
        last = self._ids.pop()  # takes the freed row
        self._stale.discard(len(self._ids))
        if last != id:
            self._ids[row] = last
            self._rows[last] = row
            self._vectors[row] = self._vectors[len(self._ids)]
            self._floors[row] = self._floors[len(self._ids)]
            self._asks[row] = self._asks[len(self._ids)]
            self._kinds[row] = self._kinds[len(self._ids)]
            self._stale.add(row)

    def scores(self, queries: Vectors) -> Vectors:
        """(queries, points)"""
        stored = self._vectors[: len(self)]
        return np.ascontiguousarray((stored @ queries.T).T)  # this way round it is a fifth quicker

    def highest(self, scores: Vectors, count: int, closed: Vectors) -> set[Id]:
        """Of the points with the `count` highest scores, at most as many as there are, those in no area."""
        return self._outside(_highest(scores, count), closed)

    def useful(self, scores: Vectors, least: Least) -> npt.NDArray[np.bool_]:
        """(points,): whether they score as much as is asked of their kind. One unit is for rounding."""
        enough: npt.NDArray[np.bool_] = scores * SCORE_UNITS + 1 >= least[self._kinds[: len(self)]]
        return enough

    def reached(self, scores: Vectors, least: Least | None, closed: Vectors) -> set[Id]:
        """The points whose floor their score reaches, and that are in no area. One unit is for rounding."""
        enough = scores * SCORE_UNITS + 1 >= self._floors[: len(self)]
        if least is not None:
            enough &= self.useful(scores, least) | self._asks[: len(self)]
        return self._outside(np.flatnonzero(enough), closed)

    def outside(self, ids: Sequence[Id], closed: Vectors) -> set[Id]:
        """Those of the points that are in no area."""
        return self._outside(np.array([self._rows[id] for id in ids], np.int64), closed)

    def _outside(self, rows: Rows, closed: Vectors) -> set[Id]:
        if len(closed):
            rows = rows[(self._vectors[rows] @ closed.T).max(axis=1) < INSIDE]
        return {self._ids[row] for row in rows.tolist()}

    def ranked(
        self, queries: Vectors, wanted: Sequence[tuple[int, float | None]]
    ) -> Iterator[list[tuple[Id, float]]]:
        """Each query's highest dot products, best first: (how many at most, the least to count)."""
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            some = wanted[start : start + QUERIES_AT_ONCE]
            scored = self._scored(queries[start : start + QUERIES_AT_ONCE], some)
            for (rows, scores), (limit, least) in zip(scored, some, strict=True):
                order = np.arange(len(rows)) if least is None else np.flatnonzero(scores >= least)
                if limit < len(order):
                    order = order[np.argpartition(scores[order], -limit)[-limit:]]
                order = order[np.argsort(-scores[order], kind="stable")]
                ids = [self._ids[row] for row in rows[order].tolist()]
                yield list(zip(ids, scores[order].tolist(), strict=True))

    def _scored(
        self, queries: Vectors, wanted: Sequence[tuple[int, float | None]]
    ) -> Iterator[tuple[Rows, Vectors]]:
        """All points in question for each query, and their exact scores."""
        in_question: list[Rows | None] = [None] * len(queries)  # None: all
        if self._know_sketches():
            bounds = self._sketch(queries) @ self._sketches[: len(self)].T  # (queries, points)
            for i, mine in enumerate(bounds):
                in_question[i] = self._in_question(queries[i], mine, *wanted[i])
        plain = [i for i, rows in enumerate(in_question) if rows is None]
        products = iter(queries[plain] @ self._vectors[: len(self)].T)
        for query, rows in zip(queries, in_question, strict=True):
            if rows is None:
                yield np.arange(len(self)), next(products)
            else:
                yield rows, self._vectors[rows] @ query

    def _in_question(self, query: Vectors, bounds: Vectors, limit: int, least: float | None) -> Rows | None:
        """bounds: (points,), no score is above its own. None if they are so many that all may as well be."""
        enough = -np.inf if least is None else least
        if limit <= min(FEW, len(self)):
            first = _highest(bounds, limit)
            enough = max(enough, float((self._vectors[first] @ query).min()))
        rows = np.flatnonzero(bounds >= enough - ROUNDING)
        return rows if len(rows) <= MOST_IN_QUESTION * len(self) else None

    def _sketch(self, vectors: Vectors) -> Vectors:
        """Coordinates on the main axes, plus the length of the remainder, rounded up to be an upper bound.

        The product of two sketches is no less than that of the vectors. (vectors, axes + 1)
        """
        heads = vectors @ self._axes
        whole = np.einsum("vd,vd->v", vectors, vectors)
        left = whole * (1 + ROUNDING) - np.einsum("va,va->v", heads, heads)
        sketches: Vectors = np.column_stack([heads, np.sqrt(np.maximum(left, 0.0))])
        return sketches

    def _know_sketches(self) -> bool:
        """Brings them up to date; False while there are few points."""
        count = len(self)
        if count < FROM_POINTS:
            return False
        if count >= 2 * self._axes_from:
            sample = self._vectors[: count : -(-count // SAMPLE)]
            axes = np.linalg.eigh(sample.T @ sample).eigenvectors[:, ::-1]  # the longest first
            self._axes = np.ascontiguousarray(axes[:, :AXES], np.float32)
            self._axes_from = count
            self._stale = set(range(count))
        if self._stale:
            rows = np.fromiter(self._stale, np.int64)
            for part in np.array_split(rows, -(-len(rows) // SAMPLE)):
                self._sketches[part] = self._sketch(self._vectors[part])
            self._stale.clear()
        return True


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

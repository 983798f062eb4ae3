"""Exact nearest vectors of many queries at once: one matrix product.

Who asks for all that score at least so much gets by with an eighth of it. A sketch of a vector is its
projection on the few directions that most vectors share, and the length of what is left over. The product of
two sketches is never below that of the vectors (Cauchy-Schwarz), so only where it reaches the least score are
the vectors multiplied.
"""

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Id = int | str | UUID

QUERIES_AT_ONCE = 64  # bounds the scores: 64 queries on 100,000 points are 26 MB
SKETCHED_FROM = 2_048  # points
DIRECTIONS = 128
SLACK = 1e-5  # of the squared length; more than float32 rounds away


class Nearest:
    def __init__(self, dims: int) -> None:
        self._vectors: Vectors = np.empty((1024, dims), np.float32)
        self._ids: list[Id] = []
        self._rows: dict[Id, int] = {}
        self._sketched_points = SKETCHED_FROM // 2
        self._directions: Vectors = np.empty((dims, min(DIRECTIONS, dims)), np.float32)
        self._sketches: Vectors = np.empty((0, min(DIRECTIONS, dims) + 1), np.float32)
        self._unsketched: set[int] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: Id) -> bool:
        return id in self._rows

    def put(self, id: Id, vector: Vectors) -> None:
        row = self._rows.setdefault(id, len(self._ids))
        if row == len(self._ids):
            self._ids.append(id)
        if row == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.empty_like(self._vectors)])
        self._vectors[row] = vector
        self._unsketched.add(row)

    def vectors(self, ids: Sequence[Id]) -> Vectors:
        return self._vectors[[self._rows[id] for id in ids]]  # (ids, dims)

    def drop(self, id: Id) -> None:
        row = self._rows.pop(id, None)
        if row is None:
            return
        last = self._ids.pop()  # takes the freed row
        if last != id:
            self._ids[row] = last
            self._rows[last] = row
            self._vectors[row] = self._vectors[len(self._ids)]
            self._unsketched.add(row)

    def best(self, queries: Vectors, count: int) -> Iterator[set[Id]]:
        """The ids of each query's `count` highest dot products, in no order; at most as many as there are."""
        stored = self._vectors[: len(self)]  # (points, dims)
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            scores = queries[start : start + QUERIES_AT_ONCE] @ stored.T  # (queries, points)
            for each in scores:
                yield {self._ids[row] for row in np.argpartition(each, -count)[-count:].tolist()}

    def ranked(
        self, queries: Vectors, wanted: Sequence[tuple[int, float | None]]
    ) -> Iterator[list[tuple[Id, float]]]:
        """Each query's highest dot products, best first: (how many at most, the least to count)."""
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            found = self._scored(queries[part], [least for _, least in wanted[part]])
            for (rows, scores), (limit, _) in zip(found, wanted[part], strict=True):
                best = np.argpartition(scores, -limit)[-limit:] if limit < len(rows) else np.arange(len(rows))
                best = best[np.argsort(-scores[best], kind="stable")]
                yield [(self._ids[rows[i]], float(scores[i])) for i in best.tolist()]

    def _scored(
        self, queries: Vectors, least: Sequence[float | None]
    ) -> Iterator[tuple[npt.NDArray[np.intp], Vectors]]:
        """Of each query the rows that score as much, and their scores."""
        stored = self._vectors[: len(self)]  # (points, dims)
        floors = [-np.inf if each is None else each for each in least]
        if None in least or len(self) < SKETCHED_FROM:
            for scores, floor in zip(queries @ stored.T, floors, strict=True):
                rows = np.flatnonzero(scores >= floor)
                yield rows, scores[rows]
            return
        sketches = self._sketched()
        for query, bounds, floor in zip(queries, self._sketch(queries) @ sketches.T, floors, strict=True):
            rows = np.flatnonzero(bounds >= floor)
            scores = stored[rows] @ query
            enough = scores >= floor
            yield rows[enough], scores[enough]

    def _sketched(self) -> Vectors:
        """(points, directions + 1), with new directions whenever the points have doubled."""
        points = len(self)
        if points >= 2 * self._sketched_points:
            self._sketched_points = points
            self._directions = _shared_directions(self._vectors[:points], self._directions.shape[1])
            self._unsketched = set(range(points))
        if len(self._sketches) < len(self._vectors):
            self._sketches = np.resize(self._sketches, (len(self._vectors), self._sketches.shape[1]))
        rows = [row for row in self._unsketched if row < points]
        self._sketches[rows] = self._sketch(self._vectors[rows])
        self._unsketched.clear()
        return self._sketches[:points]

    def _sketch(self, vectors: Vectors) -> Vectors:
        """(n, dims) -> (n, directions + 1)"""
        projected = vectors @ self._directions
        squares = np.square(vectors).sum(axis=1)
        left_over = np.maximum(squares - np.square(projected).sum(axis=1), 0) + SLACK * squares
        return np.column_stack([projected, np.sqrt(left_over)])


def _shared_directions(vectors: Vectors, count: int) -> Vectors:
    """(dims, count), orthonormal: about the first principal ones, by one step of power iteration.

    Halko, Martinsson, Tropp 2011, "Finding structure with randomness". Any directions give right answers.
    """
    sample = vectors[:: max(1, len(vectors) // 4096)]
    start = np.random.default_rng(0).standard_normal((vectors.shape[1], count), np.float32)
    directions: Vectors = np.linalg.qr(sample.T @ (sample @ start))[0]
    return directions

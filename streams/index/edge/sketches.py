"""Upper bounds of many dot products at once, for much less than the products take.

Vectors are compared on few axes: the principal axes of the points, which hold most of the length of every
vector. The other axes can add at most the product of the two remainders' lengths (Cauchy–Schwarz). So most
points are ruled out without computing their exact scores.
"""

import numpy as np
import numpy.typing as npt

from rolecall.streams.index.areas import ROUNDING

Vectors = npt.NDArray[np.float32]

AXES = 255  # plus the length of the remainder: 256
FROM_POINTS = 2_000  # below it the products themselves are as quick
SAMPLE = 4_096  # points that the axes are found from; 0.2 s, each time the points have doubled


class Sketches:
    def __init__(self, dims: int) -> None:
        self._axes: Vectors = np.empty((dims, min(AXES, dims)), np.float32)
        self._sketches: Vectors = np.empty((0, self._axes.shape[1] + 1), np.float32)
        self._stale: set[int] = set()  # rows whose sketch is not known
        self._axes_from = 0  # number of points when the axes were computed

    def changed(self, row: int) -> None:
        self._stale.add(row)

    def bounds(self, queries: Vectors, vectors: Vectors) -> Vectors:
        """(queries, points): no dot product is above its bound, but for rounding (`areas.ROUNDING`).

        vectors: (points, dims), of all rows. Those that changed since the last call were told.
        """
        if len(vectors) < FROM_POINTS:
            return _products(queries, vectors)
        self._know(vectors)
        return _products(self._sketch(queries), self._sketches[: len(vectors)])

    def _sketch(self, vectors: Vectors) -> Vectors:
        """Coordinates on the main axes, plus the length of the remainder, rounded up to be an upper bound.

        The product of two sketches is no less than that of the vectors. (vectors, axes + 1)
        """
        heads = vectors @ self._axes
        whole = np.einsum("vd,vd->v", vectors, vectors)
        left = whole * (1 + ROUNDING) - np.einsum("va,va->v", heads, heads)
        sketches: Vectors = np.column_stack([heads, np.sqrt(np.maximum(left, 0.0))])
        return sketches

    def _know(self, vectors: Vectors) -> None:
        count = len(vectors)
        if count >= 2 * self._axes_from:
            sample = vectors[:: -(-count // SAMPLE)]
            axes = np.linalg.eigh(sample.T @ sample).eigenvectors[:, ::-1]  # the longest first
            self._axes = np.ascontiguousarray(axes[:, :AXES], np.float32)
            self._axes_from = count
            self._sketches = np.empty((2 * count, self._axes.shape[1] + 1), np.float32)
            self._stale = set(range(count))
        if self._stale:
            rows = np.array([row for row in self._stale if row < count], np.int64)
            for part in np.array_split(rows, 1 + len(rows) // SAMPLE):
                self._sketches[part] = self._sketch(vectors[part])
            self._stale.clear()


def _products(queries: Vectors, vectors: Vectors) -> Vectors:
    """(queries, vectors)"""
    return np.ascontiguousarray((vectors @ queries.T).T)  # this way round it is a fifth quicker

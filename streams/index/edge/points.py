"""The live points of one space in memory, by row: what a search compares, and what a hit carries."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt

from rolecall.streams.index.areas import INSIDE
from rolecall.streams.index.columns import Columns
from rolecall.streams.index.conditions import PAYLOAD_INDEXES, Payload
from rolecall.streams.index.edge.sketches import Sketches, Vectors
from rolecall.streams.index.port import SCORE_UNITS, UNREACHABLE, Least

Id = int | str | UUID
Rows = npt.NDArray[np.int64]

FILTERED = frozenset(field for field, kind in PAYLOAD_INDEXES.items() if kind != "integer")
CARRIED_TOO = ("revision", "floor")  # the other fields of PAYLOAD_INDEXES stay behind


class Points:
    def __init__(self, dims: int) -> None:
        self.columns = Columns()
        self._vectors: Vectors = np.empty((1024, dims), np.float32)
        self._floors: npt.NDArray[np.float32] = np.zeros(1024, np.float32)  # scores
        self._asks: npt.NDArray[np.bool_] = np.zeros(1024, np.bool_)
        self._kinds: npt.NDArray[np.int16] = np.zeros(1024, np.int16)
        self._payloads: list[Payload] = []
        self._ids: list[Id] = []
        self._rows: dict[Id, int] = {}
        self._sketches = Sketches(dims)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: Id) -> bool:
        return id in self._rows

    def put(self, id: Id, vector: Vectors, payload: Payload) -> None:
        row = self._rows.setdefault(id, len(self._ids))
        carried = {
            name: each for name, each in payload.items() if name not in PAYLOAD_INDEXES or name in CARRIED_TOO
        }
        if row == len(self._ids):
            self._ids.append(id)
            self._payloads.append(carried)
        if row == len(self._vectors):
            for name in ("_vectors", "_floors", "_asks", "_kinds"):
                held = getattr(self, name)
                setattr(self, name, np.concatenate([held, np.zeros_like(held)]))
        self._payloads[row] = carried
        self._vectors[row] = vector
        self._floors[row] = _floor(payload)
        self._asks[row] = "asks" in payload
        self._kinds[row] = int(str(payload.get("kind", -1)))
        self.columns.put(row, {name: payload[name] for name in FILTERED & payload.keys()})
        self._sketches.changed(row)

    def update(self, id: Id, news: Payload) -> None:
        """Fields that no condition names."""
        row = self._rows[id]
        self._payloads[row].update(news)
        self._floors[row] = _floor(self._payloads[row])

    def drop(self, id: Id) -> None:
        row = self._rows.pop(id, None)
        if row is None:
            return
        last = len(self._ids) - 1  # takes the freed row
        moved, payload = self._ids.pop(), self._payloads.pop()
        if last != row:
            self._ids[row], self._payloads[row] = moved, payload
            self._rows[moved] = row
            for column in (self._vectors, self._floors, self._asks, self._kinds):
                column[row] = column[last]
            self.columns.move(last, row)
            self._sketches.changed(row)

    def payload(self, id: Id) -> Payload | None:
        """As hits carry it; None if there is no such point."""
        row = self._rows.get(id)
        return None if row is None else self._payloads[row]

    def at(self, row: int) -> Payload:
        return self._payloads[row]

    def id_at(self, row: int) -> Id:
        return self._ids[row]

    def vectors(self, ids: Sequence[Id]) -> Vectors:
        return self._vectors[[self._rows[id] for id in ids]]  # (ids, dims)

    def bounds(self, queries: Vectors) -> Vectors:
        """(queries, points): see `Sketches.bounds`."""
        return self._sketches.bounds(queries, self._vectors[: len(self)])

    def scores(self, query: Vectors, rows: Rows) -> Vectors:
        """(rows,): exact dot products; those of two vectors are the same in every call, either way round."""
        scores: Vectors = np.vecdot(self._vectors[rows], query)
        return scores

    def outside(self, rows: Rows, areas: Vectors) -> Rows:
        """Those in none of the areas. areas: (areas, dims)"""
        return rows[(self._vectors[rows] @ areas.T).max(axis=1) < INSIDE] if len(areas) else rows

    def floors(self) -> Vectors:
        """(points,): the scores from which on they are reached."""
        return self._floors[: len(self)]

    def useful(self, rows: Rows, scores: Vectors, least: Least) -> npt.NDArray[np.bool_]:
        """(rows,): whether they score as much as is asked of their kind. One unit is for rounding."""
        enough: npt.NDArray[np.bool_] = scores * SCORE_UNITS + 1 >= least[self._kinds[rows]]
        return enough

    def asks(self, rows: Rows) -> npt.NDArray[np.bool_]:
        return self._asks[rows]


def _floor(payload: Payload) -> float:
    floor = int(str(payload.get("floor", UNREACHABLE)))
    return float("inf") if floor == UNREACHABLE else floor / SCORE_UNITS

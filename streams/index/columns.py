"""Payload fields by column: one condition is checked for many points at once.

`index.conditions` defines the conditions.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rolecall.streams.index.conditions import (
    EARTH_RADIUS_KM,
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Near,
    Not,
    Payload,
    Within,
)

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int32] | npt.NDArray[np.int64]
Texts = frozenset[str]

TABLES_KEPT = 1000  # of conditions, for each field; most recur
_UNKNOWN = np.empty(0, np.int8)


class Columns:
    """Numbers, points on the globe, and sets of texts, by field. Rows can be written again and moved."""

    def __init__(self, payloads: Iterable[Payload] = ()) -> None:
        self._texts: dict[str, _Texts] = {}
        self._numbers: dict[str, npt.NDArray[np.float64]] = {}
        self._points: dict[str, npt.NDArray[np.float64]] = {}  # (rows, 3), on the unit sphere
        self._room = 0
        for row, payload in enumerate(payloads):
            self.put(row, payload)

    def put(self, row: int, payload: Payload) -> None:
        """Write a row, or the first one past the last."""
        if row >= self._room:
            self._room = max(1024, 2 * self._room)
            for texts in self._texts.values():
                texts.codes = _longer(texts.codes, self._room, 0)
            for columns in (self._numbers, self._points):
                columns.update({name: _longer(each, self._room, np.nan) for name, each in columns.items()})
        for known in self._texts.values():
            known.codes[row] = 0
        for column in (*self._numbers.values(), *self._points.values()):
            column[row] = np.nan
        for field, value in payload.items():
            self._put(row, field, value)

    def _put(self, row: int, field: str, value: object) -> None:
        if value is None:
            return
        if isinstance(value, dict):
            if field not in self._points:
                self._points[field] = np.full((self._room, 3), np.nan)
            self._points[field][row] = _on_sphere(value["lat"], value["lon"])
        elif isinstance(value, float | int):
            if field not in self._numbers:
                self._numbers[field] = np.full(self._room, np.nan)
            self._numbers[field][row] = value
        else:
            if field not in self._texts:
                self._texts[field] = _Texts(self._room)
            self._texts[field].put(row, frozenset(value if isinstance(value, list) else [str(value)]))

    def move(self, row: int, to: int) -> None:
        for texts in self._texts.values():
            texts.codes[to] = texts.codes[row]
        for column in (*self._numbers.values(), *self._points.values()):
            column[to] = column[row]

    def passing(self, condition: Condition, rows: Rows) -> Mask:
        """(rows,): which of them fulfil the condition."""
        match condition:
            case AnyOf(field, _) | Within(field, _):
                if field not in self._texts:
                    return np.full(len(rows), isinstance(condition, Within))
                return self._texts[field].passing(condition, rows)
            case AtLeast(field, value):
                return np.asarray(self._number(field, rows) >= value)
            case AtMost(field, value):
                return np.asarray(self._number(field, rows) <= value)
            case Near(field, lat, lon, km):
                if field not in self._points:
                    return np.zeros(len(rows), np.bool_)
                widest = math.cos(min(km / EARTH_RADIUS_KM, math.pi))
                return np.asarray(self._points[field][rows] @ _on_sphere(lat, lon) >= widest)
            case Not(negated):
                return ~self.passing(negated, rows)
            case All(conditions):
                return self._all(conditions, rows)
            case Either(conditions):
                return ~self._all([Not(each) for each in conditions], rows)

    def _all(self, conditions: Sequence[Condition], rows: Rows) -> Mask:
        left = np.arange(len(rows))
        for each in conditions:
            if not len(left):
                break
            left = left[self.passing(each, rows[left])]
        mask = np.zeros(len(rows), np.bool_)
        mask[left] = True
        return mask

    def _number(self, field: str, rows: Rows) -> npt.NDArray[np.float64]:
        return self._numbers[field][rows] if field in self._numbers else np.full(len(rows), np.nan)


class _Texts:
    """Each row has one of the sets of texts that came so far."""

    def __init__(self, room: int) -> None:
        self.codes = np.zeros(room, np.int32)
        self._sets: list[Texts] = [frozenset()]
        self._known: dict[Texts, int] = {frozenset(): 0}
        self._tables: dict[AnyOf | Within, npt.NDArray[np.int8]] = {}  # by code: 1 passes, 0 does not

    def put(self, row: int, texts: Texts) -> None:
        code = self._known.setdefault(texts, len(self._sets))
        if code == len(self._sets):
            self._sets.append(texts)
        self.codes[row] = code

    def passing(self, condition: AnyOf | Within, rows: Rows) -> Mask:
        codes = self.codes[rows]
        table = self._tables.get(condition, _UNKNOWN)
        if len(table) < len(self._sets):
            if len(self._tables) == TABLES_KEPT:
                self._tables.clear()
            table = self._tables[condition] = _longer(table, 2 * len(self._sets), -1)
        passing = table[codes]
        if (unknown := passing < 0).any():
            wanted = frozenset(condition.values)
            passes = wanted.issuperset if isinstance(condition, Within) else _meets(wanted)
            for code in set(codes[unknown].tolist()):
                table[code] = passes(self._sets[code])
            passing = table[codes]
        return passing.view(np.bool_)


def _meets(wanted: Texts) -> Callable[[Texts], bool]:
    return lambda texts: not wanted.isdisjoint(texts)


Kind = TypeVar("Kind", bound=np.generic)


def _longer(column: npt.NDArray[Kind], rows: int, empty: float) -> npt.NDArray[Kind]:
    more = np.full((rows - len(column), *column.shape[1:]), empty, column.dtype)
    return np.concatenate([column, more])


def _on_sphere(lat: float, lon: float) -> npt.NDArray[np.float64]:
    """(3,)"""
    north, east = math.radians(lat), math.radians(lon)
    return np.array([math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)])

"""Payload fields by column: one condition is checked for many points at once.

`index.conditions` defines the conditions. An index checks them in the same way.
"""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from rolecall.streams.index.conditions import (
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
from rolecall.streams.matching.hard_rules import EARTH_RADIUS_KM
from rolecall.streams.offline.pool import Rows

Mask = npt.NDArray[np.bool_]


class Columns:
    def __init__(self, payloads: Iterable[Payload], count: int) -> None:
        self._count = count
        self._rows: defaultdict[tuple[str, str], array[int]] = defaultdict(lambda: array("i"))  # of a value
        self._numbers: defaultdict[str, npt.NDArray[np.float64]] = defaultdict(lambda: np.full(count, np.nan))
        self._points = np.full((count, 3), np.nan)  # on the unit sphere
        for row, payload in enumerate(payloads):
            for field, value in payload.items():
                self._put(row, field, value)

    def _put(self, row: int, field: str, value: object) -> None:
        if isinstance(value, dict):
            self._points[row] = _on_sphere(value["lat"], value["lon"])
        elif isinstance(value, float | int):
            self._numbers[field][row] = value
        else:
            for each in value if isinstance(value, list) else [value]:
                self._rows[field, str(each)].append(row)

    def passing(self, condition: Condition, rows: Rows) -> Mask:
        """(rows,): which of them fulfil the condition."""
        match condition:
            case AnyOf(field, values):
                return self._having(field, values)[rows]
            case Within(field, values):
                others = [value for name, value in self._rows if name == field and value not in values]
                return ~self._having(field, others)[rows]
            case AtLeast(field, value):
                return np.asarray(self._numbers[field][rows] >= value)
            case AtMost(field, value):
                return np.asarray(self._numbers[field][rows] <= value)
            case Near(_, lat, lon, km):
                widest = math.cos(min(km / EARTH_RADIUS_KM, math.pi))
                return np.asarray(self._points[rows] @ _on_sphere(lat, lon) >= widest)
            case Not(negated):
                return ~self.passing(negated, rows)
            case All(conditions):
                return self._any_or_all(np.logical_and, conditions, rows)
            case Either(conditions):
                return self._any_or_all(np.logical_or, conditions, rows)

    def _any_or_all(self, operation: np.ufunc, conditions: Sequence[Condition], rows: Rows) -> Mask:
        masks = np.array([self.passing(each, rows) for each in conditions], np.bool_)
        return np.asarray(operation.reduce(masks.reshape(len(conditions), len(rows)), axis=0))

    def _having(self, field: str, values: Iterable[str]) -> Mask:
        having = np.zeros(self._count, np.bool_)
        for value in values:
            if (field, value) in self._rows:
                having[np.frombuffer(self._rows[field, value], np.int32)] = True
        return having


def _on_sphere(lat: float, lon: float) -> npt.NDArray[np.float64]:
    """(3,)"""
    north, east = math.radians(lat), math.radians(lon)
    return np.array([math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)])

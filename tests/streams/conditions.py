"""Conditions evaluated in plain Python: the oracle for the indexes, and the filter of the fake index."""

from collections.abc import Sequence
from math import asin, cos, radians, sin, sqrt

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


def values_of(payload: Payload, field: str) -> Sequence[object]:
    value = payload.get(field)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def km_between(lat: float, lon: float, place: dict[str, float]) -> float:
    """Haversine on a sphere of 6371.0088 km."""
    north, south = radians(lat), radians(place["lat"])
    half = sin((south - north) / 2) ** 2
    half += cos(north) * cos(south) * sin(radians(place["lon"] - lon) / 2) ** 2
    return 2 * 6371.0088 * asin(min(1, sqrt(half)))


def holds(condition: Condition, payload: Payload) -> bool:
    match condition:
        case AnyOf(field, values):
            return any(value in values for value in values_of(payload, field))
        case Within(field, values):
            return all(value in values for value in values_of(payload, field))
        case AtLeast(field, value):
            return any(number >= value for number in values_of(payload, field))  # type: ignore[operator]
        case AtMost(field, value):
            return any(number <= value for number in values_of(payload, field))  # type: ignore[operator]
        case Near(field, lat, lon, km):
            return any(km_between(lat, lon, place) <= km for place in values_of(payload, field))  # type: ignore[arg-type]
        case All(conditions):
            return all(holds(each, payload) for each in conditions)
        case Either(conditions):
            return any(holds(each, payload) for each in conditions)
        case Not(negated):
            return not holds(negated, payload)

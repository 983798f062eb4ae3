"""Conditions on the fields of a payload, in the terms that every engine can filter by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one stored value of the field is among `values`."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """Every stored value of the field is among `values`; a field without values passes."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The stored number is `value` or more."""

    field: str
    value: float


@dataclass(frozen=True, slots=True)
class AtMost:
    """The stored number is `value` or less."""

    field: str
    value: float


EARTH_RADIUS_KM = 6371.0088


@dataclass(frozen=True, slots=True)
class Near:
    """The stored point (`{"lat": …, "lon": …}`) lies within `km` of the place, as the crow flies."""

    field: str
    lat: float
    lon: float
    km: float


@dataclass(frozen=True, slots=True)
class All:
    conditions: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


Condition = AnyOf | Within | AtLeast | AtMost | Near | All | Either | Not


Payload = dict[str, object]


# Fields that conditions may name. A payload may hold any other JSON fields, except the names that
# the index keeps for itself: `id`, `revision`, `live`, `removed`, `settled`, `write` and `at`.
# `since`, `digest` and `edition` are the caller's, and the index compares them.
PAYLOAD_INDEXES: Mapping[str, Literal["keyword", "float", "integer", "geo"]] = {
    "anchor_of": "keyword",  # of an anchor: a hash that stands for the entity whose vector it has
    "asks": "integer",  # 1 where the list of the point asks for less confidence than the others; else absent
    "coordinates": "geo",
    "country": "keyword",
    "currency": "keyword",
    "employment_types": "keyword",
    "expires": "float",
    "floor": "integer",  # see port.Listing
    "languages": "keyword",
    "live": "integer",  # 1, absent from tombstones; not a bool: qdrant-edge 0.9 reads MatchValue(True) as 1
    "pay": "float",
    "place_tags": "keyword",
    "removed": "integer",  # when a tombstone was written, in milliseconds; the index's own clock
    "revision": "integer",
    "seniority": "keyword",
    "workplace": "keyword",
}

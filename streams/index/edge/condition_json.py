"""Conditions as the JSON that the embedded index is asked with."""

from typing import Any

from rolecall.streams.index.conditions import (
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Near,
    Not,
    Within,
)


def encode(condition: Condition) -> list[object]:
    match condition:
        case AnyOf(field, values):
            return ["any", field, values]
        case Within(field, values):
            return ["within", field, values]
        case AtLeast(field, value):
            return ["least", field, value]
        case AtMost(field, value):
            return ["most", field, value]
        case Near(field, lat, lon, km):
            return ["near", field, lat, lon, km]
        case All(conditions):
            return ["all", *map(encode, conditions)]
        case Either(conditions):
            return ["either", *map(encode, conditions)]
        case _:
            return ["not", encode(condition.condition)]


def decode(condition: list[Any]) -> Condition:
    match condition:
        case ["any", field, values]:
            return AnyOf(field, tuple(values))
        case ["within", field, values]:
            return Within(field, tuple(values))
        case ["least", field, value]:
            return AtLeast(field, value)
        case ["most", field, value]:
            return AtMost(field, value)
        case ["near", field, lat, lon, km]:
            return Near(field, lat, lon, km)
        case ["all", *conditions]:
            return All(tuple(decode(each) for each in conditions))
        case ["either", *conditions]:
            return Either(tuple(decode(each) for each in conditions))
        case ["not", negated]:
            return Not(decode(negated))
        case _:
            raise ValueError(f"condition {condition!r} is not one of index/conditions.py")

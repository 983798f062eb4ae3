"""Conditions -> filters of qdrant-client. Pure."""

from typing import Any

from qdrant_client import models

from rolecall.streams.index.conditions import All, AnyOf, AtLeast, AtMost, Condition, Either, Near, Within
from rolecall.streams.index.port import point_id


def _only(field: str, **test: Any) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key=field, **test)])


def filter_of(condition: Condition) -> models.Filter:
    match condition:
        case AnyOf(field, values):
            return _only(field, match=models.MatchAny(any=list(values)))
        case Within(field, values):
            beyond = models.MatchExcept.model_validate({"except": list(values)})
            return models.Filter(must_not=[models.FieldCondition(key=field, match=beyond)])
        case AtLeast(field, value):
            return _only(field, range=models.Range(gte=value))
        case AtMost(field, value):
            return _only(field, range=models.Range(lte=value))
        case Near(field, lat, lon, km):
            centre = models.GeoPoint(lat=lat, lon=lon)
            return _only(field, geo_radius=models.GeoRadius(center=centre, radius=km * 1000))
        case All(conditions):
            return models.Filter(must=[filter_of(each) for each in conditions])
        case Either(()):
            return models.Filter(
                must_not=[models.Filter()]
            )  # the engine lets all through where nothing is asked
        case Either(conditions):
            return models.Filter(should=[filter_of(each) for each in conditions])
        case _:
            return models.Filter(must_not=[filter_of(condition.condition)])


def below(field: str, value: int) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=models.Range(lt=value))


def equal(field: str, value: int | str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def with_id(id: str) -> models.HasIdCondition:
    return models.HasIdCondition(has_id=[str(point_id(id))])

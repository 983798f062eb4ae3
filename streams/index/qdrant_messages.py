"""Queries, writes and hits as messages of Qdrant's gRPC. Pure.

qdrant-client's own models take ten times the processor time: they check and convert every float by itself.
A vector's bytes are the bytes of the message.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from qdrant_client import grpc
from qdrant_client.conversions.conversion import grpc_to_payload, payload_to_grpc

from rolecall.streams.index.areas import ROUNDING
from rolecall.streams.index.conditions import (
    PAYLOAD_INDEXES,
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Near,
    Payload,
    Within,
)
from rolecall.streams.index.port import SCORE_UNITS, UNREACHABLE, Hit, Least, Query, point_id

Floats = npt.NDArray[np.float32]

_DATA = b"\x0a"  # DenseVector.data: field 1, packed (protobuf's encoding of repeated numbers)
_CARRIED = grpc.WithPayloadSelector(
    exclude=grpc.PayloadExcludeSelector(
        fields=sorted((PAYLOAD_INDEXES.keys() | {"write", "edition"}) - {"revision", "floor"})
    )
)
# Quantized scores are rescored: the confidence is computed from exact ones.
_HNSW = grpc.SearchParams(hnsw_ef=128, quantization=grpc.QuantizationSearchParams(rescore=True))
_EXACT = grpc.SearchParams(exact=True)
_NO_FLOOR = payload_to_grpc({"floor": UNREACHABLE})
NEAR_ENOUGH = 10_000  # points that may be reached, the nearest


def _of_field(field: str, **test: Any) -> grpc.Condition:
    return grpc.Condition(field=grpc.FieldCondition(key=field, **test))


def below(field: str, value: int) -> grpc.Condition:
    return _of_field(field, range=grpc.Range(lt=value))


def between(field: str, least: int, most: int) -> grpc.Condition:
    """Both included. The payload index of floats answers it."""
    return _of_field(field, range=grpc.Range(gte=least, lte=most))


def equals(field: str, value: int | str) -> grpc.Condition:
    match = grpc.Match(keyword=value) if isinstance(value, str) else grpc.Match(integer=value)
    return _of_field(field, match=match)


def with_id(id: str) -> grpc.Condition:
    """id: the entity's."""
    return grpc.Condition(has_id=grpc.HasIdCondition(has_id=[_point_id(str(point_id(id)))]))


def absent(field: str) -> grpc.Condition:
    return grpc.Condition(is_empty=grpc.IsEmptyCondition(key=field))


LIVE = equals("live", 1)


def all_of(*conditions: grpc.Condition) -> grpc.Condition:
    return grpc.Condition(filter=grpc.Filter(must=conditions))


def any_of(*conditions: grpc.Condition) -> grpc.Condition:
    return grpc.Condition(filter=grpc.Filter(should=conditions))


def none_of(*conditions: grpc.Condition) -> grpc.Condition:
    return grpc.Condition(filter=grpc.Filter(must_not=conditions))


def vector_message(vector: Floats) -> grpc.DenseVector:
    """vector: (dims,)"""
    data = np.ascontiguousarray(vector, "<f4").tobytes()
    message: grpc.DenseVector = grpc.DenseVector.FromString(_DATA + _varint(len(data)) + data)
    return message


def search_message(collection: str, queries: Sequence[Query]) -> grpc.QueryBatchPoints:
    points = [_query(collection, query) for query in queries if query.limit]
    points += [_reached_query(collection, query) for query in queries if query.reach]
    return grpc.QueryBatchPoints(collection_name=collection, query_points=points)


def hits(queries: Sequence[Query], answer: grpc.QueryBatchResponse) -> list[list[Hit]]:
    """Of each query, what `search_message` asked for: the best, then what they reach."""
    found = iter([_hit(point) for point in each.result] for each in answer.result)
    best = [next(found) if query.limit else [] for query in queries]
    return [
        hits + _beyond(hits, query, next(found)) if query.reach else hits
        for query, hits in zip(queries, best, strict=True)
    ]


def _beyond(best: Sequence[Hit], query: Query, reached: Sequence[Hit]) -> list[Hit]:
    """The score of such a hit is what is left above its floor, so its own is computed from that."""
    known = {hit.id for hit in best}
    own = [replace(hit, score=(hit.score + int(str(hit.payload["floor"]))) / SCORE_UNITS) for hit in reached]
    return sorted((hit for hit in own if hit.id not in known), key=lambda hit: -hit.score)


def point_message(id: str, vector: Floats, payload: Payload) -> grpc.PointStruct:
    return grpc.PointStruct(
        id=_point_id(id),
        vectors=grpc.Vectors(vector=grpc.Vector(dense=vector_message(vector))),
        payload=payload_to_grpc(payload),
    )


def write_message(
    points: Sequence[grpc.PointStruct], condition: grpc.Condition
) -> grpc.PointsUpdateOperation:
    """Writes each point if there is none of its id, or if the stored one fulfils the condition."""
    older = grpc.Filter(must=[condition])
    upsert = grpc.PointsUpdateOperation.PointStructList(points=points, update_filter=older)
    return grpc.PointsUpdateOperation(upsert=upsert)


def payload_message(payload: Payload, *conditions: grpc.Condition) -> grpc.PointsUpdateOperation:
    """Sets these fields of the points that fulfil all conditions."""
    return grpc.PointsUpdateOperation(
        set_payload=grpc.PointsUpdateOperation.SetPayload(
            payload=payload_to_grpc(payload),
            points_selector=grpc.PointsSelector(filter=grpc.Filter(must=conditions)),
        )
    )


def condition_message(condition: Condition) -> grpc.Condition:
    match condition:
        case AnyOf(field, values):
            return _of_field(field, match=grpc.Match(keywords=grpc.RepeatedStrings(strings=values)))
        case Within(field, values):
            beyond = grpc.Match(except_keywords=grpc.RepeatedStrings(strings=values))
            return none_of(_of_field(field, match=beyond))
        case AtLeast(field, value):
            return _of_field(field, range=grpc.Range(gte=value))
        case AtMost(field, value):
            return _of_field(field, range=grpc.Range(lte=value))
        case Near(field, lat, lon, km):
            centre = grpc.GeoPoint(lat=lat, lon=lon)
            return _of_field(field, geo_radius=grpc.GeoRadius(center=centre, radius=km * 1000))
        case All(conditions):
            return all_of(*map(condition_message, conditions))
        case Either(()):
            return none_of(all_of())  # the engine lets everything pass if no condition is given
        case Either(conditions):
            return any_of(*map(condition_message, conditions))
        case _:
            return none_of(condition_message(condition.condition))


def _point_id(id: str) -> grpc.PointId:
    return grpc.PointId(uuid=id)


def _query(collection: str, query: Query) -> grpc.QueryPoints:
    return grpc.QueryPoints(
        collection_name=collection,
        query=grpc.Query(nearest=grpc.VectorInput(dense=vector_message(query.vector))),
        filter=grpc.Filter(must=[LIVE, condition_message(query.condition)]),
        params=_HNSW if query.min_score is None else _EXACT,
        limit=query.limit,
        score_threshold=_lowest(query.useful) if query.min_score is None else query.min_score,
        with_payload=_CARRIED,
    )


def _lowest(least: Least | None) -> float | None:
    return None if least is None else float(least[-1]) / SCORE_UNITS - ROUNDING


def _reached_query(collection: str, query: Query) -> grpc.QueryPoints:
    """The points whose floor the score reaches: the score in units, less the floor, is 0 or more.

    In a formula, `$score` is the one of the first prefetch, so both are one prefetch.
    """
    near = grpc.Query(nearest=grpc.VectorInput(dense=vector_message(query.vector)))
    condition = condition_message(query.condition)
    those = [
        grpc.PrefetchQuery(
            query=near,
            filter=grpc.Filter(must=[LIVE, condition]),
            params=_EXACT,
            score_threshold=_lowest(query.reach_useful),
            limit=NEAR_ENOUGH,
        ),
        grpc.PrefetchQuery(
            query=near,
            filter=grpc.Filter(must=[LIVE, condition, equals("asks", 1)]),
            params=_EXACT,
            limit=NEAR_ENOUGH,
        ),
    ]
    units = grpc.MultExpression(
        mult=[grpc.Expression(variable="$score"), grpc.Expression(constant=float(SCORE_UNITS))]
    )
    above = grpc.SumExpression(
        sum=[grpc.Expression(mult=units), grpc.Expression(neg=grpc.Expression(variable="floor"))]
    )
    formula = grpc.Formula(expression=grpc.Expression(sum=above), defaults=_NO_FLOOR)
    return grpc.QueryPoints(
        collection_name=collection,
        prefetch=[grpc.PrefetchQuery(prefetch=those, query=near, params=_EXACT, limit=NEAR_ENOUGH)],
        query=grpc.Query(formula=formula),
        limit=query.reach,
        score_threshold=-0.5,
        with_payload=_CARRIED,
    )


def _hit(point: grpc.ScoredPoint) -> Hit:
    payload = grpc_to_payload(point.payload)
    return Hit(payload.pop("id"), payload.pop("revision"), point.score, payload)


def _varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; the eighth bit says that more follow."""
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)

"""Search in one shard: among the nearest points first, then among ever more.

Search is exact, and HNSW is never built: building it stops every request for 17 s at 20,000 points of 1,024
dimensions. Asked in full, the engine takes 3.5 ms a query, nearly all of it for testing a broad filter on
every point. So a batch first finds each query's nearest points in one matrix product, leaves out those in a
closed area, and lets the engine filter the rest (0.6 ms a query in all, at 10,000 points and 64 queries).
Only queries that are then short of hits are asked in full. Past 100,000 points use a Qdrant server.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import qdrant_edge as engine
from qdrant_edge import EdgeShard, FieldCondition, Filter, HasIdCondition, MatchValue, RangeFloat, ScoredPoint

from rolecall.streams.index.areas import ROUNDING
from rolecall.streams.index.conditions import PAYLOAD_INDEXES, Payload
from rolecall.streams.index.edge.exact_nearest import QUERIES_AT_ONCE, Id, Nearest, Vectors
from rolecall.streams.index.port import SCORE_UNITS, Least

LIKELY_PER_HIT = 8
USELESS = np.float32(-np.inf)
DEEPER = 8
CARRIED = engine.PayloadSelector.Exclude(sorted(PAYLOAD_INDEXES.keys() - {"revision", "floor"}))
LIVE = FieldCondition("live", match=MatchValue(1))

Asked = tuple[list[Any], int, float | None, int | None, int, int | None]
"""As the fields of `Query`; positions of tables for these."""


class FilteredQuery(NamedTuple):
    condition: Filter
    limit: int
    min_score: float | None
    useful: Least | None
    closed: Vectors  # (areas, dims): no hit may lie in one of them
    reach: int
    reach_useful: Least | None


class Search:
    """Reads the engine's shard, and its vectors in memory beside it."""

    def __init__(self, shard: EdgeShard, nearest: Nearest) -> None:
        self._shard = shard
        self._nearest = nearest

    def unfiltered(
        self, vectors: Vectors, wanted: list[tuple[int, float | None]]
    ) -> list[list[tuple[float, Payload]]]:
        """Without a condition the matrix product has the answer; the engine adds the payloads."""
        ranked = list(self._nearest.ranked(vectors, wanted))
        ids: list[Id] = list({id for hits in ranked for id, _ in hits})
        payloads = {
            record.id: record.payload or {}
            for record in (self._shard.retrieve(ids, with_payload=CARRIED, with_vector=False) if ids else ())
        }
        return [[(score, payloads[id]) for id, score in hits] for hits in ranked]

    def filtered(
        self, vectors: Vectors, queries: list[Asked], closed: list[Vectors], tables: list[list[int]]
    ) -> list[list[tuple[float, Payload | None]]]:
        least: dict[int | None, Least | None] = {None: None}
        least |= {number: np.array(table, np.int32) for number, table in enumerate(tables)}
        asked = [
            FilteredQuery(
                Filter(must=[LIVE, decode(condition)]),
                limit,
                lowest,
                least[useful],
                areas,
                reach,
                least[those],
            )
            for (condition, limit, lowest, useful, reach, those), areas in zip(queries, closed, strict=True)
        ]
        hits: list[list[ScoredPoint]] = []
        for start in range(0, len(asked), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            scores = self._nearest.scores(vectors[part])
            reached = [
                self._nearest.reached(mine, query.reach_useful, query.closed) if query.reach else set()
                for query, mine in zip(asked[part], scores, strict=True)
            ]
            near = self._near(vectors[part], asked[part], scores)
            beyond = self._reached(vectors[part], asked[part], reached)
            hits += map(_joined, near, beyond)
        return [[(hit.score, hit.payload) for hit in each] for each in hits]

    def _near(self, vectors: Vectors, asked: list[FilteredQuery], scores: Vectors) -> list[list[ScoredPoint]]:
        """Among the nearest first; where they leave too few hits, among more useful ones, then all."""
        hits: list[list[ScoredPoint]] = [[] for _ in asked]
        short = [row for row, query in enumerate(asked) if query.limit]
        likely = LIKELY_PER_HIT * max(query.limit for query in asked)
        if short and likely * DEEPER <= len(self._nearest):
            scores = np.stack([self._useful(query, mine) for query, mine in zip(asked, scores, strict=True)])
            useful = np.count_nonzero(scores > USELESS, axis=1).tolist()
            while short and likely * DEEPER <= len(self._nearest):
                some = [row for row in short if useful[row]]
                near = [
                    _among(
                        asked[row],
                        self._nearest.highest(scores[row], min(likely, useful[row]), asked[row].closed),
                    )
                    for row in some
                ]
                for row, found in zip(some, self._query(vectors[some], near), strict=True):
                    hits[row] = found
                short = [row for row in some if len(hits[row]) < asked[row].limit and useful[row] > likely]
                likely *= DEEPER
        allowed = [asked[row]._replace(condition=self._allowed(asked[row])) for row in short]
        for row, found in zip(short, self._query(vectors[short], allowed), strict=True):
            hits[row] = found
        return hits

    def _reached(
        self, vectors: Vectors, asked: list[FilteredQuery], reached: list[set[Id]]
    ) -> list[list[ScoredPoint]]:
        """In a request of their own: all that are near would come before those that are not."""
        hits: list[list[ScoredPoint]] = [[] for _ in asked]
        rows = [row for row, ids in enumerate(reached) if ids]
        # Of any score: their own lists may ask for less.
        among = [
            _among(asked[row], reached[row])._replace(limit=asked[row].reach, useful=None) for row in rows
        ]
        for row, found in zip(rows, self._query(vectors[rows], among), strict=True):
            hits[row] = found
        return hits

    def _useful(self, query: FilteredQuery, scores: Vectors) -> Vectors:
        """(points,): scores, less those of no use."""
        if query.useful is None:
            return scores
        return np.where(self._nearest.useful(scores, query.useful), scores, USELESS)

    def _allowed(self, query: FilteredQuery) -> Filter:
        if not len(query.closed):
            return query.condition
        passing, _next = self._shard.scroll(
            engine.ScrollRequest(
                None, len(self._nearest), query.condition, with_payload=False, with_vector=False
            )
        )
        ids = self._nearest.outside([record.id for record in passing], query.closed)
        return Filter(must=[HasIdCondition(ids)])

    def _query(self, vectors: Vectors, asked: list[FilteredQuery]) -> list[list[ScoredPoint]]:
        if not asked:
            return []
        requests = [
            engine.QueryRequest(
                limit=query.limit,
                query=engine.Query.Nearest(vector),
                filter=query.condition,
                score_threshold=_least_score(query),
                with_payload=CARRIED,
            )
            for vector, query in zip(vectors.tolist(), asked, strict=True)
        ]
        return self._shard.query_batch(engine.QueryBatchRequest(requests))


def _among(query: FilteredQuery, ids: set[Id]) -> FilteredQuery:
    return query._replace(condition=Filter(must=[HasIdCondition(ids), query.condition]))


def _joined(best: list[ScoredPoint], beyond: Sequence[ScoredPoint]) -> list[ScoredPoint]:
    known = {hit.id for hit in best}
    return best + [hit for hit in beyond if hit.id not in known]


def _least_score(query: FilteredQuery) -> float | None:
    if query.min_score is not None or query.useful is None:
        return query.min_score
    return float(query.useful[-1]) / SCORE_UNITS - ROUNDING


def decode(condition: list[Any]) -> FieldCondition | Filter:
    match condition:
        case ["any", field, values]:
            return FieldCondition(field, match=engine.MatchAny(values))
        case ["within", field, values]:
            return Filter(must_not=[FieldCondition(field, match=engine.MatchExcept(values))])
        case ["least", field, value]:
            return FieldCondition(field, range=RangeFloat(gte=value))
        case ["most", field, value]:
            return FieldCondition(field, range=RangeFloat(lte=value))
        case ["near", field, lat, lon, km]:
            circle = engine.GeoRadius(engine.GeoPoint(lon=lon, lat=lat), km * 1000)
            return FieldCondition(field, geo_radius=circle)
        case ["all", *conditions]:
            return Filter(must=[decode(each) for each in conditions])
        case ["either"]:
            return Filter(must_not=[Filter()])  # the engine lets all through where nothing is asked
        case ["either", *conditions]:
            return Filter(should=[decode(each) for each in conditions])
        case ["not", negated]:
            return Filter(must_not=[decode(negated)])
        case _:
            raise ValueError(f"condition {condition!r} is not one of index/conditions.py")

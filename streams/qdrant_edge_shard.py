"""One space of one version in Qdrant Edge, with its vectors in memory beside it.

Search is exact and HNSW is never built: that stops every request for 17 s at 20,000 points of 1,024
dimensions, and nothing is missed without it. There the engine takes 3.5 ms a query, nearly all of it for
trying a broad filter on every point. So a batch first finds each query's nearest points in one matrix
product, leaves out those in a closed area, lets the engine filter the rest (0.6 ms a query in all, at 10,000
points and 64 queries), and asks it in full only for queries that are then short of hits. Past 100,000 points
use a Qdrant server.
"""

import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import qdrant_edge as engine
from qdrant_edge import (
    EdgeShard,
    FieldCondition,
    Filter,
    HasIdCondition,
    MatchValue,
    RangeFloat,
    ScoredPoint,
    UpdateOperation,
)

from streams.areas import INSIDE, other_anchor
from streams.index import (
    PAYLOAD_INDEXES,
    IndexMismatch,
    Payload,
    now_ms,
    point_id,
    write_decision,
)
from streams.nearest import NOWHERE, QUERIES_AT_ONCE, Id, Nearest, Vectors

POINTS_PER_FLUSH = 20_000  # bounds the write-ahead log; a flush takes 0.05-0.15 s
LIKELY_PER_HIT = 8
SEARCH_THREADS = 1  # of a shard; there is one segment to search, and the other cores are the workers'
DEEPER = 8

_SCHEMAS = {
    "keyword": engine.PayloadSchemaType.Keyword,
    "float": engine.PayloadSchemaType.Float,
    "integer": engine.PayloadSchemaType.Integer,
    "geo": engine.PayloadSchemaType.Geo,
}
_CARRIED = engine.PayloadSelector.Exclude(sorted(PAYLOAD_INDEXES.keys() - {"revision"}))
_LIVE = FieldCondition("live", match=MatchValue(1))

Answer = tuple[object, bytes]


class Test(NamedTuple):
    condition: Filter
    limit: int
    min_score: float | None
    closed: Vectors  # (areas, dims): no hit may lie in one of them


class Shard:
    """One space's points. Each method is a whole request."""

    def __init__(self, path: Path, dims: int) -> None:
        if not path.exists():
            _create(path, dims)
        stored = orjson.loads((path / "edge_config.json").read_bytes())["vectors"][""]
        if stored["size"] != dims or stored["distance"] != "Dot":
            raise IndexMismatch(
                f"{path} holds {stored['distance']} vectors of {stored['size']} dimensions, not Dot vectors"
                f" of {dims}; use the model that wrote it, or remove the folder and replay the topics"
            )
        self.dims = dims
        self._shard = EdgeShard.load(str(path), _config(dims))
        self._unflushed = 0
        self._tombstone = [dims**-0.5] * dims
        self._nearest = self._read_nearest()
        self._others: dict[Id, Id] = {}  # by anchor, the other one of its rule; ids never change

    def _read_nearest(self) -> Nearest:
        nearest = Nearest(self.dims)
        page: Id | None = None
        while True:
            records, page = self._shard.scroll(
                engine.ScrollRequest(page, 1000, Filter(must=[_LIVE]), with_payload=False, with_vector=True)
            )
            for record in records:
                nearest.put(record.id, np.array(record.vector, np.float32))
            if page is None:
                return nearest

    def prepare(self, _: Vectors) -> Answer:
        return None, b""

    def upsert(self, vectors: Vectors, points: list[tuple[str, int, Payload | None]]) -> Answer:
        ids: list[Id] = [_short_id(id) for id, _, _ in points]
        stored = {
            record.id: (record.payload["revision"], "live" in record.payload)
            for record in self._shard.retrieve(ids, with_payload=["revision", "live"], with_vector=False)
            if record.payload
        }
        before: list[int | None] = []
        rows = iter(vectors)
        newer: list[tuple[Id, Vectors | None, Payload]] = []
        for id, (entity_id, revision, payload) in zip(ids, points, strict=True):
            kept: Payload = {"id": entity_id, "revision": revision}
            vector = None
            if payload is None:
                kept["removed"] = now_ms()
            else:
                vector = next(rows)
                kept = {**payload, **kept, "live": 1}
            was, writes = write_decision(stored.get(id), revision, live=payload is not None)
            before.append(was)
            if writes:
                newer.append((id, vector, kept))
        if newer:
            self._write(newer)
        return before, b""

    def _write(self, points: list[tuple[Id, Vectors | None, Payload]]) -> None:
        self._shard.update(
            UpdateOperation.upsert_points(
                [
                    engine.Point(id, self._tombstone if vector is None else vector.tolist(), payload)
                    for id, vector, payload in points
                ]
            )
        )
        for id, vector, _ in points:
            if vector is None:
                self._nearest.drop(id)
            else:
                self._nearest.put(id, vector)
        self._unflushed += len(points)
        if self._unflushed >= POINTS_PER_FLUSH:
            self._shard.flush()
            self._unflushed = 0

    def search(self, vectors: Vectors, queries: list[tuple[list[Any], int, float | None]]) -> Answer:
        if all(condition == ["all"] for condition, *_ in queries):
            return self._search_all(vectors, [(limit, least) for _, limit, least in queries]), b""
        return self._search_filtered(vectors, queries, [NOWHERE] * len(queries)), b""

    def search_allowed(
        self, vectors: Vectors, queries: list[tuple[list[Any], int, float | None]], anchors: "Shard"
    ) -> Answer:
        return self._search_filtered(vectors, queries, anchors.across(vectors)), b""

    def across(self, vectors: Vectors) -> list[Vectors]:
        """For each vector, the areas across from those that it is in. (areas, dims)"""
        everything = [(len(self._nearest), INSIDE)] * len(vectors)
        found = [[id for id, _ in hits] for hits in self._nearest.ranked(vectors, everything)]
        new: list[Id] = list({id for each in found for id in each if id not in self._others})
        for record in self._shard.retrieve(new, with_payload=["id"], with_vector=False) if new else ():
            assert record.payload
            self._others[record.id] = _short_id(other_anchor(record.payload["id"]))
        across = [[self._others[id] for id in each] for each in found]
        return [self._nearest.vectors([id for id in each if id in self._nearest]) for each in across]

    def _search_all(
        self, vectors: Vectors, wanted: list[tuple[int, float | None]]
    ) -> list[list[tuple[float, Payload]]]:
        """Without a condition the matrix product has the answer; the engine adds the payloads."""
        ranked = list(self._nearest.ranked(vectors, wanted))
        ids: list[Id] = list({id for hits in ranked for id, _ in hits})
        payloads = {
            record.id: record.payload or {}
            for record in (self._shard.retrieve(ids, with_payload=_CARRIED, with_vector=False) if ids else ())
        }
        return [[(score, payloads[id]) for id, score in hits] for hits in ranked]

    def _search_filtered(
        self, vectors: Vectors, queries: list[tuple[list[Any], int, float | None]], closed: list[Vectors]
    ) -> list[list[tuple[float, Payload | None]]]:
        tests = [
            Test(Filter(must=[_LIVE, _decode(condition)]), limit, least, areas)
            for (condition, limit, least), areas in zip(queries, closed, strict=True)
        ]
        hits: list[list[ScoredPoint]] = []
        for start in range(0, len(tests), QUERIES_AT_ONCE):
            part = slice(start, start + QUERIES_AT_ONCE)
            hits += self._search_near(vectors[part], tests[part])
        return [[(hit.score, hit.payload) for hit in each] for each in hits]

    def _search_near(self, vectors: Vectors, tests: list[Test]) -> list[list[ScoredPoint]]:
        """Among the nearest first; where they leave too few hits, among ever more, then all."""
        hits: list[list[ScoredPoint]] = [[] for _ in tests]
        short = list(range(len(tests)))
        likely = LIKELY_PER_HIT * max(test.limit for test in tests)
        if likely * DEEPER <= len(self._nearest):
            scores = self._nearest.scores(vectors)
            while short and likely * DEEPER <= len(self._nearest):
                near = [
                    tests[row]._replace(condition=self._among_nearest(tests[row], scores[row], likely))
                    for row in short
                ]
                for row, found in zip(short, self._query(vectors[short], near), strict=True):
                    hits[row] = found
                short = [row for row in short if len(hits[row]) < tests[row].limit]
                likely *= DEEPER
        allowed = [tests[row]._replace(condition=self._allowed(tests[row])) for row in short]
        for row, found in zip(short, self._query(vectors[short], allowed), strict=True):
            hits[row] = found
        return hits

    def _among_nearest(self, test: Test, scores: Vectors, likely: int) -> Filter:
        ids = self._nearest.highest(scores, likely, test.closed)
        return Filter(must=[HasIdCondition(ids), test.condition])

    def _allowed(self, test: Test) -> Filter:
        if not len(test.closed):
            return test.condition
        passing, _next = self._shard.scroll(
            engine.ScrollRequest(
                None, len(self._nearest), test.condition, with_payload=False, with_vector=False
            )
        )
        ids = self._nearest.outside([record.id for record in passing], test.closed)
        return Filter(must=[HasIdCondition(ids)])

    def _query(self, vectors: Vectors, tests: list[Test]) -> list[list[ScoredPoint]]:
        requests = [
            engine.QueryRequest(
                limit=test.limit,
                query=engine.Query.Nearest(vector),
                filter=test.condition,
                score_threshold=test.min_score,
                with_payload=_CARRIED,
            )
            for vector, test in zip(vectors.tolist(), tests, strict=True)
        ]
        return self._shard.query_batch(engine.QueryBatchRequest(requests))

    def fetch(self, _: Vectors, ids: list[str]) -> Answer:
        wanted: list[Id] = [_short_id(id) for id in dict.fromkeys(ids)]
        records = self._shard.retrieve(wanted, with_payload=True, with_vector=False)
        live = [record.id for record in records if record.payload and "live" in record.payload]
        return [record.payload for record in records], self._nearest.vectors(live).tobytes()

    def vectors(self, _: Vectors, ids: list[str]) -> Answer:
        """Without asking the engine."""
        live = {id: short for id in ids if (short := _short_id(id)) in self._nearest}
        return list(live), self._nearest.vectors(list(live.values())).tobytes()

    def count(self, _: Vectors) -> Answer:
        return len(self._nearest), b""

    def expired(self, _: Vectors, before_ms: int, limit: int) -> Answer:
        old = FieldCondition("expires", range=RangeFloat(lt=before_ms))
        records, _next = self._shard.scroll(
            engine.ScrollRequest(
                None, limit, Filter(must=[_LIVE, old]), with_payload=["id", "revision"], with_vector=False
            )
        )
        payloads = [record.payload for record in records if record.payload]
        return [(payload["id"], payload["revision"]) for payload in payloads], b""

    def purge(self, _: Vectors, before_ms: int) -> Answer:
        old = FieldCondition("removed", range=RangeFloat(lt=before_ms))
        self._shard.update(UpdateOperation.delete_points_by_filter(Filter(must=[old], must_not=[_LIVE])))
        return None, b""

    def close(self) -> None:
        self._shard.flush()
        self._shard.close()


OPERATIONS: dict[str, Callable[..., Answer]] = {
    operation.__name__: operation
    for operation in (
        Shard.prepare,
        Shard.upsert,
        Shard.search,
        Shard.search_allowed,
        Shard.fetch,
        Shard.vectors,
        Shard.count,
        Shard.expired,
        Shard.purge,
    )
}


@lru_cache(maxsize=1 << 16)
def _short_id(entity_id: str) -> int:
    """The upper half of the point id: the engine takes 25 times as long over a condition on UUIDs."""
    return point_id(entity_id).int >> 64


def _create(path: Path, dims: int) -> None:
    """Beside its place first: a kill in the middle leaves nothing half made there."""
    draft = path.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shard = EdgeShard.create(str(draft), _config(dims))
    for field, kind in PAYLOAD_INDEXES.items():
        shard.update(UpdateOperation.create_field_index(field, _SCHEMAS[kind]))
    shard.flush()
    shard.close()
    draft.rename(path)


def _config(dims: int) -> engine.EdgeConfig:
    no_hnsw = engine.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=10_000)
    vectors = engine.EdgeVectorParams(size=dims, distance=engine.Distance.Dot, hnsw_config=no_hnsw)
    return engine.EdgeConfig(vectors=vectors, max_search_threads=SEARCH_THREADS)


def _decode(condition: list[Any]) -> FieldCondition | Filter:
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
            return Filter(must=[_decode(each) for each in conditions])
        case ["either"]:
            return Filter(must_not=[Filter()])  # the engine lets all through where nothing is asked
        case ["either", *conditions]:
            return Filter(should=[_decode(each) for each in conditions])
        case ["not", negated]:
            return Filter(must_not=[_decode(negated)])
        case _:
            raise ValueError(f"condition {condition!r} is not one of streams.index")

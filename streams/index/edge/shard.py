"""One space of one model version in Qdrant Edge. Its live points are also in memory, for search.py."""

import shutil
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import orjson
import qdrant_edge as engine
from qdrant_edge import (
    EdgeShard,
    FieldCondition,
    Filter,
    MatchValue,
    RangeFloat,
    UpdateOperation,
)

from rolecall.streams.errors import IndexGone, IndexMismatch
from rolecall.streams.index.areas import INSIDE, other_anchor
from rolecall.streams.index.conditions import Payload
from rolecall.streams.index.edge.points import Id, Points
from rolecall.streams.index.edge.search import NOWHERE, Asked, hits, ranked
from rolecall.streams.index.edge.sketches import Vectors
from rolecall.streams.index.port import (
    LISTING,
    Listing,
    Stored,
    mark_id,
    now_ms,
    point_id,
    repeats,
    write_decision,
)

POINTS_PER_FLUSH = 20_000  # bounds the write-ahead log; a flush takes 0.05-0.15 s
SEARCH_THREADS = 1  # of a shard; there is one segment to search, and the other cores are the workers'

_INDEXED = {  # what the engine itself is asked for; each index makes every write slower
    "live": engine.PayloadSchemaType.Integer,
    "expires": engine.PayloadSchemaType.Float,
    "removed": engine.PayloadSchemaType.Integer,
}
LIVE = FieldCondition("live", match=MatchValue(1))
_BEFORE = ["revision", "live", "edition"]
Answer = tuple[object, bytes]


class Shard:
    """One space's points. Each method is a whole request."""

    def __init__(self, path: Path, dims: int) -> None:
        check(path, dims)
        self.dims = dims
        self._shard = EdgeShard.load(str(path), _config(dims))
        self._unflushed = 0
        self._tombstone = [dims**-0.5] * dims
        self._points = self._read_points()
        self._others: dict[Id, Id] = {}  # by anchor, the other one of its rule; ids never change

    def _read_points(self) -> Points:
        points = Points(self.dims)
        page: Id | None = None
        while True:
            records, page = self._shard.scroll(
                engine.ScrollRequest(page, 1000, Filter(must=[LIVE]), with_payload=True, with_vector=True)
            )
            for record in records:
                points.put(record.id, np.array(record.vector, np.float32), record.payload or {})
            if page is None:
                return points

    def prepare(self, _: Vectors) -> Answer:
        return None, b""

    def mark(self, _: Vectors, marks: list[tuple[int, int, int]]) -> Answer:
        stored, _body = self.marks(_, [partition for partition, _, _ in marks])
        newer = [
            engine.Point(
                _short_id(mark_id(partition)),
                self._tombstone,
                {"id": mark_id(partition), "revision": offset, "at": at_ms},
            )
            for partition, offset, at_ms in marks
            if offset >= {number: was for number, was, _ in stored}.get(partition, 0)
        ]
        if newer:
            self._shard.update(UpdateOperation.upsert_points(newer))
        return None, b""

    def marks(self, _: Vectors, partitions: list[int]) -> tuple[list[tuple[int, int, int]], bytes]:
        ids: dict[Id, int] = {_short_id(mark_id(partition)): partition for partition in partitions}
        records = self._shard.retrieve(list(ids), with_payload=["revision", "at"], with_vector=False)
        return [
            (ids[record.id], record.payload["revision"], record.payload["at"])
            for record in records
            if record.payload
        ], b""

    def upsert(self, vectors: Vectors, points: list[tuple[str, int, Payload | None]]) -> Answer:
        """What was stored before, and how many points met their revision with another content."""
        ids: list[Id] = [_short_id(id) for id, *_ in points]
        stored = {
            record.id: Stored(
                record.payload["revision"], "live" in record.payload, record.payload.get("edition", "")
            )
            for record in self._shard.retrieve(ids, with_payload=_BEFORE, with_vector=False)
            if record.payload
        }
        contested = 0
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
            there = stored.get(id)
            edition = str((payload or {}).get("edition", ""))
            was, writes = write_decision(there, revision, live=payload is not None, edition=edition)
            contested += payload is not None and there is not None and there.differs(revision, edition)
            before.append(was)
            if writes:
                newer.append((id, vector, kept))
        if newer:
            self._write(newer)
        return (before, contested), b""

    def _write(self, points: list[tuple[Id, Vectors | None, Payload]]) -> None:
        self._shard.update(
            UpdateOperation.upsert_points(
                [
                    engine.Point(id, self._tombstone if vector is None else vector.tolist(), payload)
                    for id, vector, payload in points
                ]
            )
        )
        for id, vector, payload in points:
            if vector is None:
                self._points.drop(id)
            else:
                self._points.put(id, vector, payload)
        self._wrote(len(points))

    def _wrote(self, points: int) -> None:
        self._unflushed += points
        if self._unflushed >= POINTS_PER_FLUSH:
            self._shard.flush()
            self._unflushed = 0

    def repeated(self, _: Vectors, repetitions: list[tuple[str, int, str]]) -> Answer:
        found: list[str] = []
        for id, revision, digest in repetitions:
            was = self._points.payload(_short_id(id))
            if was and repeats({**was, "live": 1}, revision, digest):
                found.append(id)
                if was["revision"] != revision:
                    self._set(_short_id(id), {"revision": revision})
        return found, b""

    def settle(
        self, _: Vectors, listings: list[tuple[str, int, str, int, int, int, str]], own: bool
    ) -> Answer:
        overtaken: list[tuple[str, Payload | None]] = []
        for each in (Listing(*row) for row in listings):
            id = _short_id(each.id)
            was = self._points.payload(id)
            there = Listing.stored(each.id, was or {})
            if was is None or not there.is_of(each):
                overtaken.append((each.id, None))
                continue
            news: Payload = {"settled": each.since} if own else {}
            if there.listed == each.listed:
                news |= each.written()
            else:
                overtaken.append((each.id, {name: was[name] for name in LISTING if name in was}))
            if news:
                self._set(id, news)
        return overtaken, b""

    def _set(self, id: Id, news: Payload) -> None:
        self._shard.update(UpdateOperation.set_payload([id], news))
        self._points.update(id, news)
        self._wrote(1)

    def search(self, vectors: Vectors, queries: list[Asked], tables: list[list[int]]) -> Answer:
        return hits(self._points, vectors, queries, [NOWHERE] * len(queries), tables), b""

    def search_allowed(
        self, vectors: Vectors, queries: list[Asked], tables: list[list[int]], anchors: "Shard"
    ) -> Answer:
        return hits(self._points, vectors, queries, anchors.across(vectors), tables), b""

    def across(self, vectors: Vectors) -> list[Vectors]:
        """For each vector, the areas across from those that it is in. (areas, dims)"""
        found = list(ranked(self._points, vectors, INSIDE))
        new: list[Id] = list({id for each in found for id in each if id not in self._others})
        for record in self._shard.retrieve(new, with_payload=["id"], with_vector=False) if new else ():
            assert record.payload
            self._others[record.id] = _short_id(other_anchor(record.payload["id"]))
        across = [[self._others[id] for id in each] for each in found]
        return [self._points.vectors([id for id in each if id in self._points]) for each in across]

    def fetch(self, _: Vectors, ids: list[str]) -> Answer:
        wanted: list[Id] = [_short_id(id) for id in dict.fromkeys(ids)]
        records = self._shard.retrieve(wanted, with_payload=True, with_vector=False)
        live = [record.id for record in records if record.payload and "live" in record.payload]
        return [record.payload for record in records], self._points.vectors(live).tobytes()

    def page(self, _: Vectors, after: int | None, limit: int) -> Answer:
        records, page = self._shard.scroll(
            engine.ScrollRequest(after, limit, Filter(must=[LIVE]), with_payload=["id"], with_vector=False)
        )
        return ([record.payload["id"] for record in records if record.payload], page), b""

    def vectors(self, _: Vectors, ids: list[str]) -> Answer:
        """Without asking the engine."""
        live = {id: short for id in ids if (short := _short_id(id)) in self._points}
        return list(live), self._points.vectors(list(live.values())).tobytes()

    def count(self, _: Vectors) -> Answer:
        return len(self._points), b""

    def expired(self, _: Vectors, before_ms: int, limit: int) -> Answer:
        old = FieldCondition("expires", range=RangeFloat(lt=before_ms))
        records, _next = self._shard.scroll(
            engine.ScrollRequest(
                None, limit, Filter(must=[LIVE, old]), with_payload=["id", "revision"], with_vector=False
            )
        )
        payloads = [record.payload for record in records if record.payload]
        return [(payload["id"], payload["revision"]) for payload in payloads], b""

    def purge(self, _: Vectors, before_ms: int) -> Answer:
        old = FieldCondition("removed", range=RangeFloat(lt=before_ms))
        self._shard.update(UpdateOperation.delete_points_by_filter(Filter(must=[old], must_not=[LIVE])))
        return None, b""

    def close(self) -> None:
        self._shard.flush()
        self._shard.close()


OPERATIONS: dict[str, Callable[..., Answer]] = {
    operation.__name__: operation
    for operation in (
        Shard.prepare,
        Shard.mark,
        Shard.marks,
        Shard.upsert,
        Shard.repeated,
        Shard.settle,
        Shard.search,
        Shard.search_allowed,
        Shard.fetch,
        Shard.page,
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


def check(path: Path, dims: int) -> None:
    """Raises `IndexMismatch`, or `IndexGone` if nothing is there."""
    if not path.exists():
        raise IndexGone(
            f"{path} does not exist: it was deleted, or no worker has run with this model; `rolecall "
            "rebuild` makes it again from the topics, or set ROLECALL_MODEL to the model that the workers use"
        )
    stored = orjson.loads((path / "edge_config.json").read_bytes())["vectors"][""]
    if stored["size"] != dims or stored["distance"] != "Dot":
        raise IndexMismatch(
            f"{path} holds {stored['distance']} vectors of {stored['size']} dimensions, not Dot vectors"
            f" of {dims}; use the model that wrote it, or remove the folder and replay the topics"
        )


def create(path: Path, dims: int) -> None:
    """Beside its place first: a kill in the middle leaves nothing half made there."""
    draft = path.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shard = EdgeShard.create(str(draft), _config(dims))
    for field, kind in _INDEXED.items():
        shard.update(UpdateOperation.create_field_index(field, kind))
    shard.flush()
    shard.close()
    draft.rename(path)


def _config(dims: int) -> engine.EdgeConfig:
    no_hnsw = engine.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=10_000)
    vectors = engine.EdgeVectorParams(size=dims, distance=engine.Distance.Dot, hnsw_config=no_hnsw)
    return engine.EdgeConfig(vectors=vectors, max_search_threads=SEARCH_THREADS)

"""The embedded index: Qdrant Edge in a process of its own, and its client.

    python -m streams.qdrant_edge --path DIRECTORY --socket SOCKET

The engine holds the interpreter lock through whole batches, so it lives outside the worker and serves any
number of them over a Unix socket. It answers one request at a time, in order: reading the stored revisions
and writing the points that are newer is one step that no other writer can come between.

Search is exact and HNSW is never built: that stops every request for 17 s at 20,000 points of 1,024
dimensions, and nothing is missed without it. There the engine takes 3.5 ms a query, nearly all of it for
trying a broad filter on every point. So a batch first finds each query's nearest points in one matrix
product, lets the engine filter those alone (1.6 ms a query in all), and asks it in full only for queries
that are then short of hits. Past 100,000 points use a Qdrant server.
"""

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

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

from schemas.match import Side
from streams.frames import MAX_FRAME_BYTES, Connection, Frame, listen, serve
from streams.index import (
    PAYLOAD_INDEXES,
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Hit,
    IndexMismatch,
    IndexUnavailable,
    Near,
    Payload,
    Point,
    Query,
    Space,
    Within,
    now_ms,
    point_id,
    space_named,
    write_decision,
)
from streams.nearest import Id, Nearest, Vectors

POINTS_PER_FLUSH = 20_000  # bounds the write-ahead log; a flush takes 0.05-0.15 s
FEW_QUERIES = 8  # below it the matrix product costs more than it saves
LIKELY_PER_HIT = 8
DEEPER = 8

# The client


class QdrantEdge:
    def __init__(self, socket: Path, version: str, dims: int, timeout_seconds: float = 30) -> None:
        self._socket = socket
        self._version = version
        self._dims = dims
        self._timeout_seconds = timeout_seconds
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    async def prepare(self) -> None:
        for side in Side:  # the lookup spaces when first asked for: each keeps dozens of files open
            await self._ask("prepare", side)

    async def upsert(self, space: Space, points: Sequence[Point]) -> list[int | None]:
        rows = [(p.id, p.revision, None if p.vector is None else p.payload or {}) for p in points]
        vectors = [p.vector for p in points if p.vector is not None]
        revisions, _ = await self._ask("upsert", space, vectors, points=rows)
        return revisions  # type: ignore[no-any-return]

    async def search(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        if not queries:
            return []
        rows = [(_encode(query.condition), query.limit, query.min_score) for query in queries]
        found, _ = await self._ask("search", space, [query.vector for query in queries], queries=rows)
        return [[_hit(score, payload) for score, payload in hits] for hits in found]

    async def fetch(self, space: Space, ids: Sequence[str]) -> dict[str, Point]:
        payloads, body = await self._ask("fetch", space, ids=list(ids))
        vectors = iter(np.frombuffer(body, np.float32).reshape(-1, self._dims))
        return {payload["id"]: _point(payload, vectors) for payload in payloads}

    async def vectors(self, space: Space, ids: Sequence[str]) -> dict[str, Vectors]:
        live, body = await self._ask("vectors", space, ids=list(ids))
        return dict(zip(live, np.frombuffer(body, np.float32).reshape(-1, self._dims), strict=True))

    async def count(self, space: Space) -> int:
        count, _ = await self._ask("count", space)
        return count  # type: ignore[no-any-return]

    async def expired(self, space: Space, before_ms: int, limit: int) -> list[tuple[str, int]]:
        found, _ = await self._ask("expired", space, before_ms=before_ms, limit=limit)
        return [(id, revision) for id, revision in found]

    async def purge(self, space: Space, before_ms: int) -> None:
        await self._ask("purge", space, before_ms=before_ms)

    async def drop(self) -> None:
        await self._ask("drop", Side.VACANCY)

    async def close(self) -> None:
        if self._connection:
            await self._connection.close()

    async def _ask(
        self, operation: str, space: Space, vectors: Sequence[Vectors] = (), **arguments: object
    ) -> tuple[Any, bytes]:
        collection = (self._version, space.value, self._dims)
        head = orjson.dumps({"operation": operation, "collection": collection, "arguments": arguments})
        frame = Frame(head, self._pack(vectors))
        if len(frame.head) + len(frame.body) > MAX_FRAME_BYTES:
            raise ValueError(f"{operation} takes more than {MAX_FRAME_BYTES:,} bytes; send it in parts")
        connection = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                connection = await self._connected()
                reply = await connection.ask(frame)
        except OSError as error:  # TimeoutError is one, and says nothing
            if connection:
                await connection.close()
            reason = str(error) or f"no answer to {operation} in {self._timeout_seconds} s"
            raise IndexUnavailable(
                f"index at {self._socket}: {reason}; check that its process is running"
            ) from error
        answer = orjson.loads(reply.head)
        if "mismatch" in answer:
            raise IndexMismatch(answer["mismatch"])
        return answer["result"], reply.body

    def _pack(self, vectors: Sequence[Vectors]) -> bytes:
        if not vectors:
            return b""
        rows = np.stack(vectors).astype(np.float32, copy=False)  # (rows, dims)
        if rows.shape[1] != self._dims:
            raise ValueError(f"vectors of {rows.shape[1]} dimensions for an index of {self._dims}")
        return rows.tobytes()

    async def _connected(self) -> Connection:
        async with self._connecting:
            if self._connection is None or self._connection.closed:
                self._connection = await Connection.open(self._socket)
            return self._connection


def _hit(score: float, payload: dict[str, Any]) -> Hit:
    return Hit(payload.pop("id"), payload.pop("revision"), score, payload)


def _point(payload: dict[str, Any], vectors: Iterator[Vectors]) -> Point:
    id, revision = payload.pop("id"), payload.pop("revision")
    if not payload.pop("live", None):
        return Point(id, revision)
    return Point(id, revision, next(vectors), payload)


def _encode(condition: Condition) -> list[object]:
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
            return ["all", *map(_encode, conditions)]
        case Either(conditions):
            return ["either", *map(_encode, conditions)]
        case _:
            return ["not", _encode(condition.condition)]


# The process


def start_edge(path: Path, socket: Path) -> subprocess.Popen[bytes]:
    """Start the index process and wait until it accepts.

    It ends by itself when this process does; `with` (or closing its stdin) ends it in good order.
    """
    command = [sys.executable, "-m", "streams.qdrant_edge", "--path", str(path), "--socket", str(socket)]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # the other cores are the workers'
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        start_new_session=True,  # Ctrl-C stops the workers; the index outlives them
    )
    assert process.stdout
    with process.stdout as output:
        if output.readline() == b"ready\n":
            return process
    with process:
        pass
    raise IndexUnavailable(f"the index process for {path} ended at its start; its own message is above")


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the embedded index until standard input closes.")
    parser.add_argument("--path", type=Path, required=True, help="where the points are kept")
    parser.add_argument("--socket", type=Path, required=True, help="the Unix socket to serve on")
    options = parser.parse_args()
    os.umask(0o077)  # profiles are nobody else's business
    collections = Collections(options.path)
    asyncio.run(serve(collections.answer, listen(options.socket)))
    options.socket.unlink(missing_ok=True)
    collections.close()


class Collections:
    """One shard a space and version, loaded or created when first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shards: dict[tuple[str, str, int], Shard] = {}

    def answer(self, frame: Frame) -> Frame:
        request = orjson.loads(frame.head)
        if request["operation"] == "drop":
            self._drop(request["collection"][0])
            return Frame(orjson.dumps({"result": None}))
        try:
            shard = self._shard(*request["collection"])
        except IndexMismatch as error:
            return Frame(orjson.dumps({"mismatch": str(error)}))
        operation = _OPERATIONS[request["operation"]]
        vectors = np.frombuffer(frame.body, np.float32).reshape(-1, shard.dims)
        try:
            result, body = operation(shard, vectors, **request["arguments"])
        except Exception:
            # A full disk leaves the engine's log unable to write, for good: it is opened anew next time.
            del self._shards[tuple(request["collection"])], shard
            raise
        return Frame(orjson.dumps({"result": result}), body)

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _drop(self, version: str) -> None:
        for key in [key for key in self._shards if key[0] == version]:
            self._shards.pop(key).close()
        folder = self._folder(version)
        if folder.exists():
            doomed = folder.with_name(f".{version}.dropped")  # a kill in the middle leaves no half there
            folder.rename(doomed)
            shutil.rmtree(doomed)

    def _folder(self, version: str) -> Path:
        if not re.fullmatch(r"\w[\w.-]*", version):
            raise IndexMismatch(f"model version {version!r} cannot name a folder; use letters and digits")
        return self._path / version

    def _shard(self, version: str, space: str, dims: int) -> "Shard":
        key = (version, space, dims)
        if key not in self._shards:
            self._shards[key] = Shard(self._folder(version) / space_named(space), dims)
        return self._shards[key]


_SCHEMAS = {
    "keyword": engine.PayloadSchemaType.Keyword,
    "float": engine.PayloadSchemaType.Float,
    "integer": engine.PayloadSchemaType.Integer,
    "geo": engine.PayloadSchemaType.Geo,
}
_CARRIED = engine.PayloadSelector.Exclude(sorted(PAYLOAD_INDEXES.keys() - {"revision"}))
_LIVE = FieldCondition("live", match=MatchValue(1))

Answer = tuple[object, bytes]
Test = tuple[Filter, int, float | None]  # what a hit must pass, how many are wanted, the least score


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
        self._shard = EdgeShard.load(str(path))
        self._unflushed = 0
        self._tombstone = [dims**-0.5] * dims
        self._nearest = self._read_nearest()

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
        tests = [(Filter(must=[_LIVE, _decode(test)]), limit, least) for test, limit, least in queries]
        likely = LIKELY_PER_HIT * max(limit for _, limit, _ in queries)
        few = len(queries) < FEW_QUERIES
        hits = self._query(vectors, tests) if few else self._search_near(vectors, tests, likely)
        return [[(hit.score, hit.payload) for hit in each] for each in hits], b""

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

    def _search_near(self, vectors: Vectors, tests: list[Test], likely: int) -> list[list[ScoredPoint]]:
        """Among the `likely` nearest first; where they leave too few hits, among ever more, then all."""
        if not tests or likely * DEEPER > len(self._nearest):
            return self._query(vectors, tests)
        nearest = self._nearest.best(vectors, likely)
        near = [
            (Filter(must=[HasIdCondition(ids), test]), limit, least)
            for ids, (test, limit, least) in zip(nearest, tests, strict=True)
        ]
        hits = self._query(vectors, near)
        short = [row for row, (_, limit, _) in enumerate(tests) if len(hits[row]) < limit]
        deeper = self._search_near(vectors[short], [tests[row] for row in short], likely * DEEPER)
        for row, found in zip(short, deeper, strict=True):
            hits[row] = found
        return hits

    def _query(self, vectors: Vectors, tests: list[Test]) -> list[list[ScoredPoint]]:
        requests = [
            engine.QueryRequest(
                limit=limit,
                query=engine.Query.Nearest(vector),
                filter=test,
                score_threshold=least,
                with_payload=_CARRIED,
            )
            for vector, (test, limit, least) in zip(vectors.tolist(), tests, strict=True)
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


_OPERATIONS: dict[str, Callable[..., Answer]] = {
    operation.__name__: operation
    for operation in (
        Shard.prepare,
        Shard.upsert,
        Shard.search,
        Shard.fetch,
        Shard.vectors,
        Shard.count,
        Shard.expired,
        Shard.purge,
    )
}


def _short_id(entity_id: str) -> int:
    """The upper half of the point id: the engine takes 25 times as long over a condition on UUIDs."""
    return point_id(entity_id).int >> 64


def _create(path: Path, dims: int) -> None:
    """Beside its place first: a kill in the middle leaves nothing half made there."""
    draft = path.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    no_hnsw = engine.HnswIndexConfig(m=0, ef_construct=16, full_scan_threshold=10_000)
    vectors = engine.EdgeVectorParams(size=dims, distance=engine.Distance.Dot, hnsw_config=no_hnsw)
    shard = EdgeShard.create(str(draft), engine.EdgeConfig(vectors=vectors))
    for field, kind in PAYLOAD_INDEXES.items():
        shard.update(UpdateOperation.create_field_index(field, _SCHEMAS[kind]))
    shard.flush()
    shard.close()
    draft.rename(path)


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


if __name__ == "__main__":
    main()

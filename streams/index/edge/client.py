"""The embedded index: the client of the process that Qdrant Edge runs in (`qdrant_edge_process`)."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexGone, IndexMismatch, IndexUnavailable
from rolecall.streams.index.edge.condition_json import encode
from rolecall.streams.index.edge.protocol import MAX_FRAME_BYTES, Connection, Frame
from rolecall.streams.index.edge.sketches import Vectors
from rolecall.streams.index.port import (
    SPACES,
    Hit,
    Listing,
    Mark,
    Point,
    Query,
    Repetition,
    Space,
    space_named,
)


class QdrantEdge:
    def __init__(self, socket: Path, version: str, dims: int, timeout_seconds: float = 30) -> None:
        self._socket = socket
        self._version = version
        self._dims = dims
        self._timeout_seconds = timeout_seconds
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self.contested = 0

    async def prepare(self) -> None:
        for space in SPACES:
            await self._ask("prepare", space)

    async def missing(self) -> list[Space]:
        gone, _ = await self._ask("missing", Side.VACANCY)
        return [space_named(each) for each in gone]

    async def mark(self, space: Space, marks: Mapping[int, Mark]) -> None:
        rows = [(partition, mark.offset, mark.at_ms) for partition, mark in marks.items()]
        await self._ask("mark", space, marks=rows)

    async def marks(self, space: Space, partitions: Sequence[int]) -> dict[int, Mark]:
        found, _ = await self._ask("marks", space, partitions=list(partitions))
        return {partition: Mark(offset, at_ms) for partition, offset, at_ms in found}

    async def upsert(self, space: Space, points: Sequence[Point]) -> list[int | None]:
        rows = [(p.id, p.revision, None if p.vector is None else p.payload or {}) for p in points]
        vectors = [p.vector for p in points if p.vector is not None]
        (revisions, contested), _ = await self._ask("upsert", space, vectors, points=rows)
        self.contested += contested
        return revisions  # type: ignore[no-any-return]

    async def repeated(self, space: Space, repetitions: Sequence[Repetition]) -> set[str]:
        rows = [(each.id, each.revision, each.digest) for each in repetitions]
        found, _ = await self._ask("repeated", space, repetitions=rows)
        return set(found)

    async def settle(
        self, space: Space, listings: Sequence[Listing], *, own: bool = True
    ) -> dict[str, Listing | None]:
        overtaken, _ = await self._ask(
            "settle", space, listings=[_fields(each) for each in listings], own=own
        )
        return {id: payload and Listing.stored(id, payload) for id, payload in overtaken}

    async def search(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        return await self._search("search", space, queries)

    async def search_allowed(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        return await self._search("search_allowed", space, queries)

    async def _search(self, operation: str, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        if not queries:
            return []
        tables = {id(each): each for query in queries for each in (query.useful, query.reach_useful)}
        tables.pop(id(None), None)
        place = {key: number for number, key in enumerate(tables)}
        rows = [
            (
                encode(query.condition),
                query.limit,
                query.min_score,
                place.get(id(query.useful)),
                query.reach,
                place.get(id(query.reach_useful)),
            )
            for query in queries
        ]
        (payloads, answers), _ = await self._ask(
            operation,
            space,
            [query.vector for query in queries],
            queries=rows,
            tables=[each.tolist() for each in tables.values() if each is not None],
        )
        known = [(each.pop("id"), each.pop("revision"), each) for each in payloads]
        return [
            [
                Hit(id, revision, score, payload)
                for place, score in hits
                for id, revision, payload in [known[place]]
            ]
            for hits in answers
        ]

    async def fetch(self, space: Space, ids: Sequence[str]) -> dict[str, Point]:
        payloads, body = await self._ask("fetch", space, ids=list(ids))
        vectors = iter(np.frombuffer(body, np.float32).reshape(-1, self._dims))
        return {payload["id"]: _point(payload, vectors) for payload in payloads}

    async def page(self, space: Space, after: str | None, limit: int) -> tuple[list[str], str | None]:
        (ids, page), _ = await self._ask(
            "page", space, after=None if after is None else int(after), limit=limit
        )
        return ids, None if page is None else str(page)

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
        except OSError as error:  # TimeoutError is one, and its text is empty
            if connection:
                await connection.close()
            reason = str(error) or f"no answer to {operation} in {self._timeout_seconds} s"
            raise IndexUnavailable(
                f"index at {self._socket}: {reason}; check that its process is running"
            ) from error
        answer = orjson.loads(reply.head)
        if "gone" in answer:
            raise IndexGone(answer["gone"])
        if "mismatch" in answer:
            raise IndexMismatch(answer["mismatch"])
        if "refused" in answer:  # these events cause it, not the index: a smaller batch may succeed
            raise ValueError(answer["refused"])
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


def _fields(each: Listing) -> tuple[str, int, str, int, int, int, str]:
    return each.id, each.since, each.digest, each.listed, each.floor, each.held, each.members


def _point(payload: dict[str, Any], vectors: Iterator[Vectors]) -> Point:
    id, revision = payload.pop("id"), payload.pop("revision")
    if not payload.pop("live", None):
        return Point(id, revision)
    return Point(id, revision, next(vectors), payload)

"""The index on a Qdrant server: one collection a space and model version."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from qdrant_client import AsyncQdrantClient, models
from qdrant_client import grpc as messages
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexMismatch, IndexUnavailable
from rolecall.streams.index.areas import search_allowed
from rolecall.streams.index.conditions import (
    PAYLOAD_INDEXES,
    Payload,
)
from rolecall.streams.index.port import (
    SPACES,
    Hit,
    Lookup,
    Point,
    Query,
    Repetition,
    Space,
    now_ms,
    point_id,
    repeats,
    write_decision,
)
from rolecall.streams.index.qdrant_messages import (
    LIVE,
    all_of,
    any_of,
    below,
    equals,
    hits,
    payload_message,
    search_message,
    with_id,
    write_message,
)

REST_PORT = 6333
OLDEST_SERVER = (1, 16)  # the first with conditional upserts; older ones would let stale writes win

_PLURALS: dict[Space, str] = {
    Side.VACANCY: "vacancies",
    Side.CANDIDATE: "candidates",
    Lookup.ANCHOR: "anchors",
    Lookup.OCCUPATION: "occupations",
}
_HNSW = models.HnswConfigDiff(m=16, ef_construct=128)
_ALL_LIVE = messages.Filter(must=[LIVE])
_ALREADY_THERE = 409
_NOT_FOUND = 404
_OTHER_MODEL = "no worker has run with this model: set ROLECALL_MODEL to theirs"
_TRY_AGAIN = {408, 429}
_NOT_LET_IN = {401, 403, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
_KEY = "set ROLECALL_QDRANT_API_KEY to a key that may write"
_PASSING = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}


def connect(
    url: str, *, api_key: str | None, ca: Path | None, version: str, dims: int, timeout_seconds: float
) -> "QdrantServer":
    """gRPC carries the vectors; it is expected one port above the URL's, as Qdrant has it (6333, 6334)."""
    client = AsyncQdrantClient(
        url=url,
        grpc_port=(urlsplit(url).port or REST_PORT) + 1,
        prefer_grpc=True,
        api_key=api_key,
        timeout=ceil(timeout_seconds),
        check_compatibility=False,  # prepare() asks for the version and says what is wrong with it
        grpc_options={"root_certificates": ca.read_bytes()} if ca else None,
    )
    return QdrantServer(client, version, dims, timeout_seconds)


class QdrantServer:
    def __init__(self, client: AsyncQdrantClient, version: str, dims: int, timeout_seconds: float) -> None:
        self._client = client
        self._version = version
        self._dims = dims
        self._timeout_seconds = timeout_seconds
        self._tombstone = np.full(dims, dims**-0.5, np.float32)

    async def prepare(self) -> None:
        with _translated():
            server = (await self._client.info()).version
        if tuple(map(int, server.split(".")[:2])) < OLDEST_SERVER:
            raise IndexMismatch(f"Qdrant {server} has no conditional upserts; run 1.16 or newer")
        for space in SPACES:
            with _translated():
                await self._create(self._name(space))
                stored = (await self._client.get_collection(self._name(space))).config.params.vectors
            self._check(self._name(space), stored)
            with _translated():
                for field, kind in PAYLOAD_INDEXES.items():
                    await self._client.create_payload_index(
                        self._name(space), field, models.PayloadSchemaType(kind), wait=True
                    )

    async def upsert(self, space: Space, points: Sequence[Point]) -> list[int | None]:
        """One operation a point, each on condition that what is stored is older.

        One operation for the whole batch would need a filter of (this id and older than that) for every
        point, tried on every point: 34 ms against 16 ms for 256 points, measured on the embedded engine.
        """
        if not points:
            return []
        ids = [str(point_id(point.id)) for point in points]
        with _translated():
            records = await self._client.retrieve(self._name(space), ids, with_payload=["revision", "live"])
            payloads = {str(record.id): _payload(record) for record in records}
            stored = {id: (payload["revision"], "live" in payload) for id, payload in payloads.items()}
            decisions = [
                write_decision(stored.get(id), point.revision, live=point.vector is not None)
                for id, point in zip(ids, points, strict=True)
            ]
            newer = [
                self._operation(id, point)
                for id, point, (_, writes) in zip(ids, points, decisions, strict=True)
                if writes
            ]
        await self._write(space, newer)
        return [was for was, _ in decisions]

    async def repeated(self, space: Space, repetitions: Sequence[Repetition]) -> set[str]:
        known = await self._repeating(space, repetitions)
        newer = [each for each in repetitions if known.get(each.id, each.revision) < each.revision]
        if not newer:
            return set(known)
        await self._write(
            space,
            [
                payload_message(
                    {"revision": each.revision},
                    with_id(each.id),
                    LIVE,
                    equals("digest", each.digest),
                    below("revision", each.revision),
                )
                for each in newer
            ],
        )
        return set(await self._repeating(space, [each for each in repetitions if each.id in known]))

    async def _repeating(self, space: Space, repetitions: Sequence[Repetition]) -> dict[str, int]:
        """By id, the stored revisions of those that say what is stored."""
        by_id = {each.id: each for each in repetitions}
        with _translated():
            records = await self._client.retrieve(
                self._name(space),
                [str(point_id(id)) for id in by_id],
                with_payload=["id", "revision", "live", "digest", "since", "settled"],
            )
        return {
            stored["id"]: stored["revision"]
            for stored in map(_payload, records)
            if repeats(stored, by_id[stored["id"]].revision, by_id[stored["id"]].digest)
        }

    async def settle(self, space: Space, since: Mapping[str, int]) -> None:
        await self._write(
            space,
            [
                payload_message({"settled": revision}, with_id(id), LIVE, equals("since", revision))
                for id, revision in since.items()
            ],
        )

    async def _write(self, space: Space, operations: list[messages.PointsUpdateOperation]) -> None:
        if operations:
            message = messages.UpdateBatchPoints(
                collection_name=self._name(space), operations=operations, wait=True
            )
            with _translated():
                await self._client.grpc_points.UpdateBatch(message, timeout=self._timeout_seconds)

    async def search(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        if not queries:
            return []
        message = search_message(self._name(space), queries)
        with _translated():
            answer = await self._client.grpc_points.QueryBatch(message, timeout=self._timeout_seconds)
        return hits(answer)

    async def search_allowed(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        return await search_allowed(self, space, queries)

    async def fetch(self, space: Space, ids: Sequence[str]) -> dict[str, Point]:
        with _translated():
            records = await self._client.retrieve(
                self._name(space), [str(point_id(id)) for id in ids], with_payload=True, with_vectors=True
            )
        points = map(_point, records)
        return {point.id: point for point in points}

    async def vectors(self, space: Space, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        points = [str(point_id(id)) for id in ids]
        with _translated():
            records = await self._client.retrieve(
                self._name(space), points, with_payload=["id", "revision", "live"], with_vectors=True
            )
        return {point.id: point.vector for point in map(_point, records) if point.vector is not None}

    async def count(self, space: Space) -> int:
        with _translated():
            return (await self._client.count(self._name(space), count_filter=_ALL_LIVE, exact=True)).count

    async def expired(self, space: Space, before_ms: int, limit: int) -> list[tuple[str, int]]:
        old = messages.Filter(must=[LIVE, below("expires", before_ms)])
        with _translated():
            records, _ = await self._client.scroll(
                self._name(space), old, limit=limit, with_payload=["id", "revision"]
            )
        payloads = map(_payload, records)
        return [(payload["id"], payload["revision"]) for payload in payloads]

    async def purge(self, space: Space, before_ms: int) -> None:
        old = messages.Filter(must=[below("removed", before_ms)], must_not=[LIVE])
        with _translated():
            await self._client.delete(self._name(space), messages.PointsSelector(filter=old), wait=True)

    async def drop(self) -> None:
        for space in SPACES:
            with _translated():
                await self._client.delete_collection(self._name(space))

    async def close(self) -> None:
        await self._client.close()

    def _name(self, space: Space) -> str:
        return f"rolecall_{self._version}_{_PLURALS[space]}"

    async def _create(self, name: str) -> None:
        if await self._client.collection_exists(name):
            return
        vectors = models.VectorParams(size=self._dims, distance=models.Distance.DOT)
        try:
            await self._client.create_collection(name, vectors_config=vectors, hnsw_config=_HNSW)
        except UnexpectedResponse as error:  # another worker was faster
            if error.status_code != _ALREADY_THERE:
                raise
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise

    def _check(self, name: str, stored: object) -> None:
        if not isinstance(stored, models.VectorParams):
            raise IndexMismatch(f"collection {name} has named vectors; remove it and replay the topics")
        if (stored.size, stored.distance) != (self._dims, models.Distance.DOT):
            raise IndexMismatch(
                f"collection {name} holds {stored.distance.value} vectors of {stored.size} dimensions, not"
                f" Dot vectors of {self._dims}; use the model that wrote it, or remove it and replay"
            )

    def _operation(self, id: str, point: Point) -> messages.PointsUpdateOperation:
        kept: Payload = {"id": point.id, "revision": point.revision}
        older = below("revision", point.revision)
        if point.vector is None:
            kept["removed"] = now_ms()
            same = equals("revision", point.revision)
            return write_message(id, self._tombstone, kept, any_of(older, all_of(same, LIVE)))
        kept = {**(point.payload or {}), **kept, "live": 1}
        return write_message(id, point.vector, kept, older)


@contextmanager
def _translated() -> Iterator[None]:
    """Raises temporary errors as `IndexUnavailable`. Other errors are defects and are not changed."""
    try:
        yield
    except (ResponseHandlingException, ResourceExhaustedResponse) as error:
        raise IndexUnavailable(f"Qdrant: {error}") from error
    except UnexpectedResponse as error:
        status = error.status_code or 500
        if status == _NOT_FOUND:
            raise IndexMismatch(f"Qdrant: {error}; {_OTHER_MODEL}") from error
        if status in _NOT_LET_IN:
            raise IndexMismatch(f"Qdrant: {error}; {_KEY}") from error
        if status < 500 and status not in _TRY_AGAIN:
            raise
        raise IndexUnavailable(f"Qdrant: {error}") from error
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise IndexMismatch(f"Qdrant: {error.details()}; {_OTHER_MODEL}") from error
        if error.code() in _NOT_LET_IN:
            raise IndexMismatch(f"Qdrant: {error.details()}; {_KEY}") from error
        if error.code() not in _PASSING:
            raise
        raise IndexUnavailable(f"Qdrant: {error.code().name}, {error.details()}") from error


def _payload(record: models.Record | models.ScoredPoint) -> dict[str, Any]:
    return dict(record.payload or {})  # a copy: in local mode it is the stored one


def _point(record: models.Record) -> Point:
    payload = _payload(record)
    id, revision = payload.pop("id"), payload.pop("revision")
    if not payload.pop("live", None):
        return Point(id, revision)
    return Point(id, revision, np.array(record.vector, np.float32), payload)

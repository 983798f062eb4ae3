"""The index on a Qdrant server: one collection a space and model version."""

import secrets
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from qdrant_client import AsyncQdrantClient, models
from qdrant_client import grpc as messages
from qdrant_client.http.exceptions import UnexpectedResponse

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexMismatch, IndexUnavailable
from rolecall.streams.index.areas import search_allowed
from rolecall.streams.index.conditions import (
    PAYLOAD_INDEXES,
    Payload,
)
from rolecall.streams.index.port import (
    LISTING,
    SPACES,
    Hit,
    Listing,
    Lookup,
    Mark,
    Point,
    Query,
    Repetition,
    Space,
    Stored,
    mark_id,
    now_ms,
    point_id,
    repeats,
    write_decision,
)
from rolecall.streams.index.qdrant_collections import INSERTED_TOGETHER, check_collection
from rolecall.streams.index.qdrant_errors import translated
from rolecall.streams.index.qdrant_messages import (
    LIVE,
    absent,
    all_of,
    any_of,
    below,
    between,
    equals,
    hits,
    none_of,
    payload_message,
    point_message,
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
    Lookup.VERDICT: "verdicts",
}
_HNSW = models.HnswConfigDiff(m=16, ef_construct=128)
_ALL_LIVE = messages.Filter(must=[LIVE])
_ALREADY_THERE = 409
_ABSENT = below("revision", -1)  # no stored point fulfils it
_BEFORE = ["revision", "live", "edition", "write"]
_NOTHING: tuple[Stored | None, str] = (None, "")
SEARCHED_TOGETHER = 32  # each may be two queries of a request, and a server may take 64
_TRIES = 32  # of a write whose point others keep changing


def connect(
    url: str, *, api_key: str | None, ca: Path | None, version: str, dims: int, timeout_seconds: float
) -> "QdrantServer":
    """gRPC carries the vectors; it is expected one port above the URL's, as Qdrant has it (6333, 6334)."""
    with warnings.catch_warnings():  # on a key without TLS: `doctor` says it in our words
        warnings.simplefilter("ignore", UserWarning)
        client = _client(url, api_key, ca, timeout_seconds)
    return QdrantServer(client, version, dims, timeout_seconds)


def _client(url: str, api_key: str | None, ca: Path | None, timeout_seconds: float) -> AsyncQdrantClient:
    return AsyncQdrantClient(
        url=url,
        grpc_port=(urlsplit(url).port or REST_PORT) + 1,
        prefer_grpc=True,
        api_key=api_key,
        timeout=ceil(timeout_seconds),
        check_compatibility=False,  # prepare() asks for the version and says what is wrong with it
        grpc_options={"root_certificates": ca.read_bytes()} if ca else None,
    )


class QdrantServer:
    def __init__(self, client: AsyncQdrantClient, version: str, dims: int, timeout_seconds: float) -> None:
        self._client = client
        self._version = version
        self._dims = dims
        self._timeout_seconds = timeout_seconds
        self._tombstone = np.full(dims, dims**-0.5, np.float32)
        self.contested = 0

    async def prepare(self) -> None:
        with translated():
            server = (await self._client.info()).version
        if tuple(map(int, server.split(".")[:2])) < OLDEST_SERVER:
            raise IndexMismatch(f"Qdrant {server} has no conditional upserts; run 1.16 or newer")
        for space in SPACES:
            with translated():
                await self._create(self._name(space))
                config = (await self._client.get_collection(self._name(space))).config
            check_collection(self._name(space), config, self._dims)
            with translated():
                for field, kind in PAYLOAD_INDEXES.items():
                    await self._client.create_payload_index(
                        self._name(space), field, models.PayloadSchemaType(kind), wait=True
                    )

    async def missing(self) -> list[Space]:
        with translated():
            return [space for space in SPACES if not await self._client.collection_exists(self._name(space))]

    async def upsert(self, space: Space, points: Sequence[Point]) -> list[int | None]:
        """Each point is written on condition that what is stored is still what was read.

        Then each point that was written is read again. Where another writer came between, the decision is
        made anew from what that one has stored.

        New points share an operation, because they share the condition. Points that replace others have one
        each: a condition for all of them would be a filter of (this id and that revision) for every point,
        tried on every point (34 ms instead of 16 ms for 256 points on the embedded engine).
        """
        pending = {str(point_id(point.id)): point for point in points}
        before: dict[str, int | None] = dict.fromkeys(pending)
        stored = await self._stored(space, list(pending))
        for _ in range(_TRIES):
            writing = {}
            for id, point in pending.items():
                there, live = stored.get(id, _NOTHING)[0], point.vector is not None
                before[id], writes = write_decision(there, point.revision, live=live, edition=point.edition)
                self.contested += live and there is not None and there.differs(point.revision, point.edition)
                if writes:
                    writing[id] = point
            if not writing:
                return list(before.values())
            token = secrets.token_hex(8)
            await self._write(space, self._operations(writing, stored, token))
            stored = await self._stored(space, list(writing))
            pending = {id: point for id, point in writing.items() if stored.get(id, _NOTHING)[1] != token}
        raise IndexUnavailable(f"Qdrant: other writers changed {len(pending)} points {_TRIES} times in a row")

    async def _stored(self, space: Space, ids: list[str]) -> dict[str, tuple[Stored, str]]:
        """What is stored, and the token of who wrote it."""
        if not ids:
            return {}
        with translated():
            records = await self._client.retrieve(self._name(space), ids, with_payload=_BEFORE)
        return {
            str(record.id): (
                Stored(payload["revision"], "live" in payload, payload.get("edition", "")),
                payload.get("write", ""),
            )
            for record in records
            for payload in [_payload(record)]
        }

    async def mark(self, space: Space, marks: Mapping[int, Mark]) -> None:
        await self._write(
            space,
            [
                write_message([self._mark(partition, mark)], between("revision", 0, mark.offset))
                for partition, mark in marks.items()
            ],
        )

    async def marks(self, space: Space, partitions: Sequence[int]) -> dict[int, Mark]:
        ids = {str(point_id(mark_id(partition))): partition for partition in partitions}
        with translated():
            records = await self._client.retrieve(
                self._name(space), list(ids), with_payload=["revision", "at"]
            )
        payloads = {ids[str(record.id)]: _payload(record) for record in records}
        return {partition: Mark(each["revision"], each["at"]) for partition, each in payloads.items()}

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
        with translated():
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

    async def settle(
        self, space: Space, listings: Sequence[Listing], *, own: bool = True
    ) -> dict[str, Listing | None]:
        if not listings:
            return {}
        operations = []
        for each in listings:
            same = with_id(each.id), LIVE, equals("since", each.since), equals("digest", each.digest)
            if own:
                operations.append(payload_message({"settled": each.since}, *same))
            as_often = equals("listed", each.listed)
            if not each.listed:
                as_often = any_of(as_often, absent("listed"))
            operations.append(payload_message(each.written(), *same, as_often))
        await self._write(space, operations)
        return await self._overtaken(space, {each.id: each for each in listings})

    async def _overtaken(self, space: Space, written: Mapping[str, Listing]) -> dict[str, Listing | None]:
        with translated():
            records = await self._client.retrieve(
                self._name(space), [str(point_id(id)) for id in written], with_payload=LISTING
            )
        stored = {
            each["id"]: Listing.stored(each["id"], each) for each in map(_payload, records) if "live" in each
        }
        overtaken: dict[str, Listing | None] = {}
        for id, mine in written.items():
            there = stored.get(id)
            if there is None or not there.is_of(mine):
                overtaken[id] = None
            elif there != replace(mine, listed=mine.listed + 1):
                overtaken[id] = there
        return overtaken

    async def page(self, space: Space, after: str | None, limit: int) -> tuple[list[str], str | None]:
        with translated():
            records, page = await self._client.scroll(
                self._name(space), _ALL_LIVE, limit=limit, offset=after, with_payload=["id"]
            )
        return [_payload(record)["id"] for record in records], None if page is None else str(page)

    async def _write(self, space: Space, operations: list[messages.PointsUpdateOperation]) -> None:
        if operations:
            message = messages.UpdateBatchPoints(
                collection_name=self._name(space), operations=operations, wait=True
            )
            with translated():
                await self._client.grpc_points.UpdateBatch(message, timeout=self._timeout_seconds)

    async def search(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        if not queries:
            return []
        found: list[list[Hit]] = []
        for start in range(0, len(queries), SEARCHED_TOGETHER):
            some = queries[start : start + SEARCHED_TOGETHER]
            message = search_message(self._name(space), some)
            with translated():
                answer = await self._client.grpc_points.QueryBatch(message, timeout=self._timeout_seconds)
            found += hits(some, answer)
        return found

    async def search_allowed(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        return await search_allowed(self, space, queries)

    async def fetch(self, space: Space, ids: Sequence[str]) -> dict[str, Point]:
        with translated():
            records = await self._client.retrieve(
                self._name(space), [str(point_id(id)) for id in ids], with_payload=True, with_vectors=True
            )
        points = map(_point, records)
        return {point.id: point for point in points}

    async def vectors(self, space: Space, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        points = [str(point_id(id)) for id in ids]
        with translated():
            records = await self._client.retrieve(
                self._name(space), points, with_payload=["id", "revision", "live"], with_vectors=True
            )
        return {point.id: point.vector for point in map(_point, records) if point.vector is not None}

    async def count(self, space: Space) -> int:
        with translated():
            return (await self._client.count(self._name(space), count_filter=_ALL_LIVE, exact=True)).count

    async def expired(self, space: Space, before_ms: int, limit: int) -> list[tuple[str, int]]:
        old = messages.Filter(must=[LIVE, below("expires", before_ms)])
        with translated():
            records, _ = await self._client.scroll(
                self._name(space), old, limit=limit, with_payload=["id", "revision"]
            )
        payloads = map(_payload, records)
        return [(payload["id"], payload["revision"]) for payload in payloads]

    async def purge(self, space: Space, before_ms: int) -> None:
        old = messages.Filter(must=[below("removed", before_ms)], must_not=[LIVE])
        with translated():
            await self._client.delete(self._name(space), messages.PointsSelector(filter=old), wait=True)

    async def drop(self) -> None:
        for space in SPACES:
            with translated():
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

    def _operations(
        self, writing: Mapping[str, Point], stored: Mapping[str, tuple[Stored | None, str]], token: str
    ) -> list[messages.PointsUpdateOperation]:
        """One operation for every 64 new points, and one for each point that replaces another."""
        new: list[messages.PointStruct] = []
        operations = []
        for id, point in writing.items():
            was = stored.get(id, _NOTHING)[0]
            message = self._message(id, point, token)
            if was is None:
                new.append(message)
            else:
                operations.append(write_message([message], _unchanged(was)))
        parts = (new[at : at + INSERTED_TOGETHER] for at in range(0, len(new), INSERTED_TOGETHER))
        return [write_message(part, _ABSENT) for part in parts] + operations

    def _message(self, id: str, point: Point, token: str) -> messages.PointStruct:
        kept: Payload = {"id": point.id, "revision": point.revision, "write": token}
        if point.vector is None:
            return point_message(id, self._tombstone, kept | {"removed": now_ms()})
        return point_message(id, point.vector, {**(point.payload or {}), **kept, "live": 1})

    def _mark(self, partition: int, mark: Mark) -> messages.PointStruct:
        payload: Payload = {"id": mark_id(partition), "revision": mark.offset, "at": mark.at_ms}
        return point_message(str(point_id(mark_id(partition))), self._tombstone, payload)


def _unchanged(was: Stored) -> messages.Condition:
    revision = between("revision", was.revision, was.revision)
    if not was.live:
        return all_of(revision, none_of(LIVE))
    return all_of(revision, LIVE, *([equals("edition", was.edition)] if was.edition else []))


def _payload(record: models.Record | models.ScoredPoint) -> dict[str, Any]:
    return dict(record.payload or {})  # a copy: in local mode it is the stored one


def _point(record: models.Record) -> Point:
    payload = _payload(record)
    id, revision = payload.pop("id"), payload.pop("revision")
    if not payload.pop("live", None):
        return Point(id, revision)
    payload.pop("write", None)
    return Point(id, revision, np.array(record.vector, np.float32), payload)

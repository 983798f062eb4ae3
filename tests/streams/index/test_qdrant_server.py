"""Tests for the server only: races between its requests, and which errors can be retried."""

from typing import Any

import grpc  # type: ignore[import-untyped]
import httpx
import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from bench.rig.qdrant_double import qdrant_double
from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexGone, IndexMismatch, IndexUnavailable
from rolecall.streams.index.conditions import All
from rolecall.streams.index.port import Point, Query
from rolecall.streams.index.qdrant_server import QdrantServer, connect
from tests.streams.index.contract.common import LOCAL_QDRANT_WARNS

pytestmark = LOCAL_QDRANT_WARNS

DIMS = 4
SIDE = Side.VACANCY
VECTOR = np.full(DIMS, 0.5, np.float32)


@pytest.mark.parametrize("before", [[], [Point("a", 1, VECTOR, {"by": "nobody"})]])
@pytest.mark.parametrize("newer", [Point("a", 9, VECTOR, {"by": "newer"}), Point("a", 9)])
async def test_stale_never_wins_over_a_write_in_between(before: list[Point], newer: Point) -> None:
    async with qdrant_double() as double:
        index = double.index("v1", DIMS)
        await index.prepare()
        await index.upsert(SIDE, before)
        double.before["UpdateBatch"] = lambda: index.upsert(SIDE, [newer])
        await index.upsert(SIDE, [Point("a", 5, VECTOR, {"by": "stale"}), Point("b", 1, VECTOR, {})])
        stored = await index.fetch(SIDE, ["a", "b"])
        await index.close()
    assert (stored["a"].revision, stored["a"].payload) == (9, newer.payload)
    assert stored["b"].revision == 1


async def test_vectors_and_payloads_arrive_bit_for_bit() -> None:
    vector = np.random.default_rng(7).normal(size=DIMS).astype(np.float32)
    payload = {"card": '{"title":"Köchin"}', "languages": ["de", "en"], "pay": 1.5}
    async with qdrant_double() as double:
        index = double.index("v1", DIMS)
        await index.prepare()
        await index.upsert(SIDE, [Point("a", 2**53, vector, payload)])
        stored = await index.fetch(SIDE, ["a"])
        [[hit]] = await index.search(SIDE, [Query(vector, All(), 1)])
        await index.close()
    assert stored["a"].vector is not None
    assert stored["a"].vector.tobytes() == vector.tobytes()
    assert stored["a"].payload == payload
    assert (hit.id, hit.revision, hit.payload) == ("a", 2**53, {"card": payload["card"]})
    assert hit.score == pytest.approx(float(vector @ vector), rel=1e-6)


async def test_new_points_share_operations_and_replacements_have_one_each() -> None:
    async with qdrant_double() as double:
        index = double.index("v1", DIMS)
        await index.prepare()
        await index.upsert(SIDE, [Point(f"p{number}", 1, VECTOR, {}) for number in range(70)])
        assert double.written == [64, 6]
        double.written.clear()
        await index.upsert(SIDE, [Point(f"p{number}", 2, VECTOR, {}) for number in range(68, 72)])
        assert double.written == [2, 1, 1]
        await index.close()


async def test_collections_are_named_after_the_model() -> None:
    async with qdrant_double() as double:
        index = double.index("abc", DIMS)
        await index.prepare()
        await index.close()
        names = {each.name for each in (await double.local.get_collections()).collections}
    spaces = ("vacancies", "candidates", "anchors", "occupations", "verdicts")
    assert names == {f"rolecall_abc_{each}" for each in spaces}


async def test_a_collection_of_another_distance_is_refused() -> None:
    cosine = models.VectorParams(size=DIMS, distance=models.Distance.COSINE)
    async with qdrant_double() as double:
        await double.local.create_collection("rolecall_v1_vacancies", vectors_config=cosine)
        index = double.index("v1", DIMS)
        with pytest.raises(IndexMismatch, match="holds Cosine vectors of 4 dimensions"):
            await index.prepare()
        await index.close()


async def test_a_server_without_conditional_upserts_is_refused() -> None:
    async with qdrant_double(version="1.15.4") as double:
        index = double.index("v1", DIMS)
        with pytest.raises(IndexMismatch, match=r"Qdrant 1\.15\.4 has no conditional upserts; run 1\.16"):
            await index.prepare()
        await index.close()


async def test_nobody_there_is_unavailable() -> None:
    index = connect("http://127.0.0.1:1", api_key=None, ca=None, version="v1", dims=DIMS, timeout_seconds=5)
    with pytest.raises(IndexUnavailable, match="UNAVAILABLE"):
        await index.prepare()
    await index.close()


class Failing(AsyncQdrantClient):
    error: Exception

    async def count(self, *args: Any, **kwargs: Any) -> models.CountResult:
        raise self.error


async def count_with(error: Exception) -> int:
    client = Failing(":memory:")
    client.error = error
    return await QdrantServer(client, "v1", DIMS, timeout_seconds=5).count(SIDE)


def status(code: int) -> UnexpectedResponse:
    return UnexpectedResponse(code, "Reason", b"", httpx.Headers())


def rpc(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="why")


@pytest.mark.parametrize(
    "error",
    [
        ResponseHandlingException(httpx.ConnectError("refused")),
        ResponseHandlingException(httpx.ReadTimeout("too late")),
        ResourceExhaustedResponse("slow down", 3),
        status(500),
        status(503),
        status(429),
        rpc(grpc.StatusCode.UNAVAILABLE),
        rpc(grpc.StatusCode.DEADLINE_EXCEEDED),
        rpc(grpc.StatusCode.INTERNAL),
    ],
    ids=repr,
)
async def test_what_may_pass_is_unavailable(error: Exception) -> None:
    with pytest.raises(IndexUnavailable, match="Qdrant: "):
        await count_with(error)


@pytest.mark.parametrize(
    "error",
    [
        status(400),
        rpc(grpc.StatusCode.INVALID_ARGUMENT),
    ],
    ids=repr,
)
async def test_a_mistake_is_not_retried(error: Exception) -> None:
    with pytest.raises(type(error)):
        await count_with(error)


@pytest.mark.parametrize("error", [status(404), rpc(grpc.StatusCode.NOT_FOUND)], ids=repr)
async def test_a_collection_that_is_not_there_names_both_ways_out(error: Exception) -> None:
    with pytest.raises(IndexGone, match=r"`rolecall rebuild` makes it again .* or set ROLECALL_MODEL"):
        await count_with(error)


@pytest.mark.parametrize(
    "error",
    [
        status(401),
        status(403),
        rpc(grpc.StatusCode.UNAUTHENTICATED),
        rpc(grpc.StatusCode.PERMISSION_DENIED),
    ],
    ids=repr,
)
async def test_a_key_that_does_not_fit_is_no_poison(error: Exception) -> None:
    with pytest.raises(IndexMismatch, match="set ROLECALL_QDRANT_API_KEY"):
        await count_with(error)

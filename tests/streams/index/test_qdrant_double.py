"""What a Qdrant server answers that the local mode cannot: limits, and collections made by hand.

A gRPC server answers with the messages of Qdrant's own protocol.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
import numpy as np
import pytest
from qdrant_client import grpc as q

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexGone, IndexLimited, IndexMismatch, IndexUnavailable
from rolecall.streams.index.conditions import All
from rolecall.streams.index.port import Point, Query
from rolecall.streams.index.qdrant_server import QdrantServer, connect

DIMS = 4
VECTOR = np.full(DIMS, 0.5, np.float32)
Refusal = tuple[grpc.StatusCode, str]
TOO_MANY_CONDITIONS = (
    "Bad request: Filter condition limit exceeded 9 > 8. Help: Reduce the number of conditions in filter."
)
UNINDEXED = "Bad request: Index required but not found. Help: Create an index for this key."
FULL = "Bad request: Max points count limit reached 2 >= 2. Help: Increase max_points_count"


class Double(q.QdrantServicer, q.CollectionsServicer, q.PointsServicer):  # type: ignore[misc, name-defined]
    """Every collection exists, and has the configuration given."""

    def __init__(self, config: Any, refusal: Refusal | None) -> None:
        self.config = config
        self.refusal = refusal
        self.created = 0
        self.asked: list[Any] = []

    async def HealthCheck(self, request: Any, context: Any) -> Any:
        return q.HealthCheckReply(title="qdrant", version="1.18.3")

    async def CollectionExists(self, request: Any, context: Any) -> Any:
        return q.CollectionExistsResponse(result=q.CollectionExists(exists=True))

    async def Create(self, request: Any, context: Any) -> Any:
        self.created += 1
        return q.CollectionOperationResponse(result=True)

    async def Get(self, request: Any, context: Any) -> Any:
        if isinstance(request, q.GetPoints):
            await self._refuse(context)
            return q.GetResponse()
        info = q.CollectionInfo(
            config=self.config, status=q.CollectionStatus.Green, optimizer_status=q.OptimizerStatus(ok=True)
        )
        return q.GetCollectionInfoResponse(result=info)

    async def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        return q.PointsOperationResponse(result=q.UpdateResult(status=q.UpdateStatus.Completed))

    async def UpdateBatch(self, request: Any, context: Any) -> Any:
        await self._refuse(context)
        return q.UpdateBatchResponse()

    async def QueryBatch(self, request: Any, context: Any) -> Any:
        await self._refuse(context)
        self.asked += request.query_points
        return q.QueryBatchResponse(result=[q.BatchResult() for _ in request.query_points])

    async def _refuse(self, context: Any) -> None:
        if self.refusal:
            await context.abort(*self.refusal)


def configured(strict: Any = None, quantization: Any = None, **vectors: Any) -> Any:
    params = q.VectorParams(**{"size": DIMS, "distance": q.Distance.Dot, **vectors})
    return q.CollectionConfig(
        params=q.CollectionParams(vectors_config=q.VectorsConfig(params=params)),
        hnsw_config=q.HnswConfigDiff(m=16, ef_construct=128, full_scan_threshold=10_000),
        optimizer_config=q.OptimizersConfigDiff(default_segment_number=2, flush_interval_sec=5),
        wal_config=q.WalConfigDiff(wal_capacity_mb=32, wal_segments_ahead=0),
        strict_mode_config=strict,
        quantization_config=quantization,
    )


@asynccontextmanager
async def served(
    config: Any = None, refusal: Refusal | None = None
) -> AsyncIterator[tuple[QdrantServer, Double]]:
    server, double = grpc.aio.server(), Double(config or configured(), refusal)
    q.add_QdrantServicer_to_server(double, server)
    q.add_CollectionsServicer_to_server(double, server)
    q.add_PointsServicer_to_server(double, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    url = f"http://127.0.0.1:{port - 1}"  # gRPC is expected one port above
    index = connect(url, api_key=None, ca=None, version="v1", dims=DIMS, timeout_seconds=10)
    try:
        yield index, double
    finally:
        await index.close()
        await server.stop(None)


def writes(index: QdrantServer) -> Awaitable[Any]:
    return index.upsert(Side.VACANCY, [Point("a", 1, VECTOR, {})])


def searches(index: QdrantServer) -> Awaitable[Any]:
    return index.search(Side.VACANCY, [Query(VECTOR, All(), 10)])


@pytest.mark.parametrize("ask", [writes, searches])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, TOO_MANY_CONDITIONS),
        (grpc.StatusCode.INVALID_ARGUMENT, UNINDEXED),
        (grpc.StatusCode.INVALID_ARGUMENT, FULL),
        (grpc.StatusCode.PERMISSION_DENIED, TOO_MANY_CONDITIONS.replace("Bad request", "Forbidden")),
    ],
    ids=["conditions", "unindexed", "points", "older server"],
)
async def test_a_limit_of_the_server_stops_the_worker_and_is_named(
    code: grpc.StatusCode, said: str, ask: Callable[[QdrantServer], Awaitable[Any]]
) -> None:
    """As an error of single events, it would send good events to the dead letters."""
    async with served(refusal=(code, said)) as (index, _):
        with pytest.raises(IndexLimited) as raised:
            await ask(index)
    assert said in str(raised.value)
    assert "nothing was dead-lettered" in str(raised.value)


async def test_a_rate_limit_is_waited_for_and_named() -> None:
    refusal = grpc.StatusCode.RESOURCE_EXHAUSTED, "Rate limiting exceeded: Write rate limit exceeded"
    async with served(refusal=refusal) as (index, _):
        with pytest.raises(IndexUnavailable, match="Write rate limit exceeded"):
            await writes(index)


async def test_a_collection_that_was_deleted_is_gone() -> None:
    refusal = grpc.StatusCode.NOT_FOUND, "Collection `rolecall_v1_vacancies` doesn't exist!"
    async with served(refusal=refusal) as (index, _):
        with pytest.raises(IndexGone, match=r"rolecall_v1_vacancies.*`rolecall rebuild`"):
            await searches(index)


async def test_a_collection_like_ours_is_taken_as_it_is() -> None:
    int8 = q.QuantizationConfig(scalar=q.ScalarQuantization(type=q.QuantizationType.Int8))
    lenient = q.StrictModeConfig(enabled=True, max_query_limit=10_000, filter_max_conditions=256)
    off = q.StrictModeConfig(enabled=False, max_query_limit=1)
    for config in (configured(), configured(quantization=int8), configured(lenient), configured(off)):
        async with served(config) as (index, double):
            await index.prepare()
            assert double.created == 0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (configured(datatype=q.Datatype.Uint8), "stores uint8, and scores need float32"),
        (configured(datatype=q.Datatype.Float16), "stores float16, and scores need float32"),
        (configured(distance=q.Distance.Cosine), "holds Cosine vectors of 4 dimensions, not Dot"),
        (configured(size=8), "holds Dot vectors of 8 dimensions"),
        (
            configured(quantization=q.QuantizationConfig(binary=q.BinaryQuantization())),
            "has BinaryQuantization, which loses too many neighbours even when rescored",
        ),
        (
            configured(q.StrictModeConfig(enabled=True, filter_max_conditions=8, max_query_limit=100)),
            "max_query_limit=100, 10000 is needed; filter_max_conditions=8, 256 is needed",
        ),
        (
            configured(q.StrictModeConfig(enabled=True, search_allow_exact=False)),
            "search_allow_exact=false, true is needed",
        ),
    ],
)
async def test_a_collection_made_by_hand_that_cannot_serve_is_refused(config: Any, said: str) -> None:
    async with served(config) as (index, _):
        with pytest.raises(IndexMismatch, match="collection rolecall_v1_vacancies") as raised:
            await index.prepare()
    assert said in str(raised.value)


async def test_a_quantized_collection_is_asked_to_rescore() -> None:
    """Answers of int8 without rescoring had 1 of 10 right."""
    async with served() as (index, double):
        await searches(index)
    assert [each.params.quantization.rescore for each in double.asked] == [True]

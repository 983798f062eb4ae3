"""A Qdrant server's gRPC in this process: real messages, answered by qdrant-client's local mode.

It shows what goes over the wire and what the client has to do for it. It is no measure of a server's speed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]
from qdrant_client import AsyncQdrantClient, models
from qdrant_client import grpc as messages
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc
from qdrant_client.grpc.collections_service_pb2_grpc import (
    CollectionsServicer,
    add_CollectionsServicer_to_server,
)
from qdrant_client.grpc.points_service_pb2_grpc import PointsServicer, add_PointsServicer_to_server
from qdrant_client.grpc.qdrant_pb2_grpc import QdrantServicer, add_QdrantServicer_to_server

from rolecall.streams.index.qdrant_server import QdrantServer, connect

VERSION = "1.18.3"
TIMEOUT_SECONDS = 30.0  # local mode scans in Python
LARGEST = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@asynccontextmanager
async def qdrant_double(
    local: AsyncQdrantClient | None = None, *, version: str = VERSION
) -> AsyncIterator["Double"]:
    """Listens on a free port of loopback. `local` answers; by default a new one in memory."""
    double = Double(local or AsyncQdrantClient(":memory:"), version)
    server = grpc.aio.server(options=LARGEST)
    add_PointsServicer_to_server(_Points(double), server)  # type: ignore[no-untyped-call]
    add_CollectionsServicer_to_server(_Collections(double), server)  # type: ignore[no-untyped-call]
    add_QdrantServicer_to_server(_Root(double), server)  # type: ignore[no-untyped-call]
    double.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield double
    finally:
        await server.stop(None)


class Double:
    """`fail`: raised, once each, instead of the next answers. `before`: awaited before a call is answered,
    by the name of the call."""

    def __init__(self, local: AsyncQdrantClient, version: str) -> None:
        self.local = local
        self.version = version
        self.port = 0
        self.calls: list[str] = []
        self.written: list[int] = []  # points of each operation, in order
        self.fail: list[tuple[grpc.StatusCode, str]] = []
        self.before: dict[str, Callable[[], Awaitable[object]]] = {}

    @property
    def url(self) -> str:
        """The address of the REST interface, which has gRPC one port above it. The double has gRPC only."""
        return f"http://127.0.0.1:{self.port - 1}"

    def index(self, name: str, dims: int) -> QdrantServer:
        return connect(
            self.url, api_key=None, ca=None, version=name, dims=dims, timeout_seconds=TIMEOUT_SECONDS
        )

    async def called(self, name: str, context: Any) -> None:
        self.calls.append(name)
        if hook := self.before.pop(name, None):
            await hook()
        if self.fail:
            await context.abort(*self.fail.pop(0))

    async def require(self, collection: str, context: Any) -> None:
        if not await self.local.collection_exists(collection):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"Collection `{collection}` not found")


class _Root(QdrantServicer):
    def __init__(self, double: Double) -> None:
        self._double = double

    async def HealthCheck(self, request: Any, context: Any) -> Any:
        await self._double.called("HealthCheck", context)
        return messages.HealthCheckReply(title="qdrant", version=self._double.version)


class _Collections(CollectionsServicer):
    def __init__(self, double: Double) -> None:
        self._double = double
        self._local = double.local

    async def CollectionExists(self, request: Any, context: Any) -> Any:
        await self._double.called("CollectionExists", context)
        exists = await self._local.collection_exists(request.collection_name)
        return messages.CollectionExistsResponse(result=messages.CollectionExists(exists=exists))

    async def Create(self, request: Any, context: Any) -> Any:
        await self._double.called("Create", context)
        name = request.collection_name
        if await self._local.collection_exists(name):
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Collection `{name}` already exists")
        vectors = GrpcToRest.convert_vectors_config(request.vectors_config)
        await self._local.create_collection(name, vectors_config=vectors)
        return messages.CollectionOperationResponse(result=True)

    async def Delete(self, request: Any, context: Any) -> Any:
        await self._double.called("Delete", context)
        done = await self._local.delete_collection(request.collection_name)
        return messages.CollectionOperationResponse(result=done)

    async def Get(self, request: Any, context: Any) -> Any:
        await self._double.called("Get", context)
        await self._double.require(request.collection_name, context)
        info = await self._local.get_collection(request.collection_name)
        return messages.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))


class _Points(PointsServicer):
    def __init__(self, double: Double) -> None:
        self._double = double
        self._local = double.local

    async def _called(self, name: str, request: Any, context: Any) -> None:
        await self._double.called(name, context)
        await self._double.require(request.collection_name, context)

    async def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        await self._called("CreateFieldIndex", request, context)
        return _done()

    async def UpdateBatch(self, request: Any, context: Any) -> Any:
        await self._called("UpdateBatch", request, context)
        self._double.written += [len(each.upsert.points) for each in request.operations]
        operations = [GrpcToRest.convert_points_update_operation(each) for each in request.operations]
        await self._local.batch_update_points(request.collection_name, operations)
        return messages.UpdateBatchResponse(result=[_result()] * len(operations))

    async def Delete(self, request: Any, context: Any) -> Any:
        await self._called("Delete", request, context)
        await self._local.delete(request.collection_name, GrpcToRest.convert_points_selector(request.points))
        return _done()

    async def Get(self, request: Any, context: Any) -> Any:
        await self._called("Get", request, context)
        records = await self._local.retrieve(
            request.collection_name,
            [GrpcToRest.convert_point_id(id) for id in request.ids],
            with_payload=GrpcToRest.convert_with_payload_selector(request.with_payload),
            with_vectors=request.with_vectors.enable,
        )
        return messages.GetResponse(result=[RestToGrpc.convert_record(record) for record in records])

    async def Count(self, request: Any, context: Any) -> Any:
        await self._called("Count", request, context)
        only = GrpcToRest.convert_filter(request.filter)
        counted = await self._local.count(request.collection_name, only, exact=request.exact)
        return messages.CountResponse(result=RestToGrpc.convert_count_result(counted))

    async def Scroll(self, request: Any, context: Any) -> Any:
        await self._called("Scroll", request, context)
        records, page = await self._local.scroll(
            request.collection_name,
            GrpcToRest.convert_filter(request.filter),
            limit=request.limit,
            offset=GrpcToRest.convert_point_id(request.offset) if request.HasField("offset") else None,
            with_payload=GrpcToRest.convert_with_payload_selector(request.with_payload),
            with_vectors=request.with_vectors.enable,
        )
        return messages.ScrollResponse(
            result=[RestToGrpc.convert_record(record) for record in records],
            next_page_offset=None if page is None else RestToGrpc.convert_extended_point_id(page),
        )

    async def QueryBatch(self, request: Any, context: Any) -> Any:
        await self._called("QueryBatch", request, context)
        queries = [GrpcToRest.convert_query_points(query) for query in request.query_points]
        for query in queries:
            query.params = None  # local mode searches exactly, and warns of parameters
        answers = await self._local.query_batch_points(request.collection_name, queries)
        return messages.QueryBatchResponse(
            result=[
                messages.BatchResult(result=[RestToGrpc.convert_scored_point(hit) for hit in answer.points])
                for answer in answers
            ]
        )


def _result() -> Any:
    done = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)
    return RestToGrpc.convert_update_result(done)


def _done() -> Any:
    return messages.PointsOperationResponse(result=_result())

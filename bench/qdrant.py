"""Processor time of the client of a Qdrant server, for writes and searches.

    python -m bench.qdrant --rounds 100

Another process answers every request at once with a recorded answer, so this measures the client and the
messages, not a server. Points are those of the seeded sample. The last line is one JSON object.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import click
import grpc  # type: ignore[import-untyped]
import numpy as np
import orjson
from qdrant_client import grpc as messages

from rolecall.encoder.document import document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.index.port import Point, Query
from rolecall.streams.index.qdrant_server import QdrantServer, connect
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.hard_rules import ALL_HARD
from rolecall.streams.matching.ranking import wanted

BATCH = 64
HITS = 12
DIMS = 1024


@click.command()
@click.option("--rounds", default=100, show_default=True, help="Batches of 64.")
@click.option("--answer", is_flag=True, hidden=True)
def main(rounds: int, answer: bool) -> None:
    """Time the client of a Qdrant server."""
    if answer:
        asyncio.run(_answer())
        return
    command = [sys.executable, "-m", "bench.qdrant", "--answer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        try:
            figures = asyncio.run(_measure(int(server.stdout.readline()), rounds))
        finally:
            server.kill()
    click.echo(orjson.dumps(figures).decode())


def _points() -> tuple[list[Point], list[Query]]:
    now = datetime.now(UTC)
    _, people = generate(7, 1, BATCH, now)
    embeddings = Encoder.load(None, threads=1).encode([document_of(each) for each in people])
    embedded = [
        Embedded(entity, vector, float(certainty))
        for entity, vector, certainty in zip(people, embeddings.vectors, embeddings.certainty, strict=True)
    ]
    queries = [Query(each.vector, wanted(each.entity, now, ALL_HARD), HITS) for each in embedded]
    return [point(each) for each in embedded], queries


async def _measure(port: int, rounds: int) -> dict[str, float]:
    index = connect(
        f"http://127.0.0.1:{port - 1}", api_key=None, ca=None, version="v", dims=DIMS, timeout_seconds=10
    )
    points, queries = _points()
    writing = await _cpu_ms(rounds, lambda: index.upsert(Side.CANDIDATE, points))
    searching = await _cpu_ms(rounds, lambda: _search(index, queries))
    await index.close()
    return {"upsert_cpu_ms": writing, "search_cpu_ms": searching}


async def _search(index: QdrantServer, queries: list[Query]) -> None:
    found = await index.search(Side.VACANCY, queries)
    assert len(found) == BATCH
    assert len(found[0]) == HITS


async def _cpu_ms(rounds: int, call: Callable[[], Awaitable[Any]]) -> float:
    """Of one point or query."""
    await call()
    before = time.process_time()
    for _ in range(rounds):
        await call()
    return round((time.process_time() - before) / rounds / BATCH * 1000, 4)


async def _answer() -> None:
    """Answers searches with the points, and writes with success."""
    from qdrant_client.conversions.conversion import payload_to_grpc

    points, _ = _points()
    kept = [
        {"id": each.id, "revision": each.revision, "card": (each.payload or {})["card"]} for each in points
    ]
    found = messages.BatchResult(
        result=[
            messages.ScoredPoint(
                id=messages.PointId(num=number),
                payload=payload_to_grpc(payload),
                score=float(np.float32(0.9)),
                version=1,
            )
            for number, payload in enumerate(kept[:HITS])
        ]
    )
    searched = messages.QueryBatchResponse(result=[found] * BATCH).SerializeToString()
    written: bytes = messages.UpdateBatchResponse(
        result=[messages.UpdateResult(operation_id=0, status=messages.UpdateStatus.Completed)]
    ).SerializeToString()
    tokens: list[str] = []  # of a write that was not read again yet

    def stored(request: bytes) -> bytes:
        """Nothing before a write, and what was written after it."""
        if not tokens:
            return b""
        payload = payload_to_grpc({"revision": 1, "live": 1, "write": tokens.pop()})
        ids = messages.GetPoints.FromString(request).ids
        records = [messages.RetrievedPoint(id=id, payload=payload) for id in ids]
        answer: bytes = messages.GetResponse(result=records).SerializeToString()
        return answer

    def write(request: bytes) -> bytes:
        point = messages.UpdateBatchPoints.FromString(request).operations[0].upsert.points[0]
        tokens.append(point.payload["write"].string_value)
        return written

    answers: dict[str, Callable[[bytes], bytes]] = {
        "/qdrant.Points/QueryBatch": lambda _: searched,
        "/qdrant.Points/Get": stored,
        "/qdrant.Points/UpdateBatch": write,
    }

    class Recorded(grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, call: Any) -> Any:
            async def answer(request: bytes, _context: Any) -> bytes:
                return answers[call.method](request)

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((Recorded(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    click.echo(port)
    await server.wait_for_termination()


if __name__ == "__main__":
    main()

"""Speed of writes and searches of the embedded index, through its socket.

    python -m bench.index --points 20000 --dims 1024

Payloads and conditions come from the seeded sample, so nearly every query has a different condition. Vectors
have the form of embeddings: square roots of groups that add up to 1. The last line is one JSON object.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import click
import numpy as np
import numpy.typing as npt
import orjson
import psutil

from rolecall.schemas.match import Side
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import start_edge
from rolecall.streams.index.port import Index, Query
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.ranking import wanted

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BATCH = 256
LIMIT = 16
QUERIES = 1024
GROUP_SIZE = 16


@click.command()
@click.option("--points", default=20_000, show_default=True, help="Points of the side that is searched.")
@click.option("--dims", default=1024, show_default=True)
def main(points: int, dims: int) -> None:
    """Time the embedded index."""
    with TemporaryDirectory() as folder:
        socket = Path(folder, "socket")
        with start_edge(Path(folder, "data"), socket) as process:
            bench = Bench(QdrantEdge(socket, "bench", dims), psutil.Process(process.pid))
            figures = asyncio.run(bench.measure(points, dims))
    click.echo(orjson.dumps(figures).decode())


@dataclass(frozen=True)
class Bench:
    index: Index
    process: psutil.Process

    async def measure(self, count: int, dims: int) -> dict[str, float]:
        await self.index.prepare()
        vectors = embeddings(count + QUERIES, dims)
        vacancies, candidates = generate(7, QUERIES, count, NOW)
        written = [point(Embedded(each, vectors[row], 0.5)) for row, each in enumerate(vacancies)]
        stored = [point(Embedded(each, vectors[QUERIES + row], 0.5)) for row, each in enumerate(candidates)]
        queries = [Query(vectors[row], wanted(each, NOW), LIMIT) for row, each in enumerate(vacancies)]

        async def write(start: int, batch: int) -> None:
            await self.index.upsert(Side.CANDIDATE, stored[start : start + batch])

        async def search(start: int, batch: int) -> None:
            await self.index.search(Side.CANDIDATE, queries[start : start + batch])

        async def match(start: int, batch: int) -> None:
            await self.index.upsert(Side.VACANCY, written[start : start + batch])
            await search(start, batch)

        figures: dict[str, float] = {"points": count, "dims": dims, "limit": LIMIT}
        figures |= await self.timed("upsert", write, count, BATCH)
        for batch in (1, 16, BATCH):
            figures |= await self.timed(f"search_{batch}", search, QUERIES, batch)
        figures |= await self.timed("event", match, QUERIES, BATCH)
        figures["events_per_s"] = 1000 / figures["event_ms"]
        figures["index_rss_mb"] = self.process.memory_info().rss / 1e6
        await self.index.close()
        return {name: round(value, 3) for name, value in figures.items()}

    async def timed(
        self, name: str, work: Callable[[int, int], Awaitable[None]], count: int, batch: int
    ) -> dict[str, float]:
        """Milliseconds of one point, query or event: elapsed time, and processor time of client and index."""
        before = (perf_counter(), process_time(), sum(self.process.cpu_times()[:2]))
        for start in range(0, count, batch):
            await work(start, batch)
        after = (perf_counter(), process_time(), sum(self.process.cpu_times()[:2]))
        passed, client, index = ((b - a) * 1000 / count for a, b in zip(before, after, strict=True))
        click.echo(f"{name:10} {passed:7.3f} ms; processor: client {client:.3f} ms, index {index:.3f} ms")
        return {f"{name}_ms": passed, f"{name}_client_cpu_ms": client, f"{name}_index_cpu_ms": index}


def embeddings(count: int, dims: int) -> npt.NDArray[np.float32]:
    groups = dims // GROUP_SIZE
    shares = np.random.default_rng(7).gamma(0.2, size=(count, groups, GROUP_SIZE)) + 1e-9
    shares /= shares.sum(axis=2, keepdims=True) * groups  # (count, groups, size); a row adds up to 1
    return np.sqrt(shares, dtype=np.float32, casting="same_kind").reshape(count, dims)


if __name__ == "__main__":
    main()

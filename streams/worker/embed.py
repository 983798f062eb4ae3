"""Embed entities, through the cache if there is one."""

import asyncio
from collections.abc import Sequence

import numpy as np

from rolecall.encoder.document import Document, content_hash, document_of, told
from rolecall.encoder.model import Encoder
from rolecall.streams.events.receive import Entity
from rolecall.streams.matching.card import Embedded
from rolecall.streams.monitor.tally import Tally
from rolecall.streams.worker.embedding_cache import Cache, Row


class Embedder:
    def __init__(self, encoder: Encoder, cache: Cache | None) -> None:
        self._encoder = encoder
        self._cache = cache

    async def embed(self, entities: Sequence[Entity], tally: Tally) -> list[Embedded]:
        documents = [document_of(entity) for entity in entities]
        if self._cache is None:
            rows = await asyncio.to_thread(self._rows, documents)
            return [
                Embedded(entity, *_split(row), told=told(document))
                for entity, document, row in zip(entities, documents, rows, strict=True)
            ]
        hashes = [content_hash(document) for document in documents]
        cached = await self._cache.get(hashes)
        tally.cache_hits += len(cached)
        missing = {key: doc for key, doc in zip(hashes, documents, strict=True) if key not in cached}
        tally.cache_misses += len(missing)
        fresh_rows = await asyncio.to_thread(self._rows, list(missing.values()))
        fresh = dict(zip(missing, fresh_rows, strict=True))
        # Cache before the point is written, so that a worker that replaces the point can delete this row.
        await self._cache.put(fresh)
        return [
            Embedded(entity, *_split(cached[key] if key in cached else fresh[key]), key, told=told(document))
            for entity, document, key in zip(entities, documents, hashes, strict=True)
        ]

    def _rows(self, documents: Sequence[Document]) -> list[Row]:
        """One (dims + 1,) row for each document: the vector, then its certainty."""
        if not documents:
            return []
        embeddings = self._encoder.encode(documents)
        return list(np.concatenate([embeddings.vectors, embeddings.certainty[:, None]], axis=1))


def _split(row: Row) -> tuple[Row, float]:
    return row[:-1], float(row[-1])

"""Reference occupations: each match names the one nearest to each side. The model was not trained on them.

An occupation is one point for all its labels: the mean of their distributions. An embedding is the square
root of distributions, so the squares are averaged, and the square root of the mean is the embedding. It is
an embedding like any other: its length is 1, and each group is a distribution. Values that all labels share
keep a high weight. Values of single labels get a low one.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt
import orjson

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import NearestOccupation
from rolecall.schemas.occupation import Occupation
from rolecall.streams.events.receive import Defined, Erased
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.conditions import All
from rolecall.streams.index.port import Hit, Index, Lookup, Point, Query

Vector = npt.NDArray[np.float32]

MAX_LABEL_BYTES = 100  # two labels go into every match


class References:
    """Finds the nearest reference of each event among those that the index holds now."""

    def __init__(self, index: Index, min_score: float) -> None:
        self._index = index
        self._min_score = min_score
        self._any = False

    async def nearest(self, vectors: Sequence[Vector]) -> list[NearestOccupation | None]:
        """One search for all vectors. It costs nearly nothing if there are no references."""
        if not self._any:
            self._any = await self._index.count(Lookup.OCCUPATION) > 0
        if not (self._any and vectors):
            return [None] * len(vectors)
        queries = [Query(vector, All(), 1) for vector in vectors]
        found = await self._index.search(Lookup.OCCUPATION, queries)
        return [self._named(hits[0]) if hits else None for hits in found]

    def _named(self, hit: Hit) -> NearestOccupation:
        score = min(max(hit.score, 0.0), 1.0)
        label = orjson.loads(str(hit.payload["card"]))["label"]
        return NearestOccupation(id=hit.id, label=label, score=score, unfamiliar=score < self._min_score)


class Occupations:
    """Writes references to the index."""

    def __init__(self, encoder: Encoder, index: Index) -> None:
        self._encoder = encoder
        self._index = index

    async def apply(self, events: Sequence[Defined[Occupation] | Erased], now: datetime) -> list[Outgoing]:
        occupations = [event.value for event in events if isinstance(event, Defined)]
        points = [Point(event.id, event.revision) for event in events if isinstance(event, Erased)]
        vectors = await asyncio.to_thread(lambda: list(self._vectors(occupations)))
        points += [
            Point(each.id, each.revision, vector, {"card": _card(each)})
            for each, vector in zip(occupations, vectors, strict=True)
        ]
        await self._index.upsert(Lookup.OCCUPATION, points)
        return []

    def _vectors(self, occupations: Sequence[Occupation]) -> Iterator[Vector]:
        if not occupations:
            return
        titles = [dict.fromkeys((each.label, *each.alternative_labels)) for each in occupations]
        embeddings = self._encoder.encode([Document(title) for each in titles for title in each])
        ends = accumulate((len(each) for each in titles), initial=0)
        for start, end in pairwise(ends):
            yield mixture(embeddings.vectors[start:end])


def mixture(vectors: Vector) -> Vector:
    """(n, dims) embeddings -> (dims,), the embedding of the mean of their distributions."""
    mean: Vector = np.sqrt(np.mean(np.square(vectors), axis=0))
    return mean


def _card(occupation: Occupation) -> str:
    label = occupation.label.encode()[:MAX_LABEL_BYTES].decode(errors="ignore")
    return orjson.dumps({"label": label}).decode()

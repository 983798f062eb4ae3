"""The entities of one side: ids and terms in memory, vectors on disk."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from rolecall.encoder.document import document_of, told
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.topics import CONTRACT_OF
from rolecall.streams.events.receive import Entity, Event, Published, newest
from rolecall.streams.events.withdrawals import reason_to_go
from rolecall.streams.index.port import Hit
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.policy import Policy

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int32]  # places in a pool

CHUNK = 1024  # events that are encoded together
LONG_TEXTS = {"description", "summary"}  # only the encoder reads them
CARD = "card"


@dataclass(frozen=True, slots=True)
class Pool:
    """Sorted by id, so that of two equals the smaller row is the smaller id."""

    ids: Sequence[str]
    revisions: Sequence[int]
    entities: Sequence[bytes]  # JSON without the long texts
    cards: Sequence[str]  # the data of the entity that a hit carries
    certainty: Floats  # (entities,)
    told: npt.NDArray[np.int8]  # (entities,): how much each tells, `encoder.document.told`
    places: npt.NDArray[np.int64]  # (entities,): in the file of vectors
    file: Path
    dims: int
    side: Side

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self, rows: Rows) -> Floats:
        """(rows, dims), read from disk: only what is asked for takes memory."""
        if not len(rows):
            return np.empty((0, self.dims), np.float32)
        stored = np.memmap(self.file, np.float32, "r").reshape(-1, self.dims)
        return np.asarray(stored[self.places[rows]])

    def entity(self, row: int) -> Entity:
        return CONTRACT_OF[self.side].model_validate_json(self.entities[row])

    def embedded(self, row: int, vector: Floats) -> Embedded:
        return Embedded(
            self.entity(row),
            vector,
            float(self.certainty[row]),
            told=int(self.told[row]),
            duplicate_key=orjson.loads(self.cards[row]).get("duplicate_key"),
        )

    def hit(self, row: int, score: float) -> Hit:
        return Hit(self.ids[row], self.revisions[row], score, {CARD: self.cards[row]})

    def row(self, id: str) -> int | None:
        row = bisect_left(self.ids, id)
        return row if row < len(self.ids) and self.ids[row] == id else None

    def title(self, id: str) -> str:
        """Of a candidate, the most wanted one. The id must be known."""
        said = orjson.loads(self.entities[bisect_left(self.ids, id)])
        return str(said["title"] if self.side is Side.VACANCY else said["titles"][0])


class Collector:
    """Collects the events of one side, in any order. The highest revision of each id counts. Erased, closed
    and expired entities are left out."""

    def __init__(self, side: Side, encoder: Encoder, policy: Policy, file: Path, now: datetime) -> None:
        self._side = side
        self._encoder = encoder
        self._policy = policy
        self._path = file
        self._now = now
        self._current: dict[str, tuple[int, bool, int]] = {}  # revision, whether it is gone, place
        self._entities: list[bytes] = []
        self._cards: list[str] = []
        self._certainty: list[Floats] = []
        self._told: list[int] = []

    def collect(self, events: Iterable[Event], advanced: Callable[[int], None]) -> Pool:
        with self._path.open("wb") as file:
            for chunk in _chunks(events):
                file.write(self._take(newest(chunk)).tobytes())
                advanced(len(chunk))
        return self._pool()

    def _take(self, events: Sequence[Event]) -> Floats:
        """The vectors of what is new, in the order of their places."""
        entities: list[Entity] = []
        for event in events:
            gone = reason_to_go(event, self._now) is not None
            known = self._current.get(event.id)
            if known is not None:
                if (event.revision, gone) < known[:2]:
                    continue
                self._drop(*known)
            place = -1 if gone else len(self._entities) + len(entities)
            self._current[event.id] = (event.revision, gone, place)
            if isinstance(event, Published) and not gone:
                entities.append(event.entity)
        if not entities:
            return np.empty((0, self._encoder.dims), np.float32)
        documents = [document_of(entity) for entity in entities]
        embeddings = self._encoder.encode(documents)
        self._certainty.append(embeddings.certainty)
        self._told += map(told, documents)
        for entity, vector, certainty in zip(
            entities, embeddings.vectors, embeddings.certainty.tolist(), strict=True
        ):
            key = self._policy.duplicate_key(entity)
            embedded = Embedded(entity, vector, certainty, duplicate_key=key)
            payload = point(embedded, self._policy.book).payload or {}
            self._cards.append(str(payload[CARD]))
            self._entities.append(entity.model_dump_json(exclude=LONG_TEXTS, exclude_defaults=True).encode())
        return embeddings.vectors

    def _drop(self, revision: int, gone: bool, place: int) -> None:
        if not gone:
            self._entities[place], self._cards[place] = b"", ""

    def _pool(self) -> Pool:
        live = [(id, revision, place) for id, (revision, gone, place) in self._current.items() if not gone]
        held = sorted(live)
        places = np.array([place for *_, place in held], np.int64)
        certainty = np.concatenate([np.empty(0, np.float32), *self._certainty])
        return Pool(
            ids=[id for id, *_ in held],
            revisions=[revision for _, revision, _ in held],
            entities=[self._entities[place] for place in places],
            cards=[self._cards[place] for place in places],
            certainty=certainty[places],
            told=np.array(self._told, np.int8)[places],
            places=places,
            file=self._path,
            dims=self._encoder.dims,
            side=self._side,
        )


def _chunks(events: Iterable[Event]) -> Iterator[list[Event]]:
    rest = iter(events)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk

"""Topics, workers and consumers in memory around a real index engine, for random histories of erasures.

The clock is a number. The log has what Kafka promises: order within a partition, compaction that keeps the
last record of a key, tombstones that go after their retention. Workers are the real batch runner and the real
marks.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import numpy as np

from rolecall.encoder.document import Document
from rolecall.encoder.features import Features
from rolecall.encoder.model import Embeddings
from rolecall.schemas.dead_letter import DeadLetterHeaders
from rolecall.schemas.match import Match, MatchesWithdrawn
from rolecall.schemas.receive import Limits
from rolecall.schemas.topics import DEAD_LETTERS, MATCHES, SIDE_OF, TOMBSTONES_MS
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import read_event
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.port import Index
from rolecall.streams.kafka.dead_letters import History, Letter, sorted_out
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.batch import BatchRunner
from rolecall.streams.worker.intact import Intact

PARTITIONS = 2
SMALL, LARGE = Limits(600, 300_000), Limits(100_000, 300_000)
Partition = tuple[str, int]
INPUTS: tuple[Partition, ...] = tuple((topic, number) for topic in SIDE_OF for number in range(PARTITIONS))


class TitleEncoder:
    """The same direction for the same title; the confidence is the score."""

    version = "bench"
    dims = 16
    features = Features(())

    def encode(self, documents: Sequence[Document]) -> Embeddings:
        vectors = np.stack([self._vector(document.title) for document in documents])
        return Embeddings(vectors, np.full(len(documents), 0.5, np.float32))

    def _vector(self, title: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        seed = int.from_bytes(blake2b(title.encode(), digest_size=8).digest(), "big")
        vector = np.random.default_rng(seed).random(self.dims).astype(np.float32)
        unit: np.ndarray[Any, np.dtype[np.float32]] = vector / np.linalg.norm(vector)
        return unit

    def confidence(self, score: Any, *_: Any) -> Any:
        return score.astype(np.float32)


@dataclass(slots=True)
class Log:
    """The input topics. A compacted record leaves None, because offsets stay."""

    now_ms: int = 1_780_272_000_000
    records: dict[Partition, list[Record | None]] = field(
        default_factory=lambda: {each: [] for each in INPUTS}
    )

    def append(
        self, topic: str, partition: int, key: bytes, value: bytes | None, at: int, headers: Any = ()
    ) -> None:
        there = self.records[topic, partition]
        there.append(Record(topic, partition, len(there), key, value, at, tuple(headers)))

    def left(self, where: Partition, start: int = 0) -> list[Record]:
        return [record for record in self.records[where][start:] if record is not None]

    def compact(self) -> None:
        """All but the last record of each key, and tombstones whose time is over; never the last record."""
        for there in self.records.values():
            last = {record.key: record.offset for record in there if record is not None}
            for record in there[:-1]:
                if record is not None and (
                    record.offset < last[record.key]
                    or (record.value is None and self.now_ms - record.timestamp_ms > TOMBSTONES_MS)
                ):
                    there[record.offset] = None

    async def filled(self, topic: str, partition: int, start: int, end: int) -> bool:
        return any(record.offset < end for record in self.left((topic, partition), start))


class Consumers:
    """What the workers published: matches, letters, and erasures for the other partitions."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.events: list[tuple[int, Match | MatchesWithdrawn]] = []
        self.letters: list[Letter] = []

    async def publish(self, records: Iterable[Outgoing]) -> None:
        for record in records:
            await asyncio.sleep(0)
            if record.topic == MATCHES.name:
                event = read_event(record.value or b"")
                assert event is not None
                self.events.append((self._log.now_ms, event))
            elif record.topic == DEAD_LETTERS.name:
                about = DeadLetterHeaders.read(record.headers)
                died_at = datetime.fromtimestamp(self._log.now_ms / 1000, UTC)
                self.letters.append(Letter(about, record.key, record.value, (), died_at))
            else:
                for partition in set(range(PARTITIONS)) - {record.besides}:
                    at = record.timestamp_ms or self._log.now_ms
                    self._log.append(record.topic, partition, record.key or b"", None, at, record.headers)

    def held(self) -> list[Match]:
        kept = [event for at, event in self.events if self._log.now_ms - at <= MATCHES.retention_ms]
        return MatchState(kept).matches()


class Group:
    """Workers of one deployment: its index, its offsets, its marks."""

    def __init__(
        self, log: Log, consumers: Consumers, index: Index, limits: Limits, *, rehearses: bool
    ) -> None:
        self._log, self._index, self._limits = log, index, limits
        self.committed = dict.fromkeys(INPUTS, 0)
        self._consumers, self._rehearses = consumers, rehearses
        self.start_again(limits)

    def start_again(self, limits: Limits) -> None:
        self.runners = [
            BatchRunner(
                encoder=TitleEncoder(),  # type: ignore[arg-type]
                index=self._index,
                publisher=self._consumers,
                policy=Policy(top_k=50, min_confidence=0),
                limits=limits,
                retry_seconds=5,
                rehearses=lambda: self._rehearses,
                now=lambda: datetime.fromtimestamp(self._log.now_ms / 1000, UTC),
            )
            for _ in range(2)
        ]
        self.intact = Intact(self._index, "bench", self._log.filled, now=lambda: self._log.now_ms)

    async def take(self, worker: int, where: Partition, most: int, *, dies: bool) -> None:
        """One batch. A worker that dies has done everything, and commits nothing."""
        start, end = self.committed[where], len(self._log.records[where])
        records = self._log.left(where, start)[:most]
        if records:
            end = records[-1].offset + 1
            await self.runners[worker].run(SIDE_OF[where[0]], records)
            await self.intact.applied(records)
        if not dies:
            self.committed[where] = max(end, self.committed[where])

    async def drain(self) -> None:
        while any(self.committed[where] < len(self._log.records[where]) for where in INPUTS):
            for where in INPUTS:
                await self.take(0, where, 64, dies=False)


def replayed(log: Log, letters: Sequence[Letter]) -> int:
    """`dead-letters replay --all`, with the decision of the real one."""
    histories: defaultdict[tuple[str, bytes | None], History] = defaultdict(History)
    for (topic, _), there in log.records.items():
        for record in there:
            if record is not None:
                histories[topic, record.key].add(record)
    died = {letter.place: letter for letter in letters}
    result = sorted_out(died.values(), histories, datetime.fromtimestamp(log.now_ms / 1000, UTC))
    for letter in result.published:
        about = letter.about
        log.append(about.topic, about.partition, letter.key or b"", letter.value, about.timestamp_ms or 0)
    return len(result.published)


def random_partition(rng: random.Random, key: bytes, *, usual: bool) -> int:
    """Of a client with the usual partitioner, or of another one."""
    return (key[-1] if usual else key[-1] + rng.randrange(PARTITIONS)) % PARTITIONS

"""An encoder, an index and a publisher in memory, which do what they should until told to fail."""

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rolecall.encoder.document import Document
from rolecall.encoder.features import Features
from rolecall.encoder.model import Embeddings
from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Match, MatchesWithdrawn, Side
from rolecall.schemas.topics import DEAD_LETTERS, MATCHES
from rolecall.streams.events.receive import Limits
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.areas import search_allowed
from rolecall.streams.index.port import (
    SPACES,
    Hit,
    Listing,
    Point,
    Query,
    Repetition,
    Space,
    in_units,
    repeats,
    write_decision,
)
from rolecall.streams.matching.policy import Policy
from rolecall.streams.monitor.tally import Tally
from rolecall.streams.worker.batch import BatchRunner
from tests.streams.conditions import holds

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_MS = milliseconds(NOW)
OCCURRED_AT = "2026-01-01T00:00:00Z"
LIMITS = Limits(max_record_bytes=10_000, max_clock_skew_ms=300_000)


class FailsOnDemand:
    """Raises the planned failures of a call, one a call, before it does anything."""

    def __init__(self) -> None:
        self.failures: defaultdict[str, deque[BaseException]] = defaultdict(deque)
        self.poison: dict[str, Callable[[Any], bool]] = {}
        self.calls: list[str] = []

    def fail(self, call: str, *errors: BaseException) -> None:
        self.failures[call].extend(errors)

    def fail_on(self, call: str, hurts: Callable[[Any], bool]) -> None:
        """Every call with such an item raises, however often it is tried."""
        self.poison[call] = hurts

    def called(self, call: str, items: Iterable[Any] = ()) -> None:
        self.calls.append(call)
        if self.failures[call]:
            raise self.failures[call].popleft()
        if call in self.poison and any(map(self.poison[call], items)):
            raise ValueError(f"{call} chokes on it")


class FakeEncoder(FailsOnDemand):
    """The same direction for the same title, and nothing else; confidence is the score."""

    version = "fake"
    dims = 16
    features = Features(())

    def __init__(self) -> None:
        super().__init__()
        self.encoded = 0

    def encode(self, documents: Sequence[Document]) -> Embeddings:
        self.called("encode", documents)
        self.encoded += len(documents)
        vectors = [self.vector(document.title) for document in documents]
        return Embeddings(np.stack(vectors), np.full(len(documents), 0.5, np.float32))

    def vector(self, title: str) -> np.ndarray:
        seed = int.from_bytes(blake2b(title.encode(), digest_size=8).digest(), "big")
        vector = np.random.default_rng(seed).random(self.dims).astype(np.float32)
        return vector / np.linalg.norm(vector)

    def confidence(
        self, score: np.ndarray, certainty_a: np.ndarray, certainty_b: np.ndarray, *told: object
    ) -> np.ndarray:
        return score.astype(np.float32)


class FakeIndex(FailsOnDemand):
    """The port, by brute force. `pushes_down` off: the filter lets everything through, as it may."""

    def __init__(self, *, pushes_down: bool = True) -> None:
        super().__init__()
        self.points: dict[Space, dict[str, Point]] = {space: {} for space in SPACES}
        self.pushes_down = pushes_down
        self.searches: list[Sequence[Query]] = []  # of vacancies and candidates

    async def upsert(self, side: Space, points: Sequence[Point]) -> list[int | None]:
        self.called("upsert", points)
        stored = self.points[side]
        assert len({point.id for point in points}) == len(points), "ids within one call are distinct"
        before = []
        for point in points:
            known = stored.get(point.id)
            was, writes = write_decision(
                known and (known.revision, known.vector is not None),
                point.revision,
                live=point.vector is not None,
            )
            before.append(was)
            if writes:
                stored[point.id] = point
        return before

    async def repeated(self, side: Space, repetitions: Sequence[Repetition]) -> set[str]:
        self.called("repeated", repetitions)
        found = set()
        for each in repetitions:
            known = self.points[side].get(each.id)
            if known is None or known.vector is None or not known.payload:
                continue
            stored = {**known.payload, "revision": known.revision, "live": 1}
            if repeats(stored, each.revision, each.digest):
                found.add(each.id)
                self.points[side][each.id] = replace(known, revision=each.revision)
        return found

    async def settle(
        self, side: Space, listings: Sequence[Listing], *, own: bool = True
    ) -> dict[str, Listing | None]:
        self.called("settle")
        overtaken: dict[str, Listing | None] = {}
        for each in listings:
            known = self.points[side].get(each.id)
            if not known or not known.payload:
                overtaken[each.id] = None
                continue
            there = Listing.stored(each.id, known.payload)
            if not there.is_of(each):
                overtaken[each.id] = None
                continue
            news: dict[str, Any] = {"settled": each.since} if own else {}
            if there.listed == each.listed:
                news |= each.written()
            else:
                overtaken[each.id] = there
            self.points[side][each.id] = replace(known, payload={**known.payload, **news})
        return overtaken

    async def page(self, side: Space, after: str | None, limit: int) -> tuple[list[str], str | None]:
        ids = sorted(id for id in self.live(side) if after is None or id >= after)
        return ids[:limit], ids[limit] if len(ids) > limit else None

    async def fetch(self, side: Space, ids: Sequence[str]) -> dict[str, Point]:
        return {id: self.points[side][id] for id in ids if id in self.points[side]}

    async def vectors(self, side: Space, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        stored = await self.fetch(side, ids)
        return {id: point.vector for id, point in stored.items() if point.vector is not None}

    async def expired(self, side: Space, before_ms: int, limit: int) -> list[tuple[str, int]]:
        self.called("expired")
        return [
            (point.id, point.revision)
            for point in self.points[side].values()
            if point.vector is not None and (point.payload or {}).get("expires", before_ms) < before_ms
        ][:limit]

    async def purge(self, side: Space, before_ms: int) -> None:
        self.called("purge")
        self.purged_before_ms = before_ms

    async def missing(self) -> list[Space]:
        return []

    async def count(self, space: Space) -> int:
        return len(self.live(space))

    async def search(self, side: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        self.called("search", queries)
        if side in set(Side):
            self.searches.append(queries)
        return [self._best(side, query) for query in queries]

    async def search_allowed(self, side: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        return await search_allowed(self, side, queries)

    def _best(self, side: Space, query: Query) -> list[Hit]:
        hits = [
            Hit(point.id, point.revision, float(point.vector @ query.vector), dict(point.payload or {}))
            for point in self.points[side].values()
            if point.vector is not None
            and (not self.pushes_down or holds(query.condition, point.payload or {}))
        ]
        if query.min_score is not None:
            hits = [hit for hit in hits if hit.score >= query.min_score]
        hits.sort(key=lambda hit: -hit.score)
        least = query.reach_useful
        near = (
            hit
            for hit in hits
            if least is None
            or in_units(hit.score) + 1 >= least[hit.payload.get("kind", -1)]
            or "asks" in hit.payload
        )
        reached = [hit for hit in near if hit.reaches][: query.reach]
        best = hits[: query.limit]
        return best + [hit for hit in reached if hit not in best]

    def revisions(self, side: Space) -> dict[str, int]:
        return {point.id: point.revision for point in self.points[side].values()}

    def live(self, side: Space) -> set[str]:
        return {point.id for point in self.points[side].values() if point.vector is not None}


class FakePublisher(FailsOnDemand):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[Outgoing] = []

    async def publish(self, records: Iterable[Outgoing]) -> None:
        records = list(records)
        try:
            self.called("publish", records)
        except BaseException:
            self.records += records[: len(records) // 2]  # what fails may have been delivered in part
            raise
        self.records += records


class Make:
    """Records as they come from the broker."""

    def __init__(self) -> None:
        self._offsets = count()

    def raw(self, value: bytes | None, key: bytes | None = None, at: int = NOW_MS) -> Record:
        return Record("vacancies", 0, next(self._offsets), key, value, at)

    def json(self, **fields: Any) -> Record:
        return self.raw(json.dumps(fields).encode(), str(fields["id"]).encode())

    def vacancy(self, id: str = "v1", revision: int = 1, title: str = "nurse", **fields: Any) -> Record:
        return self.json(id=id, revision=revision, occurred_at=OCCURRED_AT, title=title, **fields)

    def candidate(self, id: str = "c1", revision: int = 1, title: str = "nurse", **fields: Any) -> Record:
        return self.json(id=id, revision=revision, occurred_at=OCCURRED_AT, titles=[title], **fields)

    def erasure(self, id: str, at: int) -> Record:
        return self.raw(None, id.encode(), at)


class World:
    """A batch runner among fakes, and what came out of it."""

    def __init__(
        self,
        *,
        top_k: int = 100,
        min_confidence: float = 0,
        pushes_down: bool = True,
        policy: Policy | None = None,
        **settings: Any,
    ) -> None:
        self.encoder = FakeEncoder()
        self.index = FakeIndex(pushes_down=pushes_down)
        self.publisher = FakePublisher()
        self._parts: dict[str, Any] = {}
        self.use(
            encoder=self.encoder,
            index=self.index,
            publisher=self.publisher,
            policy=policy or Policy(top_k, min_confidence),
            limits=LIMITS,
            now=lambda: NOW,
            **settings,
        )

    def use(self, **parts: Any) -> None:
        """A runner with these parts in place of the ones before."""
        self._parts |= parts
        self.runner = BatchRunner(**self._parts)

    async def vacancies(self, *records: Record) -> Tally:
        return await self.runner.run(Side.VACANCY, records)

    async def candidates(self, *records: Record) -> Tally:
        return await self.runner.run(Side.CANDIDATE, records)

    @property
    def matches(self) -> list[Match]:
        return [Match.model_validate_json(value) for value in self._published("match")]

    def own_list(self, length: int) -> list[Match]:
        """The matches of an event's own list. Those behind it are in lists of the other side."""
        return [match for match in self.matches if match.rank <= length]

    @property
    def withdrawn(self) -> list[MatchesWithdrawn]:
        return [MatchesWithdrawn.model_validate_json(value) for value in self._published("matches_withdrawn")]

    @property
    def pairs(self) -> set[tuple[str, str]]:
        return {(match.vacancy_id, match.candidate_id) for match in self.matches}

    @property
    def dead_letters(self) -> list[Outgoing]:
        return [record for record in self.publisher.records if record.topic == DEAD_LETTERS.name]

    @property
    def stages(self) -> dict[bytes | None, str]:
        """Where each dead letter failed."""
        return {
            record.key: dict(record.headers)["__connect.errors.stage"].decode()
            for record in self.dead_letters
        }

    def _published(self, kind: str) -> list[bytes]:
        return [
            record.value or b""
            for record in self.publisher.records
            if record.topic == MATCHES.name and json.loads(record.value or b"")["type"] == kind
        ]


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def limits() -> Limits:
    return LIMITS


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def new_world() -> type[World]:
    return World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()

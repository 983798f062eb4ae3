"""The embedded stack with its workers, and a wire to publish on and to read matches and dead letters from."""

import asyncio
import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.broker import BrokerSettings
from schemas.candidate import Candidate
from schemas.match import Match, MatchesWithdrawn, Side
from schemas.topics import CANDIDATES, DEAD_LETTERS, MATCHES, VACANCIES
from schemas.vacancy import Vacancy
from streams.embedded import Stack, embedded_stack, worker
from streams.index import Point
from streams.lag import lag
from streams.publish import Outgoing, producer
from streams.qdrant_edge import QdrantEdge
from streams.rules import compatible

T = TypeVar("T")

# What a wait may take on a machine with no time for us, where a worker's start takes a minute.
DEADLINE_SECONDS = 120.0
TOPIC = {Side.VACANCY: VACANCIES.name, Side.CANDIDATE: CANDIDATES.name}
WIDE = {"ROLECALL_TOP_K": "1000", "ROLECALL_MIN_CONFIDENCE": "0", "ROLECALL_LOG_FORMAT": "json"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("stack")
            item.add_marker(pytest.mark.timeout(300))


def poll(ready: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """The first true answer; for what cannot be awaited."""
    deadline = time.monotonic() + seconds
    while not (answer := ready()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)
    return answer


@dataclass(frozen=True)
class Sent:
    """A record to publish, or that was."""

    topic: str
    key: bytes | None
    value: bytes | None
    at: int | None = None  # its timestamp, in milliseconds
    partition: int | None = None
    offset: int | None = None

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset


class Wire:
    """A producer and a consumer in a thread of their own; everything read is kept."""

    def __init__(self, broker: str) -> None:
        self.broker = BrokerSettings.model_construct(broker=broker, idempotent_producer=False)
        self.matches: list[Match] = []
        self.pairs: set[tuple[str, str]] = set()
        self.withdrawn: list[MatchesWithdrawn] = []
        self.letters: dict[tuple[str, int, int], Any] = {}  # by the place of the original record
        self._fences: set[bytes] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self._open())

    def run(self, coroutine: Coroutine[Any, Any, T], seconds: float = DEADLINE_SECONDS) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)

    def close(self) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def send(self, record: Sent) -> Sent:
        [sent] = self.send_all([record])
        return sent

    def send_all(self, records: Iterable[Sent]) -> list[Sent]:
        return self.run(self._send_all(list(records)))

    def until(self, ready: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
        """The first true answer, asked again whenever something came in."""
        with self._changed:
            answer = self._changed.wait_for(ready, seconds)
        assert answer, f"{what}: not within {seconds:g} s"
        return answer

    def settle(self, group: str = "rolecall") -> None:
        """Return when the group has acked every event, and this wire has read everything that came of it."""
        poll(lambda: self.run(lag(self.broker, group)) == 0, f"lag of {group} at 0")
        self.catch_up()

    def catch_up(self) -> None:
        """Return when everything that was published so far has been read: a fence behind it has."""
        name = os.urandom(8)
        fences = {name + b"%d" % number for number in range(MATCHES.partitions + DEAD_LETTERS.partitions)}
        topics = [(topic.name, n) for topic in (MATCHES, DEAD_LETTERS) for n in range(topic.partitions)]
        self.send_all(
            Sent(topic, fence, b'{"type":"fence"}', partition=number)
            for fence, (topic, number) in zip(sorted(fences), topics, strict=True)
        )
        self.until(lambda: fences <= self._fences, "reading to the end")

    async def _open(self) -> None:
        self._producer = producer(self.broker)
        self._consumer = AIOKafkaConsumer(
            MATCHES.name,
            DEAD_LETTERS.name,
            **self.broker.client(),
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=32 * 2**20,
            fetch_max_wait_ms=20,  # the embedded broker does not wake a waiting fetch
        )
        await self._producer.start()
        await self._consumer.start()
        self._reading = asyncio.create_task(self._read())

    async def _close(self) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self._consumer.stop()
        await self._producer.stop()

    async def _send_all(self, records: list[Sent]) -> list[Sent]:
        deliveries = [
            await self._producer.send(
                record.topic,
                key=record.key,
                value=record.value,
                partition=record.partition,
                timestamp_ms=record.at,
            )
            for record in records
        ]
        stored = await asyncio.gather(*deliveries)
        return [
            Sent(each.topic, each.key, each.value, each.at, where.partition, where.offset)
            for each, where in zip(records, stored, strict=True)
        ]

    async def send_letter(self, letter: Outgoing) -> None:
        await self._producer.send_and_wait(
            letter.topic, key=letter.key, value=letter.value, headers=list(letter.headers)
        )

    async def send_nothing(self, topic: str, partition: int) -> tuple[str, int, int]:
        """A record without key and value, past the check of `send`; its place."""
        batch = self._producer.create_batch()
        batch.append(key=None, value=None, timestamp=None)
        stored = await (await self._producer.send_batch(batch, topic, partition=partition))
        return topic, partition, stored.offset

    async def _read(self) -> None:
        async for record in self._consumer:
            with self._changed:
                self._keep(record)
                self._changed.notify_all()

    def _keep(self, record: Any) -> None:
        kind = record.topic
        if kind == MATCHES.name:
            kind = json.loads(record.value)["type"]
        elif record.value == b'{"type":"fence"}':
            kind = "fence"
        if kind == "fence":
            self._fences.add(record.key)
        elif kind == "match":
            match = Match.model_validate_json(record.value)
            self.matches.append(match)
            self.pairs.add((match.vacancy_id, match.candidate_id))
        elif kind == "matches_withdrawn":
            self.withdrawn.append(MatchesWithdrawn.model_validate_json(record.value))
        else:
            said = {name: value.decode() for name, value in record.headers}
            place = "topic", "partition", "offset"
            topic, partition, offset = (said[f"__connect.errors.{each}"] for each in place)
            self.letters[topic, int(partition), int(offset)] = record


@dataclass
class Worker:
    process: subprocess.Popen[bytes]
    log: Path

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What it logged of one kind so far."""
        whole = self.log.read_bytes().rpartition(b"\n")[0].splitlines()
        return [line for line in map(json.loads, whole) if line["event"] == event]


@contextmanager
def running_worker(environment: Mapping[str, str], log: Path) -> Iterator[Worker]:
    with log.open("wb") as stderr, worker(environment, stderr=stderr.fileno()) as process:
        yield Worker(process, log)


def members(broker: str, group: str) -> int:
    """How many workers share the group's partitions; 0 while they are being shared out."""

    async def describe() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            [response] = await admin.describe_consumer_groups([group])
        finally:
            await admin.close()
        state, joined = response.groups[0][2], response.groups[0][5]
        return len(joined) if state == "Stable" else 0

    return asyncio.run(describe())


class Stored:
    """What the embedded index holds, read through its port."""

    def __init__(self, wire: Wire, path: Path, socket: Path) -> None:
        self._wire = wire
        self._path = path
        self._socket = socket

    def points(self, side: Side, ids: Iterable[str]) -> dict[str, Point]:
        return self._wire.run(self._fetch(side, list(ids)))

    async def _fetch(self, side: Side, ids: list[str]) -> dict[str, Point]:
        [version] = [folder.name for folder in self._path.iterdir()]
        config = json.loads((self._path / version / side / "edge_config.json").read_bytes())
        index = QdrantEdge(self._socket, version, config["vectors"][""]["size"])
        try:
            return await index.fetch(side, ids)
        finally:
            await index.close()


EPOCH = 1_700_000_000_000
TITLES = ("nurse", "cook", "truck driver", "backend developer", "accountant", "welder", "teacher")
SKILLS = ("sql", "python", "welding", "first aid", "accounting", "driving licence")


class History:
    """Random vacancies and candidates, their updates, closings, erasures and stale latecomers.

    Each id gets one to four records with distinct revisions, in any order.
    """

    def __init__(self, seed: int, name: str, entities: int) -> None:
        rng = random.Random(seed)
        self.records: list[Sent] = []
        self.newest: dict[tuple[Side, str], Vacancy | Candidate | None] = {}  # None: erased
        self.revisions: dict[tuple[Side, str], int] = {}
        for side in Side:
            for number in range(entities):
                self._add(rng, side, f"{name}-{side.value[0]}{number}")
        rng.shuffle(self.records)

    def _add(self, rng: random.Random, side: Side, id: str) -> None:
        revisions = [EPOCH + n for n in rng.sample(range(1000), rng.choice((1, 1, 1, 2, 2, 4)))]
        for revision in revisions:
            if rng.random() < 0.1:
                entity, record = None, Sent(TOPIC[side], id.encode(), None, at=revision)
            else:
                entity = (
                    _vacancy(rng, id, revision) if side is Side.VACANCY else _candidate(rng, id, revision)
                )
                value = entity.model_dump_json(exclude_defaults=True).encode()
                record = Sent(TOPIC[side], id.encode(), value)
            self.records.append(record)
            if revision == max(revisions):
                self.newest[side, id] = entity
                self.revisions[side, id] = revision

    def ids(self, side: Side) -> list[str]:
        return [id for each, id in self.newest if each is side]

    def open(self, side: Side) -> list[Any]:
        return [
            entity
            for (each, _), entity in self.newest.items()
            if each is side and entity is not None and entity.status == "open"
        ]

    def expected(self) -> set[tuple[str, int, str, int]]:
        """Brute force over all pairs of the final state."""
        now = datetime.now(UTC)
        return {
            (vacancy.id, vacancy.revision, candidate.id, candidate.revision)
            for vacancy in self.open(Side.VACANCY)
            for candidate in self.open(Side.CANDIDATE)
            if compatible(vacancy, candidate, now)
        }

    def own(self, matches: Iterable[Match]) -> list[Match]:
        """Without the pairs of other tests' entities."""
        return [
            match
            for match in matches
            if (Side.VACANCY, match.vacancy_id) in self.newest
            and (Side.CANDIDATE, match.candidate_id) in self.newest
        ]


def _terms(rng: random.Random) -> dict[str, Any]:
    def maybe(value: Any) -> Any:
        return value if rng.random() < 0.4 else None

    country, city, lat, lon = rng.choice((("NL", "Utrecht", 52.1, 5.1), ("DE", "Köln", 50.9, 7.0)))
    point = maybe({"lat": lat, "lon": lon}) or {}
    place: dict[str, Any] = {"country": country, "city": maybe(city), **point}
    terms = {
        "location": maybe(place),
        "seniority": maybe(rng.choice(("junior", "mid", "senior", "lead"))),
        "employment_types": maybe(rng.sample(("full_time", "part_time", "contract"), rng.randint(1, 2))),
        "languages": maybe([{"code": rng.choice(("nl", "de", "en")), "level": rng.choice(("B1", "C1"))}]),
        "skills": rng.sample(SKILLS, rng.randint(0, 3)),
        "status": rng.choice(("open",) * 9 + ("closed",)),
    }
    return {name: value for name, value in terms.items() if value is not None}


def _vacancy(rng: random.Random, id: str, revision: int) -> Vacancy:
    terms = _terms(rng) | {"workplace": rng.choice(("onsite", "hybrid", "remote"))}
    if rng.random() < 0.4:
        terms["salary"] = {"max": rng.choice((40_000, 60_000)), "currency": "EUR"}
    if rng.random() < 0.2:
        terms["expires_at"] = "2999-01-01T00:00:00Z"
    return Vacancy.model_validate(
        {"id": id, "revision": revision, "occurred_at": datetime.fromtimestamp(EPOCH / 1000, UTC)}
        | {"title": rng.choice(TITLES)}
        | terms
    )


def _candidate(rng: random.Random, id: str, revision: int) -> Candidate:
    terms = _terms(rng) | {"relocate": rng.random() < 0.2}
    if rng.random() < 0.4:
        terms["radius_km"] = rng.choice((10, 300))
    if rng.random() < 0.4:
        terms["salary"] = {"min": rng.choice((30_000, 50_000)), "currency": "EUR"}
    return Candidate.model_validate(
        {"id": id, "revision": revision, "occurred_at": datetime.fromtimestamp(EPOCH / 1000, UTC)}
        | {"titles": [rng.choice(TITLES)]}
        | terms
    )


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with embedded_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def wire(stack: Stack) -> Iterator[Wire]:
    opened = Wire(stack.broker)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def workers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    """Two workers of one group that both have their partitions."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as running:
        started = [
            running.enter_context(running_worker(stack.environment() | WIDE, logs / f"worker-{number}.jsonl"))
            for number in range(2)
        ]
        poll(lambda: members(stack.broker, "rolecall") == 2, "two members in the group")
        yield started


@pytest.fixture(scope="session")
def stored(stack: Stack, wire: Wire) -> Stored:
    return Stored(wire, stack.edge_path, stack.edge_socket)


@pytest.fixture(scope="session")
def kit() -> Any:
    """The names of this file, for tests that start stacks and workers of their own."""

    class Kit:
        history = History
        wire = Wire
        sent = Sent
        stored = Stored
        running_worker = staticmethod(running_worker)
        members = staticmethod(members)
        poll = staticmethod(poll)
        topic = TOPIC
        wide = WIDE

    return Kit

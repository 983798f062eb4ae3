"""Publish records, read matches and dead letters, run workers, and read the index."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from rolecall.schemas.broker.reading import partitions_of
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.match import Match, MatchesWithdrawn, Side
from rolecall.schemas.topics import CANDIDATES, DEAD_LETTERS, MATCHES, VACANCIES
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.port import Point
from rolecall.streams.kafka.lag import lag
from rolecall.streams.kafka.publisher import producer
from rolecall.streams.process import spawn

T = TypeVar("T")
Place = tuple[str, int | None, int | None]  # topic, partition and offset of a record, once it has them

# What a wait may take on a machine with no time for us, where a worker's start takes a minute.
DEADLINE_SECONDS = 120.0
TOPIC = {Side.VACANCY: VACANCIES.name, Side.CANDIDATE: CANDIDATES.name}
WIDE = {"ROLECALL_TOP_K": "1000", "ROLECALL_MIN_CONFIDENCE": "0", "ROLECALL_LOG_FORMAT": "json"}


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
    def place(self) -> Place:
        return self.topic, self.partition, self.offset


class Wire:
    """A producer and a consumer in a thread of their own; everything read is kept."""

    def __init__(self, broker: str) -> None:
        # An idempotent batch never expires, and is stored once, also while the broker is killed.
        idempotent = "KAFKA_HOME" in os.environ  # the embedded broker knows none
        self.broker = BrokerSettings.model_construct(broker=broker, idempotent_producer=idempotent)
        self.matches: list[Match] = []
        self.pairs: set[tuple[str, str]] = set()
        self.withdrawn: list[MatchesWithdrawn] = []
        self.letters: dict[Place, Any] = {}  # by the place of the original record
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
        topics = self.run(partitions_of(self.broker, MATCHES.name, DEAD_LETTERS.name))
        fences = {name + b"%d" % number for number in range(len(topics))}
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

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-3000:]


@contextmanager
def running_worker(
    environment: Mapping[str, str], log: Path, module: str = "rolecall.streams.cli"
) -> Iterator[Worker]:
    command = [sys.executable, "-m", module, "worker"]
    with log.open("wb") as stderr, spawn(command, environment, stderr=stderr.fileno()) as process:
        yield Worker(process, log)


def members(broker: str, group: str) -> int:
    """How many workers share the group's partitions; 0 while they are being shared out."""

    async def describe() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            [response] = await admin.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:  # a fresh cluster
            return 0
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

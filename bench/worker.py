"""CPU of a worker and its index for each event, without a broker. This is what a profiler can look at.

    python -m bench.worker --vacancies open_jobs.csv --onet DIRECTORY [--profile 60]

An embedded index is filled with real vacancies and generated candidates. Then a part of them goes through the
batch runner again, changed. That is measured. What would be published is counted and thrown away.
`bench.pipeline` measures the whole way, with broker and Faust.

With `--profile N` the index works in this process, so that one profile of N lines shows worker and index.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bench.candidates import candidates
from bench.pipeline import market_parser, newer, read_vacancies
from rolecall.encoder.document import document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.record import Record
from rolecall.schemas.topics import TOPIC_OF_SIDE
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.receive import Entity, Limits
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import Collections, start_edge
from rolecall.streams.index.edge.protocol import Frame
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.batch import BatchRunner

TOP_K = 10
FILLED_TOGETHER = 512
LIMITS = Limits(1_048_576, 10**15)


class Here:
    """The index process's answers, in this process."""

    closed = False

    def __init__(self, path: Path) -> None:
        self._collections = Collections(path)

    async def ask(self, frame: Frame) -> Frame:
        await asyncio.sleep(0)
        return self._collections.answer(frame)

    async def close(self) -> None:
        self._collections.close()


class Counter:
    """A publisher that counts."""

    def __init__(self) -> None:
        self.records = 0

    async def publish(self, records: Iterable[Outgoing]) -> None:
        self.records += len(list(records))


async def fill(index: QdrantEdge, encoder: Encoder, side: Side, entities: Sequence[Entity]) -> None:
    for start in range(0, len(entities), FILLED_TOGETHER):
        some = entities[start : start + FILLED_TOGETHER]
        found = encoder.encode([document_of(entity) for entity in some])
        rows = zip(some, found.vectors, found.certainty, strict=True)
        embedded = [Embedded(entity, vector, float(certainty)) for entity, vector, certainty in rows]
        await index.upsert(side, [point(each) for each in embedded])


def batches(entities: Sequence[Entity], size: int) -> Iterator[tuple[Side, list[Record]]]:
    """Both sides in turns."""
    sides: dict[Side, list[Record]] = {side: [] for side in Side}
    for offset, entity in enumerate(entities):
        side = Side.VACANCY if isinstance(entity, Vacancy) else Side.CANDIDATE
        value = entity.model_dump_json(exclude_defaults=True).encode()
        record = Record(TOPIC_OF_SIDE[side], 0, offset, entity.id.encode(), value, entity.revision)
        sides[side].append(record)
        if len(sides[side]) == size:
            yield side, sides[side]
            sides[side] = []
    yield from sides.items()


async def measure(index: QdrantEdge, own: psutil.Process, options: argparse.Namespace) -> dict[str, float]:
    """own: the process of the index."""
    encoder = Encoder.load(threads=1)
    now = datetime.now(UTC)
    jobs, _ = read_vacancies(options.vacancies, now)
    people: list[Entity] = list(candidates(options.onet, count=options.candidates, seed=1, now=now))
    everything = random.Random(1).sample(jobs + people, min(options.points, len(jobs) + len(people)))
    await index.prepare()
    for side, contract in ((Side.VACANCY, True), (Side.CANDIDATE, False)):
        await fill(index, encoder, side, [e for e in everything if isinstance(e, Vacancy) is contract])
    counter = Counter()
    policy = Policy(TOP_K, 0.0)
    runner = BatchRunner(encoder=encoder, index=index, publisher=counter, policy=policy, limits=LIMITS)
    await runner.run(*next(batches(everything[-options.batch :], options.batch // 2)))  # to warm up
    changed = list(batches(newer(everything[: options.events], datetime.now(UTC)), options.batch))
    counter.records = 0
    profile = cProfile.Profile(time.process_time) if options.profile else None
    index_cpu, worker_cpu, started = _cpu(own), time.process_time(), time.perf_counter()
    if profile:
        profile.enable()
    for side, some in changed:
        await runner.run(side, some)
    if profile:
        profile.disable()
    figures = {
        "worker_cpu_ms_per_event": (time.process_time() - worker_cpu) * 1000,
        "index_cpu_ms_per_event": (_cpu(own) - index_cpu) * 1000,
        "wall_ms_per_event": (time.perf_counter() - started) * 1000,
        "records_per_event": counter.records,
    }
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(options.profile)
    await index.close()
    return {name: round(figure / options.events, 3) for name, figure in figures.items()}


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def main() -> None:
    parser = market_parser(__doc__)
    parser.add_argument("--points", type=int, default=1_000_000, help="at most so many are in the index")
    parser.add_argument("--events", type=int, default=4_000)
    parser.add_argument("--batch", type=int, default=128, help="records a batch")
    parser.add_argument("--profile", type=int, default=0, help="print so many lines of a profile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rolecall-bench-") as folder:
        path, socket = Path(folder) / "index", Path(folder) / "socket"
        dims = Encoder.load(threads=1).dims
        index = QdrantEdge(socket, "bench", dims)
        if options.profile:
            index._connection = Here(path)  # type: ignore[assignment]
            figures = asyncio.run(measure(index, psutil.Process(), options))
        else:
            with start_edge(path, socket) as edge:
                figures = asyncio.run(measure(index, psutil.Process(edge.pid), options))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

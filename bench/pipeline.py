"""End-to-end load test on the embedded stack: files -> broker -> worker -> index -> matches.

    python -m bench.pipeline --vacancies open_jobs.csv --onet DIRECTORY

The phases:
Fill: publish all vacancies and all generated candidates at once.
Full: with all points indexed, publish a part of them again, changed, at once. This gives events/s.
Near full: the same at 80 % of that rate. This gives the latency of a loaded worker without a backlog.
Low: 20 events/s.
Alone: run each stage by itself in this process on the same events, while the workers are idle.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import psutil
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.table import Table

from bench.candidates import candidates
from bench.rig.stages import TOP_K, alone
from bench.rig.wire import members, poll
from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Side
from rolecall.schemas.topics import DEAD_LETTERS, MATCHES, TOPIC_OF_SIDE
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.stack import FETCH_MAX_WAIT_MS, Stack, embedded_stack, worker
from rolecall.streams.events.receive import Entity
from rolecall.streams.feeds.mapping import parse_mapping
from rolecall.streams.feeds.parsed import FeedEvent
from rolecall.streams.feeds.read import read
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.kafka.lag import lag
from rolecall.streams.kafka.publisher import producer

MAPPING = (
    "id={platform}-{jobId}-{locations}",
    "title=title",
    "employer=company",
    "location=locations",
    "workplace=isRemote",
    "employment_types=employmentType",
    "occurred_at=postedAt",
    "revision=scrapedAt",
)


@dataclass
class Load:
    """Input and output of one phase, with times."""

    sent: dict[str, float] = field(default_factory=dict)
    first_match: dict[str, float] = field(default_factory=dict)
    matches: int = 0
    started: float = 0.0
    finished: float = 0.0

    @property
    def events_per_s(self) -> float:
        return len(self.sent) / (self.finished - self.started)

    @property
    def matches_per_s(self) -> float:
        return self.matches / (self.finished - self.started)

    def latencies_ms(self) -> np.ndarray:
        return np.array([(at - self.sent[i]) * 1000 for i, at in self.first_match.items() if i in self.sent])


class Bench:
    def __init__(self, stack: Stack, group: str, workers: Sequence[subprocess.Popen[bytes]]) -> None:
        self.stack = stack
        self.workers = workers
        self.group = group
        self.load = Load()
        self.dead: set[str] = set()

    async def __aenter__(self) -> "Bench":
        self.producer = producer(self.stack.settings)
        self.consumer = AIOKafkaConsumer(
            MATCHES.name,
            DEAD_LETTERS.name,
            **self.stack.settings.client(),
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        )
        await self.producer.start()
        await self.consumer.start()
        self.watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.watching.cancel()
        await self.consumer.stop()
        await self.producer.stop()

    async def _watch(self) -> None:
        while True:
            for batch in (await self.consumer.getmany(timeout_ms=200)).values():
                now = time.time()
                for record in batch:
                    if record.topic == DEAD_LETTERS.name:
                        self.dead.add((record.key or b"").decode())
                        continue
                    event = orjson.loads(record.value)
                    if event["type"] == "match":
                        self.load.matches += 1
                        self.load.first_match.setdefault(event[f"{event['found_by']}_id"], now)

    async def run(self, entities: Sequence[Entity], per_second: float | None = None) -> Load:
        """Publishes, waits until the worker has committed everything, and collects the output."""
        self.load = load = Load()
        load.started = time.time()
        pending = []
        for i, entity in enumerate(entities):
            if per_second is not None:
                await asyncio.sleep(max(0.0, load.started + i / per_second - time.time()))
            load.sent[entity.id] = time.time()
            side = Side.VACANCY if isinstance(entity, Vacancy) else Side.CANDIDATE
            value = entity.model_dump_json(exclude_defaults=True).encode()
            pending.append(await self.producer.send(TOPIC_OF_SIDE[side], value=value, key=entity.id.encode()))
        await asyncio.gather(*pending)
        while await lag(self.stack.settings, self.group):
            for process in self.workers:
                if process.poll() is not None:
                    raise RuntimeError(f"a worker ended with exit code {process.returncode}")
            await asyncio.sleep(0.25)
        await asyncio.sleep(0.5)
        load.finished = max([time.time() - 1.5, *load.first_match.values()])
        return load


def newer(entities: Iterable[Entity], now: datetime) -> list[Entity]:
    """Changed in its skills: what repeats the stored entity would lead to nothing."""
    revision = round(now.timestamp() * 1000)
    return [
        entity.model_copy(
            update={
                "occurred_at": now,
                "revision": revision,
                "skills": (*entity.skills, f"since {revision}"),
            }
        )
        for entity in entities
    ]


def read_vacancies(path: Path, now: datetime) -> tuple[list[Entity], int]:
    entities: list[Entity] = []
    rejected = 0
    for parsed in read(path, now=now, side=Side.VACANCY, mapping=parse_mapping(MAPPING)):
        if isinstance(parsed, FeedEvent) and parsed.value is not None:
            entities.append(Vacancy.model_validate_json(parsed.value))
        else:
            rejected += 1
    return entities, rejected


async def effects(index: QdrantEdge, published: Sequence[Entity]) -> set[str]:
    """Ids that the index holds at their newest published revision or later."""
    done = set()
    for side, contract in ((Side.VACANCY, Vacancy), (Side.CANDIDATE, Candidate)):
        newest = {entity.id: entity.revision for entity in published if isinstance(entity, contract)}
        ids = list(newest)
        for start in range(0, len(ids), 1000):
            stored = await index.fetch(side, ids[start : start + 1000])
            done |= {id for id, found in stored.items() if found.revision >= newest[id]}
    return done


def processes() -> dict[str, list[psutil.Process]]:
    """This process and its children, by role."""
    found = defaultdict(list, bench=[psutil.Process()])
    for process in psutil.Process().children(recursive=True):
        command = " ".join(process.cmdline())
        for role, mark in (
            ("index", "index.edge.process"),
            ("worker", "rolecall.streams.cli worker"),
            ("broker", "tansu"),
        ):
            if mark in command:
                found[role].append(process)
    return found


def peak_rss_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_seconds() -> dict[str, float]:
    """CPU seconds by role, summed over the processes of the role."""
    return {
        role: sum(used.user + used.system for used in (process.cpu_times() for process in some))
        for role, some in processes().items()
    }


def stage_seconds(log: Path) -> Iterator[dict[str, float]]:
    for line in log.read_bytes().splitlines():
        if line.startswith(b"{") and (entry := orjson.loads(line)).get("event") == "batch":
            yield {**entry["ms"], "events": entry["events"]}


def breakdown(logs: Sequence[Path], skip: Sequence[int]) -> tuple[dict[str, float], int]:
    """Milliseconds per event of each stage, and batches. Skips the first `skip` batches of each log."""
    batches = [
        batch
        for log, first in zip(logs, skip, strict=True)
        for batch in islice(stage_seconds(log), first, None)
    ]
    events = sum(batch.pop("events") for batch in batches) or 1
    totals: dict[str, float] = defaultdict(float)
    for batch in batches:
        for stage, ms in batch.items():
            totals[stage] += ms
    return {stage: ms / events for stage, ms in totals.items()}, len(batches)


def stage_table(per_event: Mapping[str, float], by_itself: Mapping[Stage, float], batches: int) -> Table:
    table = Table("stage", "ms/event in a worker", "events/s alone", title=f"full load, {batches} batches")
    for stage in Stage:
        rate = by_itself.get(stage)
        table.add_row(stage, f"{per_event.get(stage, 0):.3f}", f"{rate:,.0f}" if rate else "")
    return table


async def measure(
    stack: Stack,
    workers: Sequence[subprocess.Popen[bytes]],
    vacancies: Path,
    onet: Path,
    count: int,
    logs: Sequence[Path],
) -> dict[str, float | str]:
    console = Console(width=110)
    encoder = Encoder.load(threads=1)
    now = datetime.now(UTC)
    jobs, rejected = read_vacancies(vacancies, now)
    people: list[Entity] = list(candidates(onet, count=count, seed=1, now=now))
    console.print(f"{len(jobs):,} vacancies ({rejected:,} rows rejected), {len(people):,} candidates")
    everything = random.Random(1).sample(jobs + people, len(jobs) + len(people))
    async with Bench(stack, "rolecall", workers) as bench:
        fill = await bench.run(everything)
        console.print(f"fill: {fill.events_per_s:,.0f} events/s, {fill.matches_per_s:,.0f} matches/s")
        filled = [sum(1 for _ in stage_seconds(log)) for log in logs]
        before = cpu_seconds()
        full = await bench.run(newer(everything[:8000], datetime.now(UTC)))
        used = {role: (after - before[role]) * 1000 / len(full.sent) for role, after in cpu_seconds().items()}
        console.print(f"full: {full.events_per_s:,.0f} events/s, {full.matches_per_s:,.0f} matches/s")
        per_event, batches = breakdown(logs, filled)
        near = await bench.run(newer(everything[:4000], datetime.now(UTC)), full.events_per_s * 0.8)
        low = await bench.run(newer(everything[:600], datetime.now(UTC)), 20)
        index = QdrantEdge(stack.edge_socket, encoder.version, encoder.dims)
        done = await effects(index, everything)
        points = {str(side): await index.count(side) for side in Side}
        await index.close()
        dead = bench.dead
    by_itself = await alone(stack, encoder, newer(everything[:2000], datetime.now(UTC)))
    console.print(stage_table(per_event, by_itself, batches))
    slowest = min(by_itself, key=by_itself.__getitem__)
    rss = {role: max(map(peak_rss_mb, some)) for role, some in processes().items()}
    console.print("CPU, ms/event at full load:", {role: round(ms, 2) for role, ms in used.items()})
    console.print("peak RSS of one, MB:", {role: round(mb) for role, mb in rss.items()})
    console.print("indexed:", points, f"slowest stage: {slowest}")
    ids = {entity.id for entity in everything}
    near_ms, low_ms = near.latencies_ms(), low.latencies_ms()
    return {
        "workers": len(workers),
        "events_in": len(everything),
        "effects": len(ids & done),
        "dead_letters": len(dead & ids),
        "lost": len(ids - done - dead),
        "events_per_s_fill": round(fill.events_per_s, 1),
        "events_per_s": round(full.events_per_s, 1),
        "matches_per_s": round(full.matches_per_s, 1),
        "cpu_ms_per_event": round(used["worker"] + used["index"], 3),
        "slowest_stage": slowest,
        "slowest_stage_ratio": round(full.events_per_s / by_itself[slowest], 3),
        "p50_ms_low": round(float(np.percentile(low_ms, 50)), 1),
        "p99_ms_low": round(float(np.percentile(low_ms, 99)), 1),
        "p50_ms_full": round(float(np.percentile(near_ms, 50)), 1),
        "p99_ms_full": round(float(np.percentile(near_ms, 99)), 1),
        "worker_rss_mb": round(rss["worker"]),
    }


def market_parser(description: str | None) -> argparse.ArgumentParser:
    """Of a bench with real vacancies and generated candidates."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vacancies", type=Path, required=True, help="CSV of open jobs")
    parser.add_argument("--onet", type=Path, required=True, help="folder of the O*NET text files")
    parser.add_argument("--candidates", type=int, default=10_000)
    return parser


def main() -> None:
    parser = market_parser(__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="default: one per core")
    parser.add_argument("--min-confidence", type=float, default=0.0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="rolecall-bench-") as folder,
        embedded_stack(Path(folder)) as stack,
        ExitStack() as running,
    ):
        logs = [Path(folder) / f"worker-{number}.log" for number in range(options.workers)]
        environment = {
            **stack.environment(),
            "ROLECALL_LOG_FORMAT": "json",
            "ROLECALL_TOP_K": str(TOP_K),
            "ROLECALL_MIN_CONFIDENCE": str(options.min_confidence),
        }
        workers = [
            running.enter_context(worker(environment, stderr=running.enter_context(log.open("wb")).fileno()))
            for log in logs
        ]
        try:
            poll(lambda: members(stack.broker, "rolecall") == len(workers), "every worker in the group")
            figures = asyncio.run(
                measure(stack, workers, options.vacancies, options.onet, options.candidates, logs)
            )
        except BaseException:
            sys.stderr.write(logs[0].read_text()[-3000:])
            raise
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

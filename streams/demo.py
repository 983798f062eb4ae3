"""`rolecall demo`: the whole path on the embedded stack, shown live, ended by itself with a summary."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from schemas.match import Match, Side
from schemas.topics import MATCHES
from schemas.vacancy import Vacancy
from streams.embedded import FETCH_MAX_WAIT_MS, EmbeddedUnavailable, Stack, embedded_stack, worker
from streams.feeds import Event
from streams.lag import lag
from streams.publish import KafkaPublisher, producer
from streams.publish_files import input_record
from streams.receive import Entity
from streams.sample import generate
from streams.settings import Settings
from streams.tail import read_event, why

ROWS = 16
EVENTS_PER_SECOND = 100.0


def run_demo(*, vacancies: int, candidates: int, seed: int, now: datetime) -> None:
    console = Console()
    jobs, people = generate(seed, vacancies, candidates, now)
    entities = [entity for pair in _interleaved(jobs, people) for entity in pair]
    with tempfile.TemporaryDirectory(prefix="rolecall-demo-") as folder:
        console.print(
            "[bold]rolecall demo[/bold]: broker, index and worker on this machine, nothing leaves it"
        )
        log = Path(folder) / "worker.log"
        with (
            embedded_stack(Path(folder)) as stack,
            log.open("wb") as stderr,
            worker(stack.environment(), stderr=stderr.fileno()) as process,
        ):
            demo = Demo(stack, process, entities)
            try:
                asyncio.run(demo.run(console))
            except WorkerEnded as error:
                raise EmbeddedUnavailable(f"{error}\n{log.read_text()[-2000:]}") from error
    demo.summary(console)


class WorkerEnded(Exception):
    """The worker process ended while the demo waited for it."""


class Demo:
    def __init__(self, stack: Stack, process: subprocess.Popen[bytes], entities: Sequence[Entity]) -> None:
        self._stack = stack
        self._process = process
        self._entities = entities
        self._titles = {
            entity.id: entity.title if isinstance(entity, Vacancy) else entity.titles[0]
            for entity in entities
        }
        self._sent: dict[str, float] = {}
        self._latencies: dict[str, float] = {}
        self._matches: dict[str, Match] = {}

    async def run(self, console: Console) -> None:
        sender = producer(self._stack.broker, idempotent=False)
        consumer = AIOKafkaConsumer(
            MATCHES.name,
            bootstrap_servers=self._stack.broker,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        )
        await sender.start()
        await consumer.start()
        publisher = KafkaPublisher(sender)
        try:
            with console.status("the worker loads the model and joins its group…"):
                await self._publish(publisher, self._entities[:2])
                await self._drained()
            with Live(console=console, refresh_per_second=10) as live:
                work = asyncio.gather(self._publish(publisher, self._entities[2:]))
                while not work.done():
                    await self._receive(consumer)
                    live.update(self._table())
                await work
                draining = asyncio.ensure_future(self._drained())
                while not draining.done() or await self._receive(consumer):
                    await self._receive(consumer)
                    live.update(self._table())
                await draining
        finally:
            await consumer.stop()
            await sender.stop()

    def summary(self, console: Console) -> None:
        console.print(
            f"\n[bold]{len(self._sent):,}[/bold] events published, "
            f"[bold]{len(self._matches):,}[/bold] matches found"
        )
        if self._latencies:
            p50, p99 = np.percentile(list(self._latencies.values()), [50, 99])
            console.print(
                f"published to matched: p50 {p50:.0f} ms, p99 {p99:.0f} ms, at {EVENTS_PER_SECOND:g} events/s"
            )

    async def _publish(self, publisher: KafkaPublisher, entities: Sequence[Entity]) -> None:
        started = time.monotonic()
        for i, entity in enumerate(entities):
            await asyncio.sleep(max(0.0, started + i / EVENTS_PER_SECOND - time.monotonic()))
            side = Side.VACANCY if isinstance(entity, Vacancy) else Side.CANDIDATE
            event = Event(side, entity.id, entity.model_dump_json(exclude_defaults=True).encode())
            self._sent[entity.id] = time.time()
            await publisher.publish([input_record(event, datetime.now(UTC))])

    async def _drained(self) -> None:
        """Return when the worker has committed all that was published."""
        while await lag(self._stack.broker, Settings.model_fields["consumer_group"].default):
            if self._process.poll() is not None:
                raise WorkerEnded(f"the worker ended with exit code {self._process.returncode}")
            await asyncio.sleep(0.2)

    async def _receive(self, consumer: AIOKafkaConsumer) -> bool:
        batches = await consumer.getmany(timeout_ms=100)
        now = time.time()
        for record in (record for batch in batches.values() for record in batch):
            event = read_event(record.value)
            if isinstance(event, Match):
                self._matches[event.id] = event
                found_by = event.vacancy_id if event.found_by is Side.VACANCY else event.candidate_id
                self._latencies.setdefault(found_by, (now - self._sent[found_by]) * 1000)
        return bool(batches)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name, width in (("confidence", 10), ("vacancy", 30), ("candidate", 30), ("why", 44)):
            table.add_column(
                name, min_width=min(width, 12), max_width=width, no_wrap=True, overflow="ellipsis"
            )
        for match in list(self._matches.values())[-ROWS:]:
            colour = "green" if match.confidence >= 0.8 else "yellow"
            table.add_row(
                f"[{colour}]{match.confidence:.0%}[/]",
                self._titles[match.vacancy_id],
                self._titles[match.candidate_id],
                "; ".join(why(match)),
            )
        table.caption = f"{len(self._sent)} events, {len(self._matches)} matches"
        return table


def _interleaved(jobs: Sequence[Entity], people: Sequence[Entity]) -> list[tuple[Entity, ...]]:
    """Both sides arrive mixed, as they do in life."""
    longest = max(len(jobs), len(people))
    return [tuple(side[i] for side in (jobs, people) if i < len(side)) for i in range(longest)]

"""`rolecall demo`: match a sample on the embedded stack, show the matches live, end with a summary."""

import asyncio
import io
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from rolecall.schemas.match import Match, Side
from rolecall.schemas.topics import MATCHES
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.cli.console import explained, visible
from rolecall.streams.cli.drawing import drawing_console
from rolecall.streams.cli.table import why
from rolecall.streams.cli.up import relay
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.embedded.stack import FETCH_MAX_WAIT_MS, Stack, embedded_stack, worker
from rolecall.streams.errors import DemoFailed
from rolecall.streams.events.receive import Entity, read_event
from rolecall.streams.events.records import input_record
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.kafka.lag import lag
from rolecall.streams.kafka.publisher import KafkaPublisher, producer
from rolecall.streams.settings import Settings

ROWS = 16
EVENTS_PER_SECOND = 100.0


# The embedded broker lets a new group wait this long for further members, up to 4 s.
SESSION_SECONDS = "3"


@click.command()
@click.option("--vacancies", type=click.IntRange(min=1), default=150, show_default=True)
@click.option("--candidates", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the made-up sample.")
def demo(vacancies: int, candidates: int, seed: int) -> None:
    """Match a made-up sample live, on a stack of its own, then stop.

    Starts broker, index and worker on this machine, publishes the sample at 100 events/s, shows matches as
    they are found, and ends with a summary. Nothing is left behind. Exits with 1 if the worker fails or finds
    no match.
    """
    with explained():
        run_demo(vacancies=vacancies, candidates=candidates, seed=seed)


def run_demo(*, vacancies: int, candidates: int, seed: int, console: Console | None = None) -> None:
    console = console or drawing_console()
    jobs, people = generate(seed, vacancies, candidates, datetime.now(UTC))
    entities = [entity for pair in _interleaved(jobs, people) for entity in pair]
    console.print("[bold]rolecall demo[/bold]: broker, index and worker on this machine; nothing leaves it")
    started = threading.Event()
    with tempfile.TemporaryDirectory(prefix="rolecall-demo-") as folder:
        log = io.BytesIO()
        with console.status("starting broker and index…") as status, ExitStack() as running:
            stack = running.enter_context(embedded_stack(Path(folder)))
            environment = stack.environment() | {"ROLECALL_SESSION_TIMEOUT_SECONDS": SESSION_SECONDS}
            process = running.enter_context(worker(environment, stderr=subprocess.PIPE))
            assert process.stderr
            relay(process.stderr, log, started.set)
            status.update("the worker loads the model and joins its group…")
            try:
                while not started.wait(0.05):
                    _check(process)
                status.stop()
                demo = Demo(stack, process, entities)
                run_interruptibly(demo.run(console))
            except DemoFailed as error:
                raise DemoFailed(f"{error}; the end of its log:\n{_end(log)}") from error
            demo.summary(console)
            if not demo.matches:
                raise DemoFailed(f"nothing matched; the end of the worker's log:\n{_end(log)}")
            status.start()
            status.update("stopping…")


def _check(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise DemoFailed(f"the worker ended with exit code {process.returncode}")


def _end(log: io.BytesIO) -> str:
    return "\n".join(log.getvalue().decode(errors="replace").splitlines()[-12:])


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
        self.matches: dict[str, Match] = {}

    async def run(self, console: Console) -> None:
        sender = producer(self._stack.settings)
        consumer = AIOKafkaConsumer(
            MATCHES.name,
            **self._stack.settings.reader(),
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        )
        await sender.start()
        await consumer.start()
        publisher = KafkaPublisher(sender)
        try:
            with Live(console=console, refresh_per_second=10) as live:
                work = asyncio.ensure_future(self._work(publisher))
                while not work.done() or await self._receive(consumer):
                    await self._receive(consumer)
                    live.update(self._table())
                await work
        finally:
            await consumer.stop()
            await sender.stop()

    def summary(self, console: Console) -> None:
        console.print(
            f"\n[bold]{len(self._sent):,}[/bold] events, [bold]{len(self.matches):,}[/bold] matches",
            soft_wrap=True,
        )
        if self._latencies:
            p50, p99 = np.percentile(list(self._latencies.values()), [50, 99])
            console.print(
                f"from published to matched: p50 {p50:.0f} ms, p99 {p99:.0f} ms "
                f"at {EVENTS_PER_SECOND:g} events/s",
                soft_wrap=True,
            )
        console.print(
            "your own data: rolecall up, then rolecall publish FILE… and rolecall tail", style="dim"
        )

    async def _work(self, publisher: KafkaPublisher) -> None:
        await self._publish(publisher, self._entities)
        await self._drained()

    async def _publish(self, publisher: KafkaPublisher, entities: Sequence[Entity]) -> None:
        started = time.monotonic()
        for i, entity in enumerate(entities):
            _check(self._process)
            await asyncio.sleep(max(0.0, started + i / EVENTS_PER_SECOND - time.monotonic()))
            side = Side.VACANCY if isinstance(entity, Vacancy) else Side.CANDIDATE
            value = entity.model_dump_json(exclude_defaults=True).encode()
            self._sent[entity.id] = time.time()
            await publisher.publish([input_record(side, entity.id, value, datetime.now(UTC))])

    async def _drained(self) -> None:
        """Return when the worker has committed all that was published."""
        while await lag(self._stack.settings, Settings.model_fields["consumer_group"].default):
            _check(self._process)
            await asyncio.sleep(0.2)

    async def _receive(self, consumer: AIOKafkaConsumer) -> bool:
        batches = await consumer.getmany(timeout_ms=100)
        now = time.time()
        for record in (record for batch in batches.values() for record in batch):
            event = read_event(record.value)
            if isinstance(event, Match):
                self.matches[event.id] = event
                found_by = event.vacancy_id if event.found_by is Side.VACANCY else event.candidate_id
                self._latencies.setdefault(found_by, (now - self._sent[found_by]) * 1000)
        return bool(batches)

    def _table(self) -> Table:
        caption = f"{len(self._sent)} of {len(self._entities)} events, {len(self.matches)} matches"
        table = Table(box=None, pad_edge=False, caption=caption, expand=True)
        table.add_column("confidence", width=10)
        for name, ratio in (("vacancy", 4), ("candidate", 4), ("why", 5)):
            table.add_column(name, ratio=ratio, no_wrap=True, overflow="ellipsis")
        for match in list(self.matches.values())[-ROWS:]:
            colour = "green" if match.confidence >= 0.8 else "yellow"
            table.add_row(
                f"[{colour}]{match.confidence:>8.0%}[/]",
                escape(visible(self._titles[match.vacancy_id])),
                escape(visible(self._titles[match.candidate_id])),
                escape(visible("; ".join(why(match)))),
            )
        return table


def _interleaved(jobs: Sequence[Entity], people: Sequence[Entity]) -> list[tuple[Entity, ...]]:
    """Mixes vacancies and candidates, as they arrive in real life."""
    longest = max(len(jobs), len(people))
    return [tuple(side[i] for side in (jobs, people) if i < len(side)) for i in range(longest)]

"""Files -> input topics, with a progress bar, a rate and the rejects written down."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.cloud_event import cloud_event
from schemas.match import Side
from schemas.topics import CANDIDATES, VACANCIES, event_type
from streams import feeds
from streams.publish import KafkaPublisher, Outgoing, producer, start
from streams.reach import require_topics
from streams.receive import CONTRACTS
from streams.settings import Settings

CHUNK = 500
TOPIC_OF = {Side.VACANCY: VACANCIES.name, Side.CANDIDATE: CANDIDATES.name}


@dataclass(slots=True)
class Count:
    """What is done so far, also after an interruption. Published means confirmed by the broker."""

    published: int = 0
    rejected: int = 0
    first_reject: str = ""

    def lines(self, seconds: float, rejects: Path) -> Iterator[str]:
        if self.published or self.rejected:
            rate = self.published / seconds
            done = f"{self.published:,} published, {self.rejected:,} rejected"
            yield f"{done} in {seconds:.1f} s ({rate:,.0f}/s)"
        if self.rejected:
            yield f"first reject: {self.first_reject}"
            yield f"all rejects: {rejects}"


def input_record(event: feeds.Event, now: datetime) -> Outgoing:
    kind = event_type(CONTRACTS[event.side])
    return Outgoing(
        TOPIC_OF[event.side], event.id.encode(), event.value, cloud_event(str(uuid4()), kind, now)
    )


async def publish_files(
    settings: Settings,
    files: Sequence[Path],
    *,
    side: str | None,
    mapping: Mapping[str, str] | None,
    rejects: Path,
    count: Count,
) -> None:
    """Every published record is confirmed by the broker before this returns."""
    await require_topics(settings)
    sender = producer(settings)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        console=(console := Console(stderr=True)),
        disable=not console.is_terminal,
    )
    try:
        await start(sender)
        publisher = KafkaPublisher(sender)
        with bar, _Lazily(rejects) as refused:
            for path in files:
                task = bar.add_task(path.name, total=None, rate=0.0)
                now = datetime.now(UTC)
                parsed = feeds.read(path, now=now, side=Side(side) if side else None, mapping=mapping)
                for chunk in _chunks(parsed):
                    for each in chunk:
                        if isinstance(each, feeds.Reject):
                            refused.write(each.line())
                            count.rejected += 1
                            where = f"{each.source}, row {each.row}"
                            count.first_reject = count.first_reject or f"{where}: {each.reason}"
                    events = [each for each in chunk if isinstance(each, feeds.Event)]
                    await publisher.publish([input_record(event, now) for event in events])
                    count.published += len(events)
                    bar.update(task, advance=len(chunk), rate=bar.tasks[task].speed or 0.0)
                    await asyncio.sleep(0)
                bar.update(task, total=bar.tasks[task].completed)
    finally:
        await sender.stop()


def _chunks(parsed: Iterator[feeds.Parsed]) -> Iterator[list[feeds.Parsed]]:
    chunk: list[feeds.Parsed] = []
    for each in parsed:
        chunk.append(each)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Lazily:
    """A file that comes into being with its first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(line)

    def __enter__(self) -> "_Lazily":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

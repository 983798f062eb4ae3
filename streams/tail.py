"""The matches topic, live, for people and for pipes."""

import os
import select
import shutil
import sys
from collections.abc import Iterator

import click
import orjson
from aiokafka import AIOKafkaConsumer

from schemas.match import Match, MatchesWithdrawn
from schemas.topics import MATCHES
from streams.reach import require_topics
from streams.settings import Settings

NARROWEST, WIDEST = 12, 36  # an id's column


def read_event(value: bytes) -> Match | MatchesWithdrawn | None:
    """None for a type this version does not know."""
    kind = orjson.loads(value)["type"]
    if kind == "matches_withdrawn":
        return MatchesWithdrawn.model_validate_json(value)
    return Match.model_validate_json(value) if kind == "match" else None


def why(match: Match) -> Iterator[str]:
    reasons = match.reasons
    if reasons.shared_skills:
        yield "skills " + ", ".join(reasons.shared_skills[:3])
    if reasons.missing_skills:
        yield "missing " + ", ".join(reasons.missing_skills[:2])
    yield f"texts {match.score:.0%} alike"


class Lines:
    """Events as lines of a table; `width` None leaves everything at full length, for pipes."""

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._id = WIDEST if width is None else min(WIDEST, max(NARROWEST, (width - 16) // 4))

    def header(self) -> str:
        return click.style(self._row("confidence", "vacancy", "candidate", "why"), bold=True)

    def line(self, event: Match | MatchesWithdrawn) -> str:
        if isinstance(event, MatchesWithdrawn):
            return click.style(
                self._cut(f"{'withdrawn':<10}  {event.side} {event.entity_id}: {event.reason}"), dim=True
            )
        colour = "green" if event.confidence >= 0.8 else "yellow" if event.confidence >= 0.5 else "red"
        row = self._row(
            f"{event.confidence:>8.0%}", event.vacancy_id, event.candidate_id, "; ".join(why(event))
        )
        return click.style(row[:10], fg=colour) + row[10:]

    def _row(self, confidence: str, vacancy: str, candidate: str, reason: str) -> str:
        return self._cut(f"{confidence:<10}  {self._short(vacancy)}  {self._short(candidate)}  {reason}")

    def _short(self, id: str) -> str:
        shown = id if self._width is None or len(id) <= self._id else id[: self._id - 1] + "…"
        return f"{shown:<{self._id}}"

    def _cut(self, text: str) -> str:
        return text if self._width is None or len(text) <= self._width else text[: self._width - 1] + "…"


async def follow(settings: Settings, *, as_json: bool, from_start: bool, count: int | None) -> None:
    await require_topics(settings)
    consumer = AIOKafkaConsumer(
        MATCHES.name,
        **settings.client(),
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        auto_offset_reset="earliest" if from_start else "latest",
    )
    lines = Lines(shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
    shown = 0
    try:
        await consumer.start()
        click.echo(f"matches on {settings.broker}; Ctrl-C ends", err=True)
        if not as_json:
            click.echo(lines.header())
        while not _reader_left():
            batches = await consumer.getmany(timeout_ms=500)
            for record in (record for batch in batches.values() for record in batch):
                if as_json:
                    click.echo(record.value)
                elif event := read_event(record.value):
                    click.echo(lines.line(event))
                else:
                    continue
                shown += 1
                if shown == count:
                    return
    except BrokenPipeError:  # `| head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        await consumer.stop()


def _reader_left() -> bool:
    """Whether the other end of a pipe is closed; a write would tell, but there may be nothing to write."""
    output = select.poll()
    output.register(sys.stdout, 0)
    return bool(output.poll(0))

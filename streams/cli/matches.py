"""`rolecall tail`: the topic of matches, live. `rolecall matches`: the matches that hold now."""

from collections.abc import Mapping
from datetime import UTC, datetime

import click
from aiokafka import AIOKafkaConsumer

from rolecall.schemas.rollout import Rollout
from rolecall.schemas.topics import MATCHES, ROLLOUTS
from rolecall.streams.cli.console import (
    counted,
    effective_settings,
    explained,
    reader_left,
    terminal_width,
)
from rolecall.streams.cli.table import Lines
from rolecall.streams.cli.titles import TitleReader
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import read_event
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.kafka.read import beginnings, records_to_end
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, as published.")
TITLES = click.option("--titles", is_flag=True, help="Show titles, read from the topics, in place of ids.")


@click.command()
@JSON
@TITLES
@click.option("--from-start", is_flag=True, help="Also show events that are in the topic already.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many events.")
def tail(as_json: bool, titles: bool, from_start: bool, count: int | None) -> None:
    """Show matches and withdrawals as they are published, until Ctrl-C.

    \b
    Examples:  rolecall tail --titles
               rolecall tail --json --from-start | jq -c 'select(.confidence >= 0.9)'
    """
    if as_json and titles:
        raise click.UsageError("--titles is for the table; --json prints events as they were published")
    with explained():
        settings = effective_settings()
        run_interruptibly(
            follow(settings, as_json=as_json, titles=titles, from_start=from_start, count=count)
        )


@click.command()
@JSON
@TITLES
def matches(as_json: bool, titles: bool) -> None:
    """Print the matches that hold now. Reads the topic from start to end and applies the withdrawals.

    `rolecall.MatchState` does the same in a consumer of your own.

    \b
    Example:  rolecall matches --json | jq -r .candidate_id | sort | uniq -c
    """
    if as_json and titles:
        raise click.UsageError("--titles is for the table; --json prints events as they were published")
    with explained():
        run_interruptibly(show(effective_settings(), as_json=as_json, titles=titles))


class Known:
    """From when on the topic tells everything: its broker deletes the oldest records of each partition."""

    def __init__(self, beginnings: Mapping[int, int]) -> None:
        """beginnings: by partition, the first offset that is still there."""
        self._cut = {partition for partition, offset in beginnings.items() if offset > 0}
        self._first: dict[int, int] = {}  # timestamps of the first records

    def take(self, partition: int, timestamp_ms: int) -> None:
        self._first.setdefault(partition, timestamp_ms)

    def since(self) -> str | None:
        """None if nothing was deleted. Now, if a partition has lost every record."""
        if not self._cut:
            return None
        if any(partition not in self._first for partition in self._cut):
            return "now"
        latest = max(self._first[partition] for partition in self._cut)
        return datetime.fromtimestamp(latest / 1000, UTC).isoformat(timespec="seconds")


async def follow(
    settings: Settings, *, as_json: bool, titles: bool, from_start: bool, count: int | None
) -> None:
    await require_topics(settings)
    consumer = AIOKafkaConsumer(
        MATCHES.name,
        **settings.reader(),
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        auto_offset_reset="earliest" if from_start else "latest",
    )
    shown = 0
    try:
        await consumer.start()
        async with TitleReader.of(settings if titles else None) as reader:
            lines = Lines(terminal_width(), reader.titles)
            click.echo(f"matches on {settings.broker}; Ctrl-C ends", err=True)
            if not as_json:
                click.echo(lines.header())
            while not reader_left():
                batches = await consumer.getmany(timeout_ms=500)
                await reader.refresh()
                for record in (record for batch in batches.values() for record in batch):
                    if as_json:
                        click.echo(record.value.decode())
                    elif event := read_event(record.value):
                        click.echo(lines.line(event))
                    else:
                        continue
                    shown += 1
                    if shown == count:
                        return
    finally:
        await consumer.stop()


async def current_state(settings: Settings, known: Known | None = None) -> MatchState:
    """Reads both topics to their current ends. Rollouts come first: they say which model's matches count."""
    state = MatchState()
    async for record in records_to_end(settings, ROLLOUTS.name):
        if record.value is not None:
            state.apply(Rollout.model_validate_json(record.value))
    async for record in records_to_end(settings, MATCHES.name):
        if known is not None:
            known.take(record.partition, record.timestamp)
        if event := read_event(record.value):
            state.apply(event)
    return state


async def show(settings: Settings, *, as_json: bool, titles: bool) -> None:
    await require_topics(settings)
    known = Known(await beginnings(settings, MATCHES.name))
    held = (await current_state(settings, known)).matches()
    async with TitleReader.of(settings if titles else None) as reader:
        lines = Lines(terminal_width(), reader.titles)
        if not as_json:
            click.echo(lines.header())
        for match in held:
            click.echo(match.model_dump_json() if as_json else lines.line(match))
    holds = "holds" if len(held) == 1 else "hold"
    click.echo(f"{counted(len(held), 'match', 'matches')} {holds} on {settings.broker}", err=True)
    if since := known.since():
        click.echo(
            f"known since {since}: the broker has deleted what {MATCHES.name} held before, so older matches "
            "may hold that are not listed. A consumer that stores its own state knows them",
            err=True,
        )

"""`rolecall feedback`: publish feedback on matches to its topic, and export it from there."""

import asyncio
from collections import Counter
from pathlib import Path

import click
from pydantic import ValidationError

from rolecall.schemas.broker.reading import TopicError
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.training.feedback import snapshot, verdicts

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def feedback() -> None:
    """Feedback on matches: publish, export."""


@feedback.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
def publish(files: tuple[Path, ...]) -> None:
    """Write FILES to the topic `feedback`: JSONL, or Parquet if the name ends in .parquet.

    One event a line (docs/contracts.md). All lines are read first: if one is no feedback, nothing is
    published. It is safe to publish a file again, because an event counts once.
    """
    try:
        events = [event for file in files for event in verdicts.read_strictly(file)]
        asyncio.run(verdicts.publish(broker_settings(), events))
    except (TopicError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{numbered(len(events), 'event')} published")


@feedback.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def export(out: Path) -> None:
    """Write the feedback topic, from its start to its end, to OUT: JSONL, or Parquet if it ends in .parquet.

    Events are sorted by time, each once. Each has the rank of its match, because the topic `matches` keeps
    the rank for a week only. A line holds ids and no text: `rolecall retrain --feedback OUT` reads the texts
    from the topics. The topics have no text of an erased person.
    """
    try:
        received = asyncio.run(verdicts.read(broker_settings()))
    except TopicError as error:
        raise click.ClickException(str(error)) from error
    snapshot.write(out, received.events)
    click.echo(f"{numbered(len(received.events), 'event')} in {out}{counted(received.dropped)}")


def broker_settings() -> BrokerSettings:
    try:
        return BrokerSettings()
    except ValidationError as error:
        named = (
            "".join(f"ROLECALL_{field}: " for field in each["loc"]).upper()
            + each["msg"].removeprefix("Value error, ")
            for each in error.errors()
        )
        raise click.ClickException("\n".join(named)) from error


def numbered(number: int, noun: str) -> str:
    """`1 pair`, `2,000 pairs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counted(dropped: Counter[str]) -> str:
    parts = [f"{number:,} {reason}" for reason, number in sorted(dropped.items())]
    return f"; dropped: {', '.join(parts)}" if parts else ""

"""`rolecall feedback`: what came back on matches, as a file."""

import asyncio
import os
from collections import Counter
from pathlib import Path

import click

from training import verdicts
from training.topics import TopicError

BROKER = click.option(
    "--broker", default=lambda: os.environ.get("ROLECALL_BROKER", "127.0.0.1:9092"),
    help="Kafka bootstrap servers; ROLECALL_BROKER if not given.",
)  # fmt: skip


@click.group()
def feedback() -> None:
    """Feedback on matches."""


@feedback.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@BROKER
def export(out: Path, broker: str) -> None:
    """Write the feedback topic, from its start to its end, to OUT as JSONL.

    Events stand in the order of time, each once, with the rank of their match: the topic `matches` keeps that
    for a week only. A line holds ids, no text: `rolecall retrain --feedback OUT` takes the texts from the
    topics, and of those who have been erased there are none.
    """
    try:
        received = asyncio.run(verdicts.read(broker))
    except TopicError as error:
        raise click.ClickException(str(error)) from error
    lines = [event.model_dump_json(exclude_none=True) + "\n" for event in received.events]
    out.write_text("".join(lines), encoding="utf-8")
    click.echo(f"{len(lines):,} events in {out}{counted(received.dropped)}")


def counted(dropped: Counter[str]) -> str:
    parts = [f"{number:,} {reason}" for reason, number in sorted(dropped.items())]
    return f"; dropped: {', '.join(parts)}" if parts else ""

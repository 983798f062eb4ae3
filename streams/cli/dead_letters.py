"""The command group `rolecall dead-letters`."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from rolecall.schemas.dead_letter import Stage
from rolecall.streams.cli.console import FAILED, counted, effective_settings, explained, fail
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.kafka import dead_letters as letters
from rolecall.streams.kafka.dead_letters import Filter, Letter

OPTIONS = (
    click.option("--topic", help="Only records of this topic."),
    click.option("--stage", type=click.Choice(["receive", "encode", "upsert", "search", "match"]),
                 help="Only records that failed in this stage."),
    click.option("--exception", metavar="NAME", help="Only records that failed with this exception."),
    click.option("--key", help="Only records of this id."),
    click.option("--since", type=click.DateTime(), help="Only records that failed since this time (UTC)."),
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line, without the record.")


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group("dead-letters")
def dead_letters() -> None:
    """Records that could not be processed: list, show, replay."""


@dead_letters.command("list")
@filtered
@JSON
def list_letters(as_json: bool, **filters: Any) -> None:
    """Print the place, the key and the cause of each record, oldest first.

    \b
    Example:  rolecall dead-letters list --topic vacancies --since 2026-11-20
    """
    found = _found(_filter(**filters))
    for letter in found:
        click.echo(json.dumps(_fields(letter)) if as_json else _line(letter))
    click.echo(counted(len(found), "dead letter"), err=True)


@dead_letters.command()
@click.argument("place")
def show(place: str) -> None:
    """Print everything that is known about the record at PLACE (topic/partition/offset), and its bytes."""
    found = _found(_filter(places=(place,)))
    if not found:
        fail(f"no dead letter of {place}; `rolecall dead-letters list` prints all", FAILED)
    letter = found[-1]
    for name, value in _fields(letter).items():
        click.echo(f"{click.style(name, dim=True)}  {value}", err=True)
    value = b"" if letter.value is None else letter.value + b"\n"
    if sys.stdout.isatty():
        click.echo(value.decode(errors="backslashreplace"), nl=False)
    else:
        click.get_binary_stream("stdout").write(value)


@dead_letters.command()
@click.argument("places", nargs=-1, metavar="[PLACE]...")
@filtered
@click.option("--all", "everything", is_flag=True, help="Replay all; use it without a place or a filter.")
def replay(places: tuple[str, ...], everything: bool, **filters: Any) -> None:
    """Publish records again after their cause is fixed: same bytes, key, time and partition.

    Skips records that a later record of the same id has overtaken, and records that were replayed before. So
    it is safe to run this again. A record that still cannot be processed becomes a dead letter again.

    \b
    Example:  rolecall dead-letters replay --stage encode --exception RuntimeError
    """
    if not (everything or places or any(filters.values())):
        raise click.UsageError("say which: a PLACE, a filter, or --all")
    with explained():
        result = run_interruptibly(letters.replay(effective_settings(), _filter(places=places, **filters)))
    for letter in result.unsendable:
        click.echo(
            f"{letter.place}: skipped, not a topic of rolecall, cut because it was too large, or an erasure "
            "without its time",
            err=True,
        )
    for letter in result.overtaken:
        click.echo(f"{letter.place}: overtaken by a later record of {letter.name}", err=True)
    for letter in result.too_old:
        click.echo(
            f"{letter.place}: skipped, it died on {letter.died_at:%Y-%m-%d}, and {letter.name} may have been "
            "erased since; publish its state anew if it is still true",
            err=True,
        )
    click.echo(f"{len(result.published):,} published again, {len(result.overtaken):,} overtaken")


def _found(which: Filter) -> list[Letter]:
    async def read() -> list[Letter]:
        return [letter async for letter in letters.letters(effective_settings(), which)]

    with explained():
        return run_interruptibly(read())


def _filter(*, stage: str | None = None, since: datetime | None = None, **others: Any) -> Filter:
    return Filter(
        stage=None if stage is None else Stage(stage),
        since=None if since is None else since.replace(tzinfo=UTC),
        **others,
    )


def _fields(letter: Letter) -> dict[str, Any]:
    about = letter.about.model_dump(mode="json", exclude={"topic", "partition", "offset"})
    size = None if letter.value is None else len(letter.value)
    return {"place": letter.place, "key": letter.name, "bytes": size, **about,
            "died_at": letter.died_at.isoformat()}  # fmt: skip


def _line(letter: Letter) -> str:
    about = letter.about
    cause = f"{about.exception}: {about.message.splitlines()[0] if about.message else ''}"
    return f"{letter.died_at:%Y-%m-%d %H:%M:%S}  {letter.place}  {letter.name}  {about.stage}  {cause}"

"""The commands `rolecall rollout` and `rolecall rebuild`."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from streams.console import FAILED, effective_settings, explained, fail

if TYPE_CHECKING:
    from streams.rollout import Desk

T = TypeVar("T")


@click.group()
def rollout() -> None:
    """Replace the model without a gap: start, status, report, switch, rollback, drop.

    \b
    rolecall rollout start models/new
    ROLECALL_MODEL=models/new rolecall worker     in another shell: builds, and keeps up
    rolecall rollout report                       how its matches differ
    rolecall rollout switch                       when it has; rollback takes it back
    rolecall rollout drop                         the old one
    """


@rollout.command()
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
def start(model: Path) -> None:
    """Let workers with MODEL build an index beside the live one.

    They read the topics from the start, then follow them. Their matches go to a topic that nobody counts.
    """
    from streams.rollout import start

    fresh = _run(lambda desk: start(desk, model))
    click.echo(f"next: {fresh.model_version}, generation {fresh.generation}")
    click.echo(f"now run workers with it: ROLECALL_MODEL={model} rolecall worker", err=True)


@rollout.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(as_json: bool) -> None:
    """Show what is live, what stands by and what is being built, with workers and lag."""
    from streams.rollout import status

    found = _run(status)
    if as_json:
        click.echo(json.dumps(found))
        return
    for role, each in found.items():
        click.echo(
            f"{role:<8}  {each['model_version']}  generation {each['generation']}"
            f"  {each['workers']} workers  {each['lag']:,} events behind"
        )


@rollout.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def report(as_json: bool) -> None:
    """Compare the matches of the model beside with the live one's: lists, confidence, time.

    Before the switch and after it, of all that holds now.
    """
    from streams.rollout_report import lines, report

    found = _run(report)
    click.echo(json.dumps(found) if as_json else "\n".join(lines(found)))


@rollout.command()
def switch() -> None:
    """Let the newer model's matches count, once it has caught up.

    Its matches so far are published first, so nothing is missing at any moment. The older model goes on
    beside it, for `rollback`. Interrupted, it may be run again.
    """
    from streams.rollout import switch

    done = _run(lambda desk: switch(desk, _say))
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


@rollout.command()
def rollback() -> None:
    """Let the older model's matches count again, at once."""
    from streams.rollout import roll_back

    done = _run(roll_back)
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


@rollout.command()
def drop() -> None:
    """Remove the deployment that is not live: stop its workers, delete its collections.

    Its workers stop by themselves; those that have another model than the live one then refuse to start.
    """
    from streams.rollout import drop

    gone = _run(lambda desk: drop(desk, _say))
    click.echo(f"dropped: {gone.model_version}, generation {gone.generation}")


@click.command()
def rebuild() -> None:
    """Make the live model's index anew from the topics, and switch to it.

    For an index that was lost or damaged. Runs a worker of its own until done; further ones with `rolecall
    worker --newest` make it faster. The workers that run move to the new index by themselves.
    """
    from streams.rollout import rebuild

    done = _run(lambda desk: rebuild(desk, _say))
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _run(command: Callable[["Desk"], Awaitable[T]]) -> T:
    from encoder.artifact import ArtifactError
    from streams.deployment import RolloutRefused
    from streams.index import IndexMismatch, IndexUnavailable
    from streams.patience import GaveUp
    from streams.rollout import desk

    async def run() -> T:
        async with desk(effective_settings()) as at:
            return await command(at)

    with explained():
        try:
            return asyncio.run(run())
        except (ArtifactError, GaveUp, IndexMismatch, IndexUnavailable, RolloutRefused) as error:
            fail(str(error), FAILED)

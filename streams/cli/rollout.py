"""The commands `rolecall rollout` and `rolecall rebuild`."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import click

from rolecall.encoder.model import Encoder
from rolecall.streams.cli.console import counted, effective_settings, explained
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.rollout import founding
from rolecall.streams.rollout import report as reporting
from rolecall.streams.rollout import switch as steps
from rolecall.streams.rollout.report import Figures
from rolecall.streams.rollout.switch import RolloutSession

T = TypeVar("T")


@click.group()
def rollout() -> None:
    """Replace the model without a gap: start, status, report, switch, rollback, drop.

    \b
    rolecall rollout start models/new
    ROLECALL_MODEL=models/new rolecall worker     in another shell: builds the new index
    rolecall rollout report                       shows how its matches differ
    rolecall rollout switch                       once it has caught up; rollback undoes it
    rolecall rollout drop                         removes the old model's index
    """


@rollout.command()
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--despite-gate", metavar="REASON",
              help="Build a model that the gate kept back; the reason is recorded.")  # fmt: skip
def start(model: Path, despite_gate: str | None) -> None:
    """Let workers with MODEL build an index beside the live one.

    They read the topics from the start, then follow them. Until the switch, their matches go to a topic of
    their own, so they do not count.
    """
    fresh = _run(lambda at: steps.start(at, model, despite_gate=despite_gate))
    click.echo(f"next: {fresh.model_version}, generation {fresh.generation}")
    click.echo(f"now run workers with it: ROLECALL_MODEL={model} rolecall worker", err=True)


@rollout.command()
@click.option("--generation", type=click.IntRange(min=0), required=True, help="The one that is live.")
def found(generation: int) -> None:
    """Write the record of the live deployment again, after the topic `rollouts` has lost it.

    Workers then serve the index of ROLECALL_MODEL with this generation.
    """
    done = _run(lambda at: founding.found(at, Encoder.load(at.settings.model).version, generation))
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


@rollout.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status(as_json: bool) -> None:
    """Show the deployments (live, standing by, being built), with their workers and lag."""
    found = _run(steps.status)
    if as_json:
        click.echo(json.dumps(found))
        return
    for role, each in found.items():
        click.echo(
            f"{role:<8}  {each['model_version']}  generation {each['generation']}"
            f"  {counted(each['workers'], 'worker')}  {counted(each['lag'], 'event')} behind"
            + (f"  despite the gate: {each['despite_gate']}" if each["despite_gate"] else "")
        )


@rollout.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def report(as_json: bool) -> None:
    """Compare the other model's matches with the live model's: lists, confidence, time.

    Works before and after the switch. Compares all matches that hold now.
    """
    found = _run(reporting.report)
    click.echo(json.dumps(found) if as_json else "\n".join(lines(found)))


@rollout.command()
def switch() -> None:
    """Let the newer model's matches count, once it has caught up.

    First publishes the matches that it has found so far, so that no match is missing at any moment. The older
    model keeps running, so that `rollback` is possible. If this command is interrupted, run it again.
    """
    done = _run(lambda at: steps.switch(at, _say))
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


@rollout.command()
def rollback() -> None:
    """Let the older model's matches count again, at once."""
    done = _run(steps.roll_back)
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


@rollout.command()
def drop() -> None:
    """Remove the deployment that is not live: stop its workers, delete its collections.

    Its workers stop by themselves. After that, workers start with the live model only.
    """
    gone = _run(lambda at: steps.drop(at, _say))
    click.echo(f"dropped: {gone.model_version}, generation {gone.generation}")


@click.command()
@click.option("--yes", is_flag=True, help="Also if the new index holds far less than the live one.")
def rebuild(yes: bool) -> None:
    """Build the live model's index again from the topics, and switch to it.

    Use it if the index was lost or damaged. It runs a worker of its own until the index is built. Start more
    with `rolecall worker --newest` to build faster. Running workers move to the new index by themselves.
    """
    done = _run(lambda at: steps.rebuild(at, _say, yes=yes))
    click.echo(f"live: {done.live.model_version}, generation {done.live.generation}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _run(command: Callable[[RolloutSession], Awaitable[T]]) -> T:
    async def run() -> T:
        async with steps.session(effective_settings()) as at:
            return await command(at)

    with explained():
        return run_interruptibly(run())


def lines(found: Figures) -> Iterator[str]:
    pairs, shift = found["pairs"], found["confidence_shift"]
    yield f"{'':24}{'live':>12}{'other':>12}"
    yield f"{'model':24}{found['live']['model_version']:>12}{found['other']['model_version']:>12}"
    yield f"{'pairs':24}{pairs['live']:>12,}{pairs['other']:>12,}   both: {pairs['both']:,}"
    yield _row("mean confidence", found["confidence"], ".3f")
    for name, title in (("p50", "batch to match, p50 ms"), ("p99", "batch to match, p99 ms")):
        yield _row(title, {who: figures[name] for who, figures in found["latency_ms"].items()}, ".0f")
    yield f"overlap@{found['k']} of {found['lists']:,} lists: {_shown(found['overlap_at_k'], '.1%')}"
    yield "change in confidence of pairs that both match: " + ", ".join(
        f"{name} {_shown(value, '+.3f')}" for name, value in shift.items()
    )


def _row(title: str, figures: Mapping[str, float | None], form: str) -> str:
    return f"{title:24}{_shown(figures['live'], form):>12}{_shown(figures['other'], form):>12}"


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)

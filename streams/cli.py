"""The command line: `rolecall`. Each command imports what it needs itself, so that help is instant."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import click

from streams.console import FAILED, Sections, effective_settings, explained, fail, forward
from streams.dead_letters_cli import dead_letters
from streams.define_cli import occupations, rules
from streams.rollout_cli import rebuild, rollout

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=Sections, context_settings=CONTEXT)
@click.version_option(package_name="rolecall", message="%(prog)s %(version)s")
def main() -> None:
    """Match vacancies and candidates as they are published.

    Vacancies and candidates come in on Kafka topics; every pair that fits goes out on another, with a
    confidence and the reasons.

    \b
    First:       rolecall demo               15 seconds, leaves nothing behind
    Then:        rolecall up                 a stack to play with, in one command
                 rolecall publish jobs.jsonl people.jsonl
                 rolecall tail
    Production:  rolecall topics create      once
                 rolecall worker             up to one a partition

    Settings are environment variables, ROLECALL_…, or lines in .env; `rolecall settings` lists them.

    \b
    Exit codes:  0    done
                 1    tried, and failed
                 2    wrong usage or settings, or the broker is not there
                 130  interrupted with Ctrl-C
    """


@main.command()
@click.option("--vacancies", type=click.IntRange(min=1), default=150, show_default=True)
@click.option("--candidates", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="Of the made-up sample.")
def demo(vacancies: int, candidates: int, seed: int) -> None:
    """Match a made-up sample live, on a stack of its own, and stop.

    Starts broker, index and worker on this machine, publishes the sample at 100 events/s, shows matches as
    they are found, and ends with a summary. Nothing is left behind. Exits with 1 if the worker fails, or
    finds nothing.
    """
    from streams.demo import DemoFailed, run_demo

    with explained():
        try:
            run_demo(vacancies=vacancies, candidates=candidates, seed=seed)
        except DemoFailed as error:
            fail(str(error), FAILED)


@main.command()
@click.option("--directory", type=click.Path(path_type=Path), default=Path(".rolecall"), show_default=True,
              help="Where the index is kept.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=9092, show_default=True,
              help="Port of the broker on loopback.")  # fmt: skip
@click.option("--redis", is_flag=True, help="Start Redis too, as embedding cache.")
def up(directory: Path, port: int, redis: bool) -> None:
    """Start broker, index and one worker; Ctrl-C stops all.

    Prints what to export in another shell once the worker consumes. For evaluation: the broker keeps its
    topics in memory, and they are gone when it stops; the index stays in --directory.

    \b
    Example:  rolecall up --port 19092
    """
    from streams.up import run_up

    with explained():
        code = run_up(directory, port, redis=redis)
        if code:
            fail(f"the worker ended with exit code {code}; its log is above", FAILED)


@main.group()
def topics() -> None:
    """Create the topics on the broker: topics create."""


@topics.command("create")
@click.option("--replication", type=click.IntRange(min=1), default=1, show_default=True,
              help="Copies of each topic; 3 on a cluster.")  # fmt: skip
def topics_create(replication: int) -> None:
    """Create the topics that are missing, with their partitions and retention.

    Topics that exist stay as they are; run it as often as you like.
    """
    from streams.reach import missing_topics
    from streams.topics import create_topics

    settings = effective_settings()

    async def create() -> list[str]:
        missing = await missing_topics(settings)
        return await create_topics(settings, replication=replication) if missing else []

    with explained():
        created = asyncio.run(create())
        click.echo(f"created: {', '.join(created)}" if created else "all topics exist")


@main.command()
@click.option("--newest", is_flag=True, help="Of two indexes of the model, build the newer.")
def worker(newest: bool) -> None:
    """Run one worker until SIGTERM or Ctrl-C.

    Several workers share the partitions of the input topics. Nothing is lost when one dies: what it had not
    finished goes to the others. A worker with another model than the live one belongs to a rollout.

    Exits with 1 when a dependency stays away (see ROLECALL_RETRY_SECONDS), so that a supervisor restarts it;
    with 2, at once, when model, index or settings do not go together.
    """
    from aiokafka.errors import KafkaError

    from encoder.artifact import ArtifactError
    from streams import logs
    from streams.app import serve
    from streams.deployment import NotDeployed
    from streams.health import PortUnavailable
    from streams.index import IndexMismatch
    from streams.patience import GaveUp

    settings = effective_settings()
    logs.configure(settings.log_format, settings.log_level)
    try:
        moves = asyncio.run(serve(settings, newest=newest))
    except (NotDeployed, PortUnavailable) as error:
        fail(str(error))
    except GaveUp as error:
        fail(f"{error} (`rolecall doctor` checks every part)", FAILED)
    except (ArtifactError, IndexMismatch, KafkaError) as error:
        fail(f"{error} (`rolecall doctor` checks every part)")
    if moves:  # to what is live now, with all that Faust keeps of one group left behind
        os.execv(sys.executable, sys.orig_argv)


@main.command()
def doctor() -> None:
    """Check every part, and say how to mend what is wrong.

    Model, broker, topics, clock, lag, index, Redis, misspelt settings. Exits with 1 if something is wrong
    that a worker needs; a warning is not.
    """
    from streams.doctor import show

    with explained():
        raise SystemExit(0 if asyncio.run(show(effective_settings())) else FAILED)


@main.command()
def settings() -> None:
    """Print the effective settings as lines for .env, secrets hidden."""
    from streams.settings import Settings

    for name, value in effective_settings().model_dump(mode="json").items():
        if description := Settings.model_fields[name].description:
            click.echo(click.style(f"# {description}", dim=True))
        shown = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        click.echo(f"ROLECALL_{name.upper()}={shown}")


@main.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--side", type=click.Choice(["vacancy", "candidate"]),
              help="What the records are, where their fields do not tell.")  # fmt: skip
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN",
              help="CSV: which column (or {template}) fills which field; repeat it.")  # fmt: skip
@click.option("--map-file", type=FILE, help="CSV: a file of such mappings, one a line.")
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), default=Path("rejects.jsonl"),
              show_default=True, help="Where unreadable records go, with reasons; overwritten.")  # fmt: skip
def publish(
    files: tuple[Path, ...], side: str | None, mapping: tuple[str, ...], map_file: Path | None, rejects: Path
) -> None:
    """Publish vacancies and candidates from FILES.

    \b
    Formats, told by the content (docs/feeds.md):
      JSONL of the rolecall contracts     {"id": …, "occurred_at": …, "title": …}
      schema.org JobPosting               JSON, JSON-LD graph or JSONL
      JSON Resume                         JSON or JSONL; contact data is left out
      CSV                                 columns named after fields, or --map

    \b
    Examples:  rolecall publish jobs.jsonl people.jsonl
               rolecall publish jobs.csv --map id=jobId --map title='Job Title' --map occurred_at=posted

    A record that cannot be read stops nothing: it goes to --rejects with its reason. Exits with 1 if nothing
    at all could be published. Publishing a file again is safe.
    """
    from streams.feed_csv import parse_mapping
    from streams.publish_files import Count, publish_files

    count, started = Count(), time.monotonic()
    with explained():
        pairs = [*(map_file.read_text().splitlines() if map_file else ()), *mapping]
        try:
            columns = parse_mapping(pairs) if pairs else None
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        work = publish_files(
            effective_settings(), files, side=side, mapping=columns, rejects=rejects, count=count
        )
        try:
            asyncio.run(work)
        finally:
            for line in count.lines(time.monotonic() - started, rejects):
                click.echo(line, err=True)
        raise SystemExit(0 if count.published else FAILED)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as published.")
@click.option("--from-start", is_flag=True, help="Also what is in the topic already.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
def tail(as_json: bool, from_start: bool, count: int | None) -> None:
    """Show matches and withdrawals as they are published, until Ctrl-C.

    \b
    Examples:  rolecall tail
               rolecall tail --json --from-start | jq -c 'select(.confidence >= 0.9)'
    """
    from streams.tail import follow

    with explained(interrupted=0):
        asyncio.run(follow(effective_settings(), as_json=as_json, from_start=from_start, count=count))


@main.command()
@click.option("--state", is_flag=True, required=True, help="The current set, from the topic alone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as published.")
def matches(state: bool, as_json: bool) -> None:
    """Print the matches that hold now: the topic read from its start to its end, withdrawals applied.

    `streams/state.py` is the code to copy for a consumer of your own.

    \b
    Example:  rolecall matches --state --json | jq -r .candidate_id | sort | uniq -c
    """
    from streams.state import show

    with explained():
        asyncio.run(show(effective_settings(), as_json=as_json))


@main.command()
@click.argument("vacancy")
@click.argument("candidate")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(vacancy: str, candidate: str, as_json: bool) -> None:
    """Say why VACANCY and CANDIDATE match, or what stands in the way.

    By what the index holds of the two ids now, and by this machine's settings: score, confidence, every rule
    with what it compares, skills, and the model's features. Exits with 1 if one of the two is not there.

    \b
    Example:  rolecall explain acme-4711 c-2
    """
    from encoder.artifact import ArtifactError
    from streams.explain import Unexplainable, show
    from streams.index import IndexMismatch, IndexUnavailable

    with explained():
        try:
            asyncio.run(show(effective_settings(), vacancy, candidate, as_json=as_json))
        except (Unexplainable, ArtifactError, IndexMismatch, IndexUnavailable) as error:
            fail(str(error), FAILED)


@main.command()
@click.option("--documents", type=click.IntRange(min=1), default=10_000, show_default=True,
              help="At most so many of each side, the newest.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def drift(documents: int, as_json: bool) -> None:
    """Compare the newest vacancies and candidates with what the model was trained on.

    The population stability index of the features and of the certainty, and the share far from every
    reference occupation; docs/rollout.md says from where on to retrain. Exits with 1 where the model has no
    reference.
    """
    from encoder.artifact import ArtifactError
    from streams import drift_report
    from streams.index import IndexMismatch, IndexUnavailable

    with explained():
        try:
            found = asyncio.run(drift_report.drift_report(effective_settings(), documents))
        except (ArtifactError, IndexMismatch, IndexUnavailable, drift_report.NoReference) as error:
            fail(str(error), FAILED)
        click.echo(
            json.dumps(drift_report.as_json(found)) if as_json else "\n".join(drift_report.lines(found))
        )


main.add_command(dead_letters)
main.add_command(rules)
main.add_command(occupations)
main.add_command(rollout)
main.add_command(rebuild)
main.add_command(forward("train", "Train a model from occupation data (rolecall[training])."))
main.add_command(forward("evaluate", "Judge a model on held-out data (rolecall[training])."))
main.add_command(forward("retrain", "Train a model further from feedback (rolecall[training])."))
main.add_command(forward("audit", "Compare groups and gendered titles (rolecall[training])."))
main.add_command(forward("feedback", "Export feedback on matches: feedback export (rolecall[training])."))


if __name__ == "__main__":
    main()

"""The command line: `rolecall`."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from streams import logs
from streams.settings import Settings

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(package_name="rolecall")
def main() -> None:
    """Match vacancies and candidates as they are published.

    \b
    Try it:            rolecall demo
    A stack to play:   rolecall up          (broker, index and worker in one command)
                       rolecall publish jobs.jsonl people.jsonl
                       rolecall tail
    In production:     rolecall topics create, then rolecall worker (as many as partitions)

    Every setting is an environment variable, ROLECALL_…; `rolecall settings` lists them.
    """


@main.command()
def worker() -> None:
    """Run one worker until SIGTERM or Ctrl-C.

    Several workers share the partitions of the input topics. Nothing is lost when one dies: what it had not
    finished goes to the others.
    """
    from aiokafka.errors import KafkaError

    from encoder.artifact import ArtifactError
    from streams.app import serve
    from streams.index import IndexMismatch, IndexUnavailable

    settings = _settings()
    logs.configure(settings.log_format, settings.log_level)
    try:
        asyncio.run(serve(settings))
    except (ArtifactError, IndexMismatch, IndexUnavailable, KafkaError) as error:
        _fail(f"{error} (`rolecall doctor` checks every part)")


@main.command()
@click.option("--directory", type=click.Path(path_type=Path), default=Path(".rolecall"), show_default=True,
              help="Where the index is kept.")  # fmt: skip
@click.option("--port", type=int, default=9092, show_default=True, help="Port of the broker on loopback.")
@click.option("--redis", is_flag=True, help="Start Redis too, as embedding cache.")
def up(directory: Path, port: int, redis: bool) -> None:
    """Start the embedded stack: broker, index and one worker. Ctrl-C stops all.

    For evaluation. The broker keeps its topics in memory; they are gone when it stops.
    """
    from streams.embedded import EmbeddedUnavailable, embedded_stack, worker

    try:
        with embedded_stack(directory, redis=redis, broker_port=port) as stack:
            for name, value in stack.environment().items():
                click.echo(f"{name}={value}")
            click.echo(f"\nPublish with: ROLECALL_BROKER={stack.broker} rolecall publish FILE…", err=True)
            with worker(stack.environment(), stderr=sys.stderr.fileno()) as process:
                code = process.wait()
                raise SystemExit(code)
    except EmbeddedUnavailable as error:
        _fail(str(error))
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


@main.command()
@click.argument("files", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--side", type=click.Choice(["vacancy", "candidate"]),
              help="What the records are, where their fields do not tell.")  # fmt: skip
@click.option("--map-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="CSV: a file of such mappings, one a line.")  # fmt: skip
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN",
              help="CSV: which column (or {template}) fills which field; repeat it.")  # fmt: skip
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), default=Path("rejects.jsonl"),
              show_default=True, help="Where unreadable records go, with reasons.")  # fmt: skip
def publish(
    files: tuple[Path, ...], side: str | None, mapping: tuple[str, ...], map_file: Path | None, rejects: Path
) -> None:
    """Publish vacancies and candidates from FILES.

    \b
    Formats, told by the content:
      JSONL of the rolecall contracts     {"id": …, "occurred_at": …, "title": …}
      schema.org JobPosting               JSON, JSON-LD graph or JSONL
      JSON Resume                         JSON or JSONL; contact data is left out
      CSV                                 with --map, see docs/feeds.md
    """
    from streams.feed_csv import parse_mapping
    from streams.publish_files import publish_files

    pairs = [*(map_file.read_text().splitlines() if map_file else ()), *mapping]
    try:
        columns = parse_mapping(pairs) if pairs else None
    except ValueError as error:
        _fail(str(error))
    published, rejected = asyncio.run(publish_files(_settings(), files, side, columns, rejects))
    click.echo(f"{published:,} published, {rejected:,} rejected", err=True)
    if rejected:
        click.echo(f"rejects and reasons: {rejects}", err=True)
        raise SystemExit(1 if not published else 0)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as published.")
@click.option("--from-start", is_flag=True, help="Also what is in the topic already.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
def tail(as_json: bool, from_start: bool, count: int | None) -> None:
    """Show matches and withdrawals as they are published."""
    from streams.tail import follow

    try:
        asyncio.run(follow(_settings(), as_json=as_json, from_start=from_start, count=count))
    except KeyboardInterrupt:
        click.echo("", err=True)


@main.group()
def topics() -> None:
    """Look after the topics on the broker."""


@topics.command("create")
@click.option("--replication", type=click.IntRange(min=1), default=1, show_default=True)
def topics_create(replication: int) -> None:
    """Create the topics that are missing, with their partitions and retention."""
    from aiokafka.errors import KafkaError

    from streams.topics import create_topics

    settings = _settings()
    try:
        created = asyncio.run(create_topics(settings.broker, replication=replication))
    except KafkaError as error:
        _fail(f"broker {settings.broker}: {error}")
    click.echo(f"created: {', '.join(created)}" if created else "all topics exist")


@main.command()
def doctor() -> None:
    """Check broker, topics, index, Redis, model and clock, and say how to mend what is wrong."""
    from streams.doctor import diagnose

    findings = asyncio.run(diagnose(_settings()))
    for finding in findings:
        failed = ("FAIL", "red") if finding.required else ("warn", "yellow")
        word, colour = ("ok  ", "green") if finding.healthy else failed
        mark = click.style(word, fg=colour)
        click.echo(f"{mark}  {finding.part:<8} {finding.state}")
        if finding.remedy:
            click.echo(f"      {'':<8} → {finding.remedy}")
    if not all(finding.healthy for finding in findings if finding.required):
        raise SystemExit(1)


@main.command()
def settings() -> None:
    """Print the effective settings, as environment variables, secrets hidden."""
    for name, value in _settings().model_dump(mode="json").items():
        click.echo(f"ROLECALL_{name.upper()}={'' if value is None else value}")


@main.command()
@click.option("--vacancies", type=click.IntRange(min=1), default=150, show_default=True)
@click.option("--candidates", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
def demo(vacancies: int, candidates: int, seed: int) -> None:
    """Start the embedded stack, publish a sample, match it live, show what was found, and stop."""
    from streams.demo import run_demo
    from streams.embedded import EmbeddedUnavailable

    try:
        run_demo(vacancies=vacancies, candidates=candidates, seed=seed, now=datetime.now(UTC))
    except EmbeddedUnavailable as error:
        _fail(str(error))


def _forward(name: str) -> click.Command:
    """Training is a package of its own, which the worker never imports."""

    def run() -> None:
        arguments = click.get_current_context().args
        os.execv(sys.executable, [sys.executable, "-m", "training", name, *arguments])

    return click.Command(
        name,
        callback=run,
        help=f"See `rolecall {name} --help`; needs rolecall[training].",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


main.add_command(_forward("train"))
main.add_command(_forward("evaluate"))


def _settings() -> Settings:
    from pydantic import ValidationError

    try:
        return Settings()
    except ValidationError as error:
        lines = [f"ROLECALL_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
        _fail("\n".join(lines))


def _fail(message: str) -> NoReturn:
    click.echo(f"rolecall: {message}", err=True)
    raise SystemExit(2)


if __name__ == "__main__":
    main()

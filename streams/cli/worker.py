"""`rolecall worker`, `rolecall topics create` and `rolecall settings`."""

import asyncio
import json
import os
import sys

import click
from aiokafka.errors import KafkaError

from rolecall.schemas.errors import RolecallError
from rolecall.streams.cli.console import FAILED, INTERRUPTED, effective_settings, explained, fail
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.kafka.topic_settings import Deviation, deviations
from rolecall.streams.kafka.topics import create_topics, missing_topics
from rolecall.streams.settings import Settings


@click.group()
def topics() -> None:
    """Topics on the broker: create."""


@topics.command("create")
@click.option("--replication", type=click.IntRange(min=1), default=1, show_default=True,
              help="Number of copies of each topic; use 3 on a cluster.")  # fmt: skip
def topics_create(replication: int) -> None:
    """Create the topics that are missing, with their partitions and retention.

    Topics that exist stay as they are. Prints which of their settings are wrong, and the command that mends
    each. Exits with 1 if states would get lost. It is safe to run this again.
    """

    async def create(settings: Settings) -> tuple[list[str], list[Deviation]]:
        missing = await missing_topics(settings)
        created = await create_topics(settings, replication=replication) if missing else []
        return created, await deviations(settings)

    with explained():
        created, found = run_interruptibly(create(effective_settings()))
        click.echo(f"created: {', '.join(created)}" if created else "all topics exist")
        for each in found:
            click.echo(f"{each}\n    → {each.remedy}", err=True)
        if any(each.loses_state for each in found):
            raise SystemExit(FAILED)


@click.command()
@click.option("--newest", is_flag=True, help="If the model has two indexes, build the newer one.")
@click.option("--found", is_flag=True, help="Begin at generation 0 even if the index holds points.")
def worker(newest: bool, found: bool) -> None:
    """Run one worker until SIGTERM or Ctrl-C.

    Several workers share the partitions of the input topics. Nothing is lost when one dies: the others take
    over its unfinished events. A worker with another model than the live one belongs to a rollout.

    Exits with 1 if a dependency fails for ROLECALL_RETRY_SECONDS, so that a supervisor starts it again. Exits
    with 2 at once if model, index and settings do not fit together.
    """
    from rolecall.streams.monitor import logs
    from rolecall.streams.worker.serve import Ending, serve

    settings = effective_settings()
    logs.configure(settings.log_format, settings.log_level)
    try:
        ending = asyncio.run(serve(settings, newest=newest, found=found))
    except RolecallError as error:
        fail(f"{error} (`rolecall doctor` checks every part)", error.exit_code)
    except KafkaError as error:
        fail(f"{error} (`rolecall doctor` checks every part)")
    if ending is Ending.DROPPED:  # join the live group in a new process: Faust keeps the state of one group
        os.execv(sys.executable, sys.orig_argv)
    if ending is Ending.INTERRUPTED:
        raise SystemExit(INTERRUPTED)


@click.command()
def settings() -> None:
    """Print the effective settings as lines for .env, secrets hidden."""
    for name, value in effective_settings().model_dump(mode="json").items():
        if description := Settings.model_fields[name].description:
            click.echo(click.style(f"# {description}", dim=True))
        shown = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        click.echo(f"ROLECALL_{name.upper()}={shown}")

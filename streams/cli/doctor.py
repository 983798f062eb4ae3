"""`rolecall doctor`: the findings, one a line."""

import click

from rolecall.streams.cli.console import FAILED, effective_settings, explained
from rolecall.streams.diagnose.doctor import diagnose
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.settings import Settings


@click.command()
def doctor() -> None:
    """Check every part, and say how to fix what is wrong.

    Checks model, broker, topics, keys, clock, lag, index, Redis and misspelt settings. Exits with 1 if a
    check fails that a worker depends on. Warnings do not count.
    """
    with explained():
        raise SystemExit(0 if run_interruptibly(show(effective_settings(tell_unknown=False))) else FAILED)


async def show(settings: Settings) -> bool:
    """Prints each finding as it is made. Returns whether a worker has everything that it needs."""
    well = True
    async for finding in diagnose(settings):
        well = well and (finding.healthy or not finding.required)
        failed = ("FAIL", "red") if finding.required else ("warn", "yellow")
        word, colour = ("ok  ", "green") if finding.healthy else failed
        click.echo(f"{click.style(word, fg=colour)}  {finding.part:<8}  {finding.state}")
        if finding.remedy:
            click.echo(f"{'':16}→ {finding.remedy}")
    return well

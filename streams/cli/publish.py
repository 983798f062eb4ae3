"""`rolecall publish`: from files to topics, with a progress bar."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rolecall.schemas.match import Side
from rolecall.streams.cli.console import FAILED, counted, effective_settings, explained
from rolecall.streams.feeds.csv_table import parse_mapping
from rolecall.streams.feeds.publish import Count, publish_files

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--side", type=click.Choice(["vacancy", "candidate"]),
              help="What the records are, if their fields do not show it.")  # fmt: skip
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
    Formats, detected from the content (docs/feeds.md):
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
    count, started = Count(), time.monotonic()
    with explained():
        pairs = [*(map_file.read_text().splitlines() if map_file else ()), *mapping]
        try:
            columns = parse_mapping(pairs) if pairs else None
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        settings = effective_settings()
        try:
            with Bar() as bar:
                asyncio.run(
                    publish_files(
                        settings,
                        files,
                        side=None if side is None else Side(side),
                        mapping=columns,
                        rejects=rejects,
                        count=count,
                        advanced=bar.advance,
                    )
                )
        finally:
            for line in lines(count, time.monotonic() - started, rejects):
                click.echo(line, err=True)
        raise SystemExit(0 if count.published else FAILED)


def lines(count: Count, seconds: float, rejects: Path) -> Iterator[str]:
    if count.published or count.rejected:
        rate = count.published / seconds
        yield (
            f"{counted(count.published, 'record')} published, {count.rejected:,} rejected"
            f" in {seconds:.1f} s ({rate:,.0f}/s)"
        )
    if count.rejected:
        yield f"first reject: {count.first_reject}"
        yield f"all rejects: {rejects}"


class Bar:
    """One progress bar for each file, on a terminal only."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[Path, TaskID] = {}

    def advance(self, file: Path, records: int) -> None:
        if file not in self._tasks:
            self._tasks[file] = self._progress.add_task(file.name, total=None, rate=0.0)
        task = self._tasks[file]
        self._progress.update(task, advance=records, rate=self._progress.tasks[task].speed or 0.0)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

"""`rolecall publish`: from files to topics, with a progress bar."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from rolecall.schemas.match import Side
from rolecall.streams.cli.console import FAILED, counted, effective_settings, explained, visible
from rolecall.streams.cli.drawing import drawing_console
from rolecall.streams.feeds.mapping import parse_mapping
from rolecall.streams.feeds.parsed import FeedReject, Parsed
from rolecall.streams.feeds.publish import Count, Options, changed_files, publish_files
from rolecall.streams.feeds.read import read
from rolecall.streams.feeds.suggest import suggest
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
INPUT = click.Path(exists=True, path_type=Path)
WATCH_SECONDS = 1.0
SHOWN = 10


def _suggested(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is not None and not context.resilient_parsing:
        for line in suggest(path):
            click.echo(line)
        context.exit()


@click.command()
@click.argument("files", nargs=-1, required=True, type=INPUT)
@click.option("--side", type=click.Choice(["vacancy", "candidate"]),
              help="What the records are, if their fields do not show it.")  # fmt: skip
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN",
              help="Which column or path (or {template}) fills which field; repeat it.")  # fmt: skip
@click.option("--map-file", type=FILE, help="A file of such mappings, one a line.")
@click.option("--map-suggest", type=FILE, is_eager=True, expose_value=False, callback=_suggested,
              help="Print a mapping for this file, to edit and give as --map-file.")  # fmt: skip
@click.option("--source", metavar="NAME", help="The name of this feed, for --full-list.")
@click.option("--full-list", is_flag=True,
              help="FILES are all that --source has: close what they lack now.")  # fmt: skip
@click.option(
    "--yes",
    is_flag=True,
    help="Close any share of them: without it, at most 30 %, and nothing after a reject.",
)
@click.option(
    "--only-changed", is_flag=True, help="Leave out what the topic already has; tell what is not newer."
)
@click.option(
    "--watch", is_flag=True, help="Publish files, and files of folders, again whenever they change."
)
@click.option(
    "--dry-run", is_flag=True, help="Publish nothing; show ten rows, field by field, beside their text."
)
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), default=Path("rejects.jsonl"),
              show_default=True, help="Where rejects and notes go, with reasons; overwritten.")  # fmt: skip
def publish(
    files: tuple[Path, ...],
    side: str | None,
    mapping: tuple[str, ...],
    map_file: Path | None,
    source: str | None,
    full_list: bool,
    yes: bool,
    only_changed: bool,
    watch: bool,
    dry_run: bool,
    rejects: Path,
) -> None:
    """Publish vacancies and candidates from FILES.

    \b
    Formats, detected from the content (docs/feeds.md):
      JSONL of the rolecall contracts     {"id": …, "occurred_at": …, "title": …}
      schema.org JobPosting               JSON, JSON-LD, JSONL or an HTML page
      JSON Resume                         JSON or JSONL; contact data is left out
      job boards                          Greenhouse, Lever, Ashby, Personio and others
      CSV, .xlsx, .ods, .parquet          columns named after fields, or --map

    \b
    Examples:  rolecall publish jobs.jsonl people.jsonl
               rolecall publish jobs.csv --map id=jobId --map title='Job Title' --map occurred_at=posted

    An unreadable record does not stop the run: it goes to --rejects with its reason. So does a note on every
    value that is left out because it is not certain. Exits with 1 if no record could be published. It is safe
    to publish a file again.
    """
    if full_list and not source:
        raise click.UsageError("--full-list needs --source: the name under which this feed is published")
    pairs = [*(map_file.read_text().splitlines() if map_file else ()), *mapping]
    try:
        columns = parse_mapping(pairs) if pairs else None
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    options = Options(
        None if side is None else Side(side), columns, rejects, source, only_changed, full_list, yes
    )
    with explained():
        known: dict[Path, tuple[int, int]] = {}
        found = changed_files(files, known)
        if dry_run:
            raise SystemExit(0 if _rehearsed(found, options) else FAILED)
        settings = effective_settings()
        done = _published(settings, found, options)
        while watch:
            time.sleep(WATCH_SECONDS)
            if found := changed_files(files, known):
                done = _published(settings, found, options)
        raise SystemExit(0 if done else FAILED)


def _published(settings: Settings, files: Sequence[Path], options: Options) -> bool:
    count, started = Count(), time.monotonic()
    try:
        with Bar() as bar:
            run_interruptibly(publish_files(settings, files, options, count=count, advanced=bar.advance))
    finally:
        for line in lines(count, time.monotonic() - started, options.rejects):
            click.echo(line, err=True)
    return bool(count.published or count.unchanged or count.closed)


def _outcome(row: Parsed) -> str:
    if isinstance(row, FeedReject):
        return "rejected"
    return "kept with notes" if row.notes else "without notes"


def _rehearsed(files: Sequence[Path], options: Options) -> bool:
    """Whether anything could be published."""
    kinds: Counter[str] = Counter()
    now = datetime.now(UTC)
    for path in files:
        for each in read(path, now=now, side=options.side, mapping=options.mapping):
            kinds[_outcome(each)] += 1
            if kinds.total() <= SHOWN:
                click.echo("\n".join(shown(each)))
    click.echo(
        ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items())) + "; nothing was published"
    )
    return kinds["without notes"] + kinds["kept with notes"] > 0


def shown(each: Parsed) -> Iterator[str]:
    """A record field by field, beside the text that it was read from."""
    yield f"{each.source}, row {each.row}"
    yield f"  read from: {each.raw[:500]}"
    if isinstance(each, FeedReject):
        yield f"  rejected: {each.reason}"
        return
    for name, value in sorted(orjson.loads(each.value or b'{"erase": true}').items()):
        yield f"  {name}: {orjson.dumps(value).decode()[:200]}"
    for note in each.notes:
        yield f"  left out: {note}"


def lines(count: Count, seconds: float, rejects: Path) -> Iterator[str]:
    """Every row that was read is in one of the counts."""
    if not (count.read or count.closed):
        return
    entities = f"{count.published:,} {'entity' if count.published == 1 else 'entities'}"
    rate = count.read / max(seconds, 1e-9)
    yield f"{counted(count.read, 'row')} read, {entities} published in {seconds:.1f} s ({rate:,.0f} rows/s)"
    for kind, meaning in _KINDS.items():
        if number := getattr(count, kind):
            yield f"{number:,} {meaning}; first: {count.examples[kind]}"
    if count.notes:
        yield "left out: " + ", ".join(f"{field} {number:,}" for field, number in count.notes.most_common())
    if count.rejected or count.repeated or count.noted:
        yield f"all of them: {rejects}"


_KINDS = {
    "unchanged": "unchanged",
    "repeated": "repeated an id of this run",
    "noted": "published without what is not certain",
    "rejected": "rejected",
    "closed": "closed, because the list has them no more",
}


class Bar:
    """One progress bar for each file, on a terminal only."""

    def __init__(self) -> None:
        console = drawing_console(stderr=True)
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
            self._tasks[file] = self._progress.add_task(escape(visible(file.name)), total=None, rate=0.0)
        task = self._tasks[file]
        self._progress.update(task, advance=records, rate=self._progress.tasks[task].speed or 0.0)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

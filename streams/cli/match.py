"""`rolecall match`: match two files without broker or index server."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import ValidationError
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from rolecall.schemas.match import Match, Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.cli.console import FAILED, counted, effective_settings, explained, terminal_width
from rolecall.streams.cli.drawing import drawing_console
from rolecall.streams.cli.table import Lines
from rolecall.streams.feeds.mapping import parse_mapping
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject
from rolecall.streams.offline import match as offline
from rolecall.streams.offline.lists import Market
from rolecall.streams.offline.read import events
from rolecall.streams.offline.write import FORMATS, Write, written
from rolecall.streams.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
MAP = "CSV: which column (or {template}) fills which field; repeat it."


@click.command()
@click.argument("vacancies", type=FILE)
@click.argument("candidates", type=FILE)
@click.option("--out", type=NEW_FILE, help="A .csv, .jsonl or .parquet file. By default, print a table.")
@click.option("--top-k", type=click.IntRange(1, 1000),
              help="Most matches of one list.  [default: ROLECALL_TOP_K, 10]")  # fmt: skip
@click.option("--min-confidence", type=click.FloatRange(0, 1),
              help="Least confidence of a match.  [default: ROLECALL_MIN_CONFIDENCE, 0.2]")  # fmt: skip
@click.option("--rules", type=FILE, help="Exclusion rules, one a line, as `rolecall rules list` prints them.")
@click.option("--map-vacancies", multiple=True, metavar="FIELD=COLUMN", help=MAP)
@click.option("--map-candidates", multiple=True, metavar="FIELD=COLUMN", help=MAP)
@click.option("--rejects", type=NEW_FILE, default=Path("rejects.jsonl"), show_default=True,
              help="Where rejects and notes go, with reasons; overwritten.")  # fmt: skip
def match(
    vacancies: Path,
    candidates: Path,
    out: Path | None,
    top_k: int | None,
    min_confidence: float | None,
    rules: Path | None,
    map_vacancies: tuple[str, ...],
    map_candidates: tuple[str, ...],
    rejects: Path,
) -> None:
    """Match VACANCIES with CANDIDATES, without broker or index server.

    Rules, scores, confidence and reasons are those of a worker. A pair is in the result if the candidate is
    among the vacancy's best or the vacancy among the candidate's. Formats are those of `rolecall publish`.

    \b
    Examples:  rolecall match jobs.jsonl people.csv --out matches.csv
               rolecall match jobs.csv people.jsonl --map-vacancies id=jobId --map-vacancies title=Job

    A record that cannot be read stops nothing: it goes to --rejects with its reason. So does a note on every
    value that is left out because it is not certain. Exits with 1 if a file
    has no record that can be read.
    """
    if out is not None and out.suffix.lower() not in FORMATS:
        raise click.UsageError(f"--out {out}: the name must end in {', '.join(FORMATS)}")
    mappings = {
        Side.VACANCY: _mapping("--map-vacancies", map_vacancies),
        Side.CANDIDATE: _mapping("--map-candidates", map_candidates),
    }
    given = {"top_k": top_k, "min_confidence": min_confidence}
    with explained():
        settings = effective_settings().model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )
        files = {Side.VACANCY: vacancies, Side.CANDIDATE: candidates}
        run = Run(settings, files, mappings, _rules(rules))
        with Rejects(rejects) as refused:
            ended = run.to_end(out, refused)
        raise SystemExit(0 if ended else FAILED)


class Run:
    def __init__(
        self,
        settings: Settings,
        files: dict[Side, Path],
        mappings: dict[Side, dict[str, str] | None],
        rules: list[ExclusionRule],
    ) -> None:
        self._settings = settings
        self._files = files
        self._mappings = mappings
        self._rules = rules

    def to_end(self, out: Path | None, refused: "Rejects") -> bool:
        """Returns False if a side has no record."""
        now, started, count = datetime.now(UTC), time.monotonic(), 0
        encoder = offline.load_encoder(self._settings)
        read = {
            side: events(file, side, self._mappings[side], now, self._settings.limits(), refused.write)
            for side, file in self._files.items()
        }
        policy = self._settings.policy()
        with (
            _output(out) as write,
            Bar(alone=out is not None or not sys.stdout.isatty()) as bar,
            offline.market(read, self._rules, encoder, policy, now, bar.advance) as market,
        ):
            for each in offline.matches_of(market):
                bar.give_way()
                write(each, *_titles(market, each))
                count += 1
        sizes = {side: len(pool) for side, pool in market.pools.items()}
        click.echo(
            f"{counted(count, 'match', 'matches')} of"
            f" {counted(sizes[Side.VACANCY], 'vacancy', 'vacancies')} and"
            f" {counted(sizes[Side.CANDIDATE], 'candidate')} in {time.monotonic() - started:.1f} s",
            err=True,
        )
        return all(sizes.values())


def _titles(market: Market, each: Match) -> tuple[str, str]:
    pools = market.pools
    return pools[Side.VACANCY].title(each.vacancy_id), pools[Side.CANDIDATE].title(each.candidate_id)


@contextmanager
def _output(out: Path | None) -> Iterator[Write]:
    if out is not None:
        with written(out) as write:
            yield write
        return
    titles: dict[tuple[Side, str], str] = {}
    lines = Lines(terminal_width(), titles)
    click.echo(lines.header())

    def show(each: Match, vacancy: str, candidate: str) -> None:
        titles.clear()
        titles[Side.VACANCY, each.vacancy_id] = " ".join(vacancy.split())
        titles[Side.CANDIDATE, each.candidate_id] = " ".join(candidate.split())
        click.echo(lines.line(each))

    yield show


def _mapping(option: str, pairs: tuple[str, ...]) -> dict[str, str] | None:
    try:
        return parse_mapping(pairs) if pairs else None
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from error


def _rules(path: Path | None) -> list[ExclusionRule]:
    rules = []
    for number, line in enumerate(path.read_text().splitlines() if path else (), start=1):
        try:
            rules += [ExclusionRule.model_validate_json(line)] if line.strip() else []
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise click.UsageError(f"{path}, line {number}: {where}: {problem['msg']}") from error
    return rules


class Rejects:
    """The file of rejects and notes; it is created with its first line. At the end it prints how many."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts = {"rejected": 0, "kept without values that are not certain": 0}
        self._first: dict[str, str] = {}

    def write(self, told: FeedReject | FeedEvent) -> None:
        kind = list(self._counts)[isinstance(told, FeedEvent)]
        reason = told.reason if isinstance(told, FeedReject) else str(told.notes[0])
        with self._path.open("ab" if self._first else "wb") as file:
            file.write(told.line())
        self._counts[kind] += 1
        self._first.setdefault(kind, f"{told.source}, row {told.row}: {reason}")

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        for kind, first in self._first.items():
            click.echo(f"{counted(self._counts[kind], 'record')} {kind}; the first: {first}", err=True)
        if self._first:
            click.echo(f"all of them: {self._path}", err=True)


class Bar:
    """One progress bar for each thing that is counted, on a terminal only.

    alone: no table is printed on the same terminal. Otherwise the bars go away before its first row: drawn
    again below rows, they would erase them.
    """

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        console = drawing_console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.completed:,.0f}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=not alone,
        )
        self._tasks: dict[str, TaskID] = {}

    def advance(self, name: str, more: int, of: int | None) -> None:
        if self._progress.disable:
            return
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=of)
        self._progress.advance(self._tasks[name], more)

    def give_way(self) -> None:
        if not self._alone:
            self._progress.stop()

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

"""Write matches to a file, with the titles of both sides. The suffix of the file gives the format."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from rolecall.schemas.match import Match
from rolecall.streams.errors import ExtraMissing

Write = Callable[[Match, str, str], None]
"""A match, the title of its vacancy, the title of its candidate."""

LISTS = ("shared_skills", "missing_skills", "features", "soft_rules", "duplicates")
COLUMNS = (
    "vacancy_id",
    "vacancy_title",
    "candidate_id",
    "candidate_title",
    "confidence",
    "score",
    "found_by",
    "rank",
    *LISTS,
    "vacancy_certainty",
    "candidate_certainty",
    "vacancy_revision",
    "candidate_revision",
    "model_version",
    "occurred_at",
    "duplicate_key",
    "id",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins with one of these
ROWS_AT_ONCE = 10_000


@contextmanager
def written(path: Path) -> Iterator[Write]:
    """The file gets its name only once it is complete. Raises `ExtraMissing`."""
    unfinished = path.with_name(path.name + ".part")
    try:
        with FORMATS[path.suffix.lower()](unfinished) as write:
            yield write
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def row(match: Match, vacancy: str, candidate: str) -> dict[str, Any]:
    """By column. Occupations are left out: offline there are none."""
    said: dict[str, Any] = match.model_dump(mode="json")
    return {"vacancy_title": vacancy, "candidate_title": candidate, **said, **said["reasons"]}


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        table.writeheader()

        def write(match: Match, vacancy: str, candidate: str) -> None:
            said = row(match, vacancy, candidate)
            said |= {name: "; ".join(said[name]) for name in LISTS}
            table.writerow({name: _inert(said[name]) for name in COLUMNS})

        yield write


def _inert(value: object) -> object:
    """Makes a cell safe for spreadsheets, because titles and skills come from strangers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


@contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:

        def write(match: Match, vacancy: str, candidate: str) -> None:
            titles = {"vacancy_title": vacancy, "candidate_title": candidate}
            line = match.model_dump(mode="json", exclude_none=True) | titles
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ExtraMissing("a parquet file needs pyarrow: pip install 'rolecall[parquet]'") from error
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, pa.string()) | dict.fromkeys(LISTS, pa.list_(pa.string()))
    kinds |= dict.fromkeys(("confidence", "score", "vacancy_certainty", "candidate_certainty"), pa.float64())
    kinds |= dict.fromkeys(("rank", "vacancy_revision", "candidate_revision"), pa.int64())
    schema = pa.schema(list(kinds.items()))
    rows: list[dict[str, Any]] = []
    with parquet.ParquetWriter(path, schema) as table:

        def flush() -> None:
            table.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        def write(match: Match, vacancy: str, candidate: str) -> None:
            rows.append(row(match, vacancy, candidate))
            if len(rows) == ROWS_AT_ONCE:
                flush()

        yield write
        flush()


FORMATS = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}

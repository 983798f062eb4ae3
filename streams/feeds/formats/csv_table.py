"""Tables into our contracts by a mapping of fields to columns: CSV, and the rows of sheets."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import BinaryIO

from rolecall.schemas.match import Side
from rolecall.streams.feeds.fields import FIELDS, record
from rolecall.streams.feeds.files import csv_lines
from rolecall.streams.feeds.files.csv_lines import Lines, Row
from rolecall.streams.feeds.files.encodings import encoding_of
from rolecall.streams.feeds.files.sheets import Cells
from rolecall.streams.feeds.mapping import columns_of, mapped, parse_mapping, side_of
from rolecall.streams.feeds.notes import Note, note
from rolecall.streams.feeds.parsed import FeedReject, Parsed, event, explain

__all__ = ["FIELDS", "parse_mapping", "rows", "sheet_rows"]
DELIMITERS = ",;\t|"
PREAMBLE = 20  # rows before the header, at most


class _Table:
    """What the header says."""

    def __init__(self, columns: Sequence[str], mapping: Mapping[str, str] | None, side: Side | None) -> None:
        """ValueError if the mapping and the columns do not fit."""
        self.columns = [_name(column) for column in columns]
        own = sorted(self.columns, key=FIELDS.__contains__)  # of `Title` and `title`, the last one counts
        self.mapping = dict(mapping or {c.casefold(): c for c in own if c.casefold() in FIELDS})
        for field, origin in self.mapping.items():
            for column in columns_of(origin):
                if column not in self.columns:
                    raise ValueError(
                        f"{field}: there is no column {column!r}; the columns are "
                        f"{', '.join(self.columns)[:500]}; "
                        f"for a constant write {field}=={column}"
                    )
        self.side = side_of(self.mapping, self.columns, side)
        used = {column for origin in self.mapping.values() for column in columns_of(origin)}
        self.twice = sorted(name for name in used if self.columns.count(name) > 1)

    def read(self, row: Row, source: str, delimiter: str, now: datetime) -> Parsed:
        raw = row.raw.encode(errors="surrogateescape").decode(errors="backslashreplace")
        try:
            if row.wrong:
                raise ValueError(row.wrong)
            if len(row.cells) > len(self.columns) and any(row.cells[len(self.columns) :]):
                raise ValueError(
                    f"{len(row.cells)} cells, but the header has {len(self.columns)}; "
                    f"put quotes around a cell that holds {delimiter!r}"
                )
            if not row.raw.isascii() and re.search(r"[\udc80-\udcff]", row.raw):
                raise ValueError("the row is not UTF-8, though most of the file is; save the file as UTF-8")
            written = map(_of_formula, row.cells) if '="' in row.raw else row.cells
            cells = dict(zip(self.columns, written, strict=False))
            told = self._told_twice(cells, row.cells)
            data, notes = record(mapped(lambda column: cells.get(column, ""), self.mapping), now)
            return event(data, self.side, [*told, *notes]).at(source, row.number, raw)
        except ValueError as error:
            return FeedReject(source, row.number, explain(error), raw)

    def _told_twice(self, cells: dict[str, str], values: list[str]) -> list[Note]:
        """Columns of one name, if they say different things, say nothing."""
        notes = []
        for name in self.twice:
            said = {
                v for column, v in zip(self.columns, values, strict=False) if column == name and v.strip()
            }
            cells[name] = said.pop() if len(said) == 1 else ""
            if said:
                notes.append(note(name, "; ".join(sorted(said)), "told by two columns of this name"))
        return notes


def _of_formula(cell: str) -> str:
    """`007` of `="007"`, which keeps a spreadsheet from making a number of it."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') else cell


def rows(
    file: BinaryIO, source: str, *, now: datetime, side: Side | None, mapping: Mapping[str, str] | None
) -> Iterator[Parsed]:
    """Without a mapping, columns named after our fields are read.

    The header is the first row that has the columns; what stands before it is skipped. The header, or
    a line `sep=;`, tells the delimiter.
    """
    encoding = encoding_of(file)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="") as text:
        lines = Lines(text)
        ahead = lines.ahead(PREAMBLE + 20)
        if ahead and ahead[0].startswith("\ufeff"):
            ahead[0] = ahead[0][1:]
            next(lines)
            lines.give_back(ahead[:1])
        named = re.fullmatch(r'"?sep=(.)"?\s*', ahead[0], re.I) if ahead else None
        choices = (
            named[1] if named else sorted(DELIMITERS, key=lambda each: -ahead[0].count(each) if ahead else 0)
        )
        delimiter, skipped = _dialect(ahead, choices, mapping, side)
        found = csv_lines.rows(lines, delimiter, 0, 1)
        header = next(islice(found, skipped, None), None)
        if header is None:
            return
        try:
            table = _Table(header.cells, mapping, side)
        except ValueError as error:
            yield FeedReject(source, header.number, str(error), header.raw)
            return
        lines.taken.clear()
        for row in csv_lines.rows(lines, delimiter, len(table.columns), header.number + 1):
            yield table.read(row, source, delimiter, now)


def sheet_rows(
    found: Iterable[Cells],
    source: str,
    *,
    now: datetime,
    side: Side | None,
    mapping: Mapping[str, str] | None,
) -> Iterator[Parsed]:
    """The rows of one sheet; the header is the first row that has the columns."""
    numbered = ((number, cells) for number, cells in enumerate(found, start=1) if any(cells))
    first = list(islice(numbered, PREAMBLE + 1))
    if not first:
        yield FeedReject(source, 1, "the sheet is empty", "")
        return
    skipped = next((i for i, (_, cells) in enumerate(first) if _is_header(cells, mapping, side)), 0)
    try:
        table = _Table(first[skipped][1], mapping, side)
    except ValueError as error:
        yield FeedReject(source, first[skipped][0], str(error), "\t".join(first[skipped][1]))
        return
    for number, cells in chain(first[skipped + 1 :], numbered):
        yield table.read(Row(number, list(cells), "\t".join(cells)), source, "\t", now)


def _dialect(
    ahead: list[str], choices: Iterable[str], mapping: Mapping[str, str] | None, side: Side | None
) -> tuple[str, int]:
    """The delimiter, and how many rows stand before the header."""
    fallback = ""
    for delimiter in choices:
        fallback = fallback or delimiter
        try:
            found = [
                cells
                for cells in csv.reader(ahead, delimiter=delimiter, skipinitialspace=True)
                if any(map(str.strip, cells))
            ]
        except csv.Error:
            continue
        for index, cells in enumerate(found[: PREAMBLE + 1]):
            if _is_header(cells, mapping, side):
                return delimiter, index
    starts_with_sep = bool(ahead) and ahead[0].lower().startswith(("sep=", '"sep='))
    return fallback, int(starts_with_sep)


def _is_header(cells: Sequence[str], mapping: Mapping[str, str] | None, side: Side | None) -> bool:
    names = set(map(_name, cells))
    if mapping:
        return {column for origin in mapping.values() for column in columns_of(origin)} <= names
    names = set(map(str.casefold, names))
    return bool(names & FIELDS) if side else bool(names & {"title", "titles"})


def _name(column: str) -> str:
    return " ".join(column.lstrip("\ufeff").split())

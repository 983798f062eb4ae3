"""The rows of a CSV, one by one: a quote that is never closed costs its own line, not the lines after it."""

import csv
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, TextIO

LONGEST_CELL = 4_000_000
LONGEST_LINE = 16_000_000


class Row(NamedTuple):
    number: int  # as a spreadsheet numbers it
    cells: list[str]
    raw: str
    wrong: str = ""


class Lines:
    """Physical lines, which can be given back."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._back: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._read()
        if not line:
            raise StopIteration
        self.taken.append(line)
        return line

    def _read(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(("\n", "\r")):
            rest = self._text.readline(LONGEST_LINE)
        return line

    def give_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))

    def ahead(self, count: int) -> list[str]:
        """The next lines, which stay to be read."""
        found = list(islice(self, count))
        self.taken.clear()
        self.give_back(found)
        return found


def rows(lines: Lines, delimiter: str, width: int, first: int) -> Iterator[Row]:
    """`width`: how many cells the header has. `first`: the number of the next row."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    number = first
    while True:
        lines.taken.clear()
        wrong, cells = "", list[str]()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            wrong = f"invalid CSV: {error}"
        taken = list(lines.taken)
        raw = "".join(taken)
        if len(taken) > 1 and (wrong or not _closed(taken, delimiter)):
            lines.give_back(taken[1:])
            raw, cells = taken[0], []
            wrong = "a quote is opened in this line and not closed; close it or double it"
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        elif '\\"' in raw and (escaped := _strictly(taken, delimiter, "\\")) and len(escaped) == width:
            cells = escaped
        if wrong or any(cell.strip() for cell in cells):
            yield Row(number, cells, raw.rstrip("\r\n"), wrong)
            number += 1
        elif raw != "\r":
            number += 1


def _closed(taken: list[str], delimiter: str) -> bool:
    """Whether every quote of a row of several lines is closed before a delimiter or the end."""
    return _strictly(taken, delimiter, None) is not None or _strictly(taken, delimiter, "\\") is not None


def _strictly(taken: list[str], delimiter: str, escape: str | None) -> list[str] | None:
    try:
        reader = csv.reader(taken, delimiter=delimiter, escapechar=escape, strict=True, skipinitialspace=True)
        found = list(reader)
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None

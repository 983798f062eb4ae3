"""CSV into our contracts by a mapping of fields to columns."""

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, TextIO

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Side
from rolecall.streams.feeds import words
from rolecall.streams.feeds.parsed import FeedReject, Parsed, event, explain
from rolecall.streams.feeds.places import country_code, place

LONGEST_CELL = 4_000_000
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _split(text: str) -> list[str]:
    """On `;`, `|` or line breaks where there are any, else on commas."""
    separator = r"[;|\n]" if re.search(r"[;|\n]", text) else ","
    return [part.strip() for part in re.split(separator, text) if part.strip()]


def _moment(text: str, field: str) -> datetime:
    return words.moment(text, field=field, last_of_day=field == "expires_at")


def _revision(text: str, field: str) -> int:
    """Milliseconds since the epoch, or a date."""
    return milliseconds(words.moment(text, field=field))


def _languages(text: str, field: str) -> list[dict[str, Any]]:
    """`German: B2; en` and `German (native), English`."""
    languages = []
    for part in _split(text):
        if code := words.language_code(re.split(r"[:(]|\s-\s", part, maxsplit=1)[0]):
            level = words.fluency(part)
            languages.append({"code": code, "level": level} if level else {"code": code})
    return languages


def _yes(text: str, field: str) -> bool:
    return text.casefold() in ("true", "yes", "y", "1")


def _known(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(value for value in values if value))


# Each takes the text of a cell and the field's name; None and [] leave the field out.
_READERS: dict[str, Callable[[str, str], Any]] = {
    "occurred_at": _moment,
    "expires_at": _moment,
    "available_from": _moment,
    "revision": _revision,
    "description": lambda text, _: words.plain_text(text),
    "summary": lambda text, _: words.plain_text(text),
    "titles": lambda text, _: [part.strip() for part in re.split(r"[;|\n]", text) if part.strip()],
    "skills": lambda text, _: _split(text),
    "languages": _languages,
    "employment_types": lambda text, _: words.employment_types(text),
    "workplace": lambda text, _: words.workplace(text),
    "workplaces": lambda text, _: _known(map(words.workplace, _split(text))),
    "work_countries": lambda text, _: _known(map(country_code, _split(text))),
    "seniority": lambda text, _: words.seniority(text),
    "status": lambda text, _: text.casefold(),
    "relocate": _yes,
    "radius_km": lambda text, field: words.number(text, field=field),
    "experience_years": lambda text, field: words.number(text, field=field),
    "location.country": lambda text, _: country_code(text),
    "location.lat": lambda text, field: words.number(text, field=field),
    "location.lon": lambda text, field: words.number(text, field=field),
    "salary.min": lambda text, field: words.number(text, field=field),
    "salary.max": lambda text, field: words.number(text, field=field),
    "salary.currency": lambda text, _: text.upper(),
    "salary.period": lambda text, _: words.period(text),
}
_PLAIN = ("id", "title", "employer", "location", "location.city")
FIELDS = frozenset(_READERS) | frozenset(_PLAIN)


def parse_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """`field=column`; a column may also be a template, `{platform}-{jobId}`, or a constant, `=EUR`.

    The pairs may be the lines of a file: empty ones and those that start with # are skipped. ValueError names
    a pair that cannot be read.
    """
    mapping = {}
    for pair in pairs:
        if not pair.strip() or pair.startswith("#"):
            continue
        field, found, source = pair.partition("=")
        field = field.strip()
        if not found or not source.strip():
            raise ValueError(f"{pair!r} is not a mapping; write field=column, such as title=jobTitle")
        if field not in FIELDS:
            raise ValueError(f"{field!r} is not a field; the fields are {', '.join(sorted(FIELDS))}")
        mapping[field] = source.strip()
    return mapping


def rows(
    file: BinaryIO, source: str, *, now: datetime, side: Side | None, mapping: Mapping[str, str] | None
) -> Iterator[Parsed]:
    """Without a mapping, columns named after our fields are read. UTF-8; `,`, `;`, `|` or tab separated."""
    csv.field_size_limit(LONGEST_CELL)
    with io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        first = text.readline(LONGEST_CELL)
        delimiter = max(",;\t|", key=first.count)
        try:
            columns = [column.strip() for column in next(csv.reader([first], delimiter=delimiter), [])]
            chosen = dict(mapping or {column: column for column in columns if column in FIELDS})
            chosen_side = _side(chosen, columns, side)
        except (ValueError, csv.Error) as error:
            yield FeedReject(source, 1, str(error), _shown(first.rstrip("\r\n")))
            return
        for row, cells in enumerate(_cells(text, delimiter), start=2):
            if isinstance(cells, csv.Error):
                yield FeedReject(source, row, f"invalid CSV: {cells}", "")
            elif any(cell.strip() for cell in cells):
                try:
                    if len(cells) > len(columns):
                        raise ValueError(
                            f"{len(cells)} cells, but the header has {len(columns)}; "
                            f"put quotes around a cell that holds {delimiter!r}"
                        )
                    record = _record(dict(zip(columns, cells, strict=False)), chosen, now)
                    yield event(record, chosen_side)
                except ValueError as error:
                    yield FeedReject(source, row, explain(error), _shown(delimiter.join(cells)))


def _cells(text: TextIO, delimiter: str) -> Iterator[list[str] | csv.Error]:
    """Rows, and what is wrong with the one that could not be read: the next one may be whole."""
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield error


def _side(mapping: Mapping[str, str], columns: list[str], side: Side | None) -> Side:
    """Also checks that the columns the mapping names are there."""
    for field, origin in mapping.items():
        for column in _columns(origin):
            if column not in columns:
                raise ValueError(
                    f"{field}: there is no column {column!r}; the columns are {', '.join(columns)[:500]}; "
                    f"for a constant write {field}=={column}"
                )
    if side is None and ("title" in mapping) == ("titles" in mapping):
        raise ValueError(
            "map either `title`, for vacancies, or `titles`, for candidates, to a column; "
            f"the columns are {', '.join(columns)[:500]}"
        )
    return side or (Side.VACANCY if "title" in mapping else Side.CANDIDATE)


def _columns(origin: str) -> list[str]:
    return [] if origin.startswith("=") else _PLACEHOLDER.findall(origin) or [origin]


def _cell(row: Mapping[str, str], origin: str) -> str:
    if origin.startswith("="):
        return origin[1:]
    if not _PLACEHOLDER.search(origin):
        return row.get(origin, "").strip()
    return _PLACEHOLDER.sub(lambda column: row.get(column[1], "").strip(), origin)


def _short(composed: str) -> str:
    """An id put together from cells may grow past what an id may be; a hash keeps it apart from others."""
    if len(composed) <= 200:
        return composed
    return f"{composed[:160]}-{hashlib.sha256(composed.encode(errors='surrogateescape')).hexdigest()[:32]}"


def _record(row: Mapping[str, str], mapping: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """ValueError names the field and value that cannot be read. Empty cells leave their field out.

    The revision is now unless mapped: a row edited under the same date must still replace the old one.
    """
    record: dict[str, Any] = {"occurred_at": now, "revision": milliseconds(now)}
    parts: dict[str, dict[str, Any]] = {}
    for field, origin in mapping.items():
        cell = _cell(row, origin)
        value = _READERS[field](cell, field) if cell and field in _READERS else cell
        if value in (None, "", [], ()):
            continue
        whole, _, part = field.partition(".")
        if part:
            parts.setdefault(whole, {})[part] = value
        elif field == "id" and _PLACEHOLDER.search(origin):
            record["id"] = _short(value)
        elif field == "location":
            where, remote = place(cell)
            if where:
                record["location"] = where.model_dump(exclude_none=True)
            if remote:
                record.setdefault("workplace", remote)
        else:
            record[field] = value
    salary = parts.pop("salary", {})
    known_period = "period" in salary or "salary.period" not in mapping
    if any(salary.get(end) for end in ("min", "max")) and "currency" in salary and known_period:
        record["salary"] = {name: value for name, value in salary.items() if value}
    if "location" in parts:
        record["location"] = {**record.get("location", {}), **parts["location"]}
    return record


def _shown(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")

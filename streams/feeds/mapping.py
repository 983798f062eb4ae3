"""`--map`: which column, or which path in a JSON or XML record, fills which field."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rolecall.schemas.match import Side
from rolecall.streams.feeds.fields import FIELDS, lines_of

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


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


def columns_of(origin: str) -> list[str]:
    found = [] if origin.startswith("=") else _PLACEHOLDER.findall(origin) or [origin]
    return [" ".join(column.split()) for column in found]


def mapped(get: Callable[[str], Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """The raw fields of one record; `get` gives the value of a column or path."""
    return {field: _value(get, origin) for field, origin in mapping.items()}


def _value(get: Callable[[str], Any], origin: str) -> Any:
    if origin.startswith("="):
        return origin[1:]
    if not _PLACEHOLDER.search(origin):
        return get(" ".join(origin.split()))
    return _PLACEHOLDER.sub(lambda column: " ".join(lines_of(get(" ".join(column[1].split())))), origin)


def side_of(mapping: Mapping[str, str], columns: Iterable[str], side: Side | None) -> Side:
    """ValueError if the fields do not tell."""
    if side is None and ("title" in mapping) == ("titles" in mapping):
        raise ValueError(
            "map either `title`, for vacancies, or `titles`, for candidates, to a column; "
            f"the columns are {', '.join(columns)[:500]}"
        )
    return side or (Side.VACANCY if "title" in mapping else Side.CANDIDATE)

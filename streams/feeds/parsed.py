"""What files become: events to publish, and rejects with their reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from rolecall.schemas.match import Side
from rolecall.schemas.topics import CONTRACT_OF


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """What to publish: JSON of a Vacancy or Candidate, or None to erase the entity."""

    side: Side
    id: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class FeedReject:
    """What could not be read. `row` counts from 1: the line of JSONL, the item of a JSON document, the row of
    a CSV as a spreadsheet numbers it (the header is 1)."""

    source: str
    row: int
    reason: str
    raw: str

    def line(self) -> bytes:
        """One line of JSON for a rejects file."""
        record = {"source": self.source, "row": self.row, "reason": self.reason, "raw": self.raw}
        valid = {name: _valid(value) if isinstance(value, str) else value for name, value in record.items()}
        return orjson.dumps(valid, option=orjson.OPT_APPEND_NEWLINE)


Parsed = FeedEvent | FeedReject


def event(data: Mapping[str, Any], side: Side) -> FeedEvent:
    """Validated against the contract; only what the contract knows passes. ValidationError otherwise."""
    entity = CONTRACT_OF[side].model_validate(data)
    return FeedEvent(side, entity.id, entity.model_dump_json(exclude_unset=True).encode())


def explain(error: ValueError) -> str:
    """`location.lat: Input should be less than or equal to 90, but it is 91`."""
    if not isinstance(error, ValidationError):
        return str(error)
    causes = []
    for cause in error.errors(include_url=False, include_context=False):
        if cause["type"] != "default_factory_not_called":
            field = ".".join(map(str, cause["loc"])) or "record"
            seen = "" if cause["type"] == "missing" else f", but it is {str(cause['input'])[:60]!r}"
            causes.append(f"{field}: {cause['msg']}{seen}")
    return "; ".join(causes)


def _valid(text: str) -> str:
    """Bytes that were no UTF-8 came in as surrogates, which JSON cannot hold."""
    return text.encode(errors="backslashreplace").decode()

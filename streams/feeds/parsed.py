"""What files become: events to publish, and rejects with their reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from rolecall.schemas.match import Side
from rolecall.schemas.topics import CONTRACT_OF
from rolecall.streams.feeds.notes import Note


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """What to publish: JSON of a Vacancy or Candidate, or None to erase the entity."""

    side: Side
    id: str
    value: bytes | None
    revision: int | None = field(default=None, compare=False)  # None: the time of the erasure
    notes: tuple[Note, ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)
    row: int = field(default=0, compare=False)
    raw: str = field(default="", compare=False)  # only where there are notes

    def at(self, source: str, row: int, raw: str) -> "FeedEvent":
        """The same event, with where it was read."""
        return FeedEvent(self.side, self.id, self.value, self.revision, self.notes, source, row, raw)

    def line(self) -> bytes:
        """One line of JSON for the file of rejects: the record is published, without what the notes name."""
        kinds = [{"field": note.field, "text": note.text, "why": note.why} for note in self.notes]
        reason = "; ".join(map(str, self.notes))
        return _line(self.source, self.row, reason, self.raw, kept=True, id=self.id, notes=kinds)


@dataclass(frozen=True, slots=True)
class FeedReject:
    """What could not be read. `row` counts from 1: the line of JSONL, the item of a JSON document, the row of
    a table as a spreadsheet numbers it (the header is 1)."""

    source: str
    row: int
    reason: str
    raw: str
    repeated: bool = False  # the id was published before in this run, under this revision or a newer one

    def line(self) -> bytes:
        """One line of JSON for a rejects file."""
        return _line(
            self.source, self.row, self.reason, self.raw, **({"repeated": True} if self.repeated else {})
        )


Parsed = FeedEvent | FeedReject


def event(data: Mapping[str, Any], side: Side, notes: list[Note] | None = None) -> FeedEvent:
    """Validated against the contract; only what the contract knows passes. ValidationError otherwise."""
    entity = CONTRACT_OF[side].model_validate(data)
    value = entity.model_dump_json(exclude_unset=True).encode()
    return FeedEvent(side, entity.id, value, entity.revision, tuple(notes or ()))


def explain(error: ValueError) -> str:
    """`location.lat: Input should be less than or equal to 90, but it is 91`."""
    if not isinstance(error, ValidationError):
        return str(error)
    causes = []
    for cause in error.errors(include_url=False, include_context=False):
        if cause["type"] != "default_factory_not_called":
            place = ".".join(map(str, cause["loc"])) or "record"
            seen = "" if cause["type"] == "missing" else f", but it is {str(cause['input'])[:60]!r}"
            causes.append(f"{place}: {cause['msg']}{seen}")
    return "; ".join(causes)


def _line(source: str, row: int, reason: str, raw: str, **more: Any) -> bytes:
    record = {"source": source, "row": row, "reason": reason, "raw": raw} | more
    valid = {name: _valid(value) if isinstance(value, str) else value for name, value in record.items()}
    return orjson.dumps(valid, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _valid(text: str) -> str:
    """Half of a surrogate pair is no text that JSON can hold."""
    return text.encode(errors="backslashreplace").decode()

"""One record of a file into an event or a reject."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from rolecall.schemas.match import Side
from rolecall.streams.feeds.fields import record
from rolecall.streams.feeds.formats.contract_line import contract_event
from rolecall.streams.feeds.formats.job_posting import is_posting, raw_vacancy
from rolecall.streams.feeds.formats.json_resume import is_resume, raw_candidate
from rolecall.streams.feeds.formats.records import RawOf, records
from rolecall.streams.feeds.mapping import mapped, side_of
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject, Parsed, event, explain
from rolecall.streams.feeds.values.json_values import Json, at


class Reading:
    """What is the same for every record of a file."""

    def __init__(
        self, source: str, now: datetime, side: Side | None, mapping: Mapping[str, str] | None
    ) -> None:
        self.source, self.now, self.side, self.mapping = source, now, side, mapping

    def item(self, item: Any, row: int, raw_of: RawOf | None = None, raw: str = "") -> Parsed:
        try:
            raw = raw or orjson.dumps(item, default=str).decode()
        except orjson.JSONEncodeError as error:
            return FeedReject(self.source, row, f"{error}: nested too deep", "")
        try:
            return self._event(item, raw_of).at(self.source, row, raw)
        except ValueError as error:
            return FeedReject(self.source, row, explain(error), raw)

    def _event(self, item: Any, raw_of: RawOf | None) -> FeedEvent:
        if not isinstance(item, dict):
            raise ValueError(f"a record must be a JSON object, but this is {str(item)[:60]!r}")
        if item.get("erase") is True:
            return _erase(item, self.side)
        if self.mapping:
            side = side_of(self.mapping, item, self.side)
            return self._from_raw(mapped(partial(at, item), self.mapping), side)
        if raw_of:
            return self._from_raw(raw_of(item), Side.VACANCY)
        if is_posting(item):
            return self._from_raw(raw_vacancy(item), Side.VACANCY)
        if is_resume(item):
            return self._from_raw(raw_candidate(item, self.now), Side.CANDIDATE)
        if self.side is None and ("title" in item) == ("titles" in item):
            raise ValueError(
                "this is neither a vacancy (with `title`) nor a candidate (with `titles`), nor a schema.org "
                "JobPosting, a JSON Resume or another known format; add the field, give --side, "
                "or map the fields with --map"
            )
        return contract_event(item, self.side or (Side.VACANCY if "title" in item else Side.CANDIDATE))

    def _from_raw(self, raw: Mapping[str, Any], side: Side) -> FeedEvent:
        if self.side not in (None, side):
            raise ValueError(f"this is a {side}, but the file was said to hold the {self.side} side")
        data, notes = record(raw, self.now)
        return event(data, side, notes)

    def document(self, document: Any) -> Iterator[Parsed]:
        """Every record of a document, numbered."""
        raw_of, found = records(document, self.mapping)
        for row, item in enumerate(found, start=1):
            yield self.item(item, row, raw_of)

    def reject(self, row: int, reason: str, raw: bytes = b"") -> FeedReject:
        return FeedReject(
            self.source, row, reason, raw[:1000].decode(errors="backslashreplace").rstrip("\r\n")
        )


def _erase(item: Json, side: Side | None) -> FeedEvent:
    chosen = side or item.get("side")
    if chosen not in list(Side):
        raise ValueError(f"side: {chosen!r} must be 'vacancy' or 'candidate' to erase")
    if not isinstance(item.get("id"), str) or not item["id"]:
        raise ValueError(f"id: {item.get('id')!r} must be the id of what to erase")
    return FeedEvent(Side(chosen), item["id"], None)

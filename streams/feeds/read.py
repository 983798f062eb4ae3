"""Files into events: what `rolecall publish` reads. Pure: no Kafka, and the clock is a parameter."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from rolecall.schemas.match import Side
from rolecall.streams.feeds import csv_table as feed_csv
from rolecall.streams.feeds.job_posting import is_posting, vacancy_from
from rolecall.streams.feeds.json_resume import candidate_from, is_resume
from rolecall.streams.feeds.json_values import many
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject, Parsed, event, explain

LONGEST_LINE = 16 * 2**20


def read(
    path: Path, *, now: datetime, side: Side | None = None, mapping: Mapping[str, str] | None = None
) -> Iterator[Parsed]:
    """Every record of a file, in order. The format shows in the content.

    `now` dates records that carry no date of their own. `side` says what contract lines and CSV rows are when
    their fields do not. `mapping` is for CSV: see `feed_csv.parse_mapping`.
    """
    with path.open("rb") as file:
        head = file.peek(8192).lstrip(b"\xef\xbb\xbf \t\r\n")
        if not head:
            yield FeedReject(str(path), 1, "the file is empty", "")
        elif head.startswith((b"\xff\xfe", b"\xfe\xff")):
            yield FeedReject(str(path), 1, "the file is UTF-16; save it as UTF-8", "")
        elif head[:1] in (b"{", b"[") or path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
            yield from _json_records(file, str(path), now, side)
        else:
            yield from feed_csv.rows(file, str(path), now=now, side=side, mapping=mapping)


def _json_records(file: BinaryIO, source: str, now: datetime, side: Side | None) -> Iterator[Parsed]:
    """JSONL when the first line is a document of its own, else one document."""
    if _starts_with_a_document(file):
        for row, line in _lines(file):
            if len(line) > LONGEST_LINE:
                yield FeedReject(
                    source, row, f"the line is longer than {LONGEST_LINE:,} bytes", _shown(line[:1000])
                )
            elif line.strip():
                yield from _json_line(line, source, row, now, side)
        return
    content = file.read()
    try:
        document = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        yield FeedReject(source, error.lineno, f"invalid JSON: {error}", _shown(content[:1000]))
        return
    for row, item in enumerate(_items(document), start=1):
        yield _from_item(item, source, row, now, side)


def _starts_with_a_document(file: BinaryIO) -> bool:
    """Whether one of the first two lines with text is whole: the first one may be broken."""
    whole = False
    lines = (line for _, line in _lines(file) if line.strip())
    for _, line in zip(range(2), lines, strict=False):
        try:
            whole = isinstance(orjson.loads(line), dict | list) or whole
        except orjson.JSONDecodeError:
            continue
    file.seek(0)
    return whole


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of one that is too long, its beginning."""
    row = 0
    while line := file.readline(LONGEST_LINE + 1):
        row += 1
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield row, line.removeprefix(b"\xef\xbb\xbf")


def _json_line(line: bytes, source: str, row: int, now: datetime, side: Side | None) -> Iterator[Parsed]:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        yield FeedReject(source, row, f"invalid JSON: {error}", _shown(line))
        return
    for item in _items(document):
        yield _from_item(item, source, row, now, side)


def _items(document: Any) -> list[Any]:
    """The records of a document. A graph with postings has other nodes too: pages, employers, breadcrumbs."""
    items = []
    for item in many(document):
        graph = item.get("@graph") if isinstance(item, dict) else None
        if graph is None:
            items.append(item)
        else:
            nodes = many(graph)
            items += [node for node in nodes if isinstance(node, dict) and is_posting(node)] or nodes
    return items


def _from_item(item: Any, source: str, row: int, now: datetime, side: Side | None) -> Parsed:
    try:
        raw = orjson.dumps(item).decode()
    except orjson.JSONEncodeError as error:
        return FeedReject(source, row, f"{error}: nested too deep", "")
    try:
        return _event_from(item, now, side)
    except ValueError as error:
        return FeedReject(source, row, explain(error), raw)


def _event_from(item: Any, now: datetime, side: Side | None) -> FeedEvent:
    if not isinstance(item, dict):
        raise ValueError(f"a record must be a JSON object, but this is {str(item)[:60]!r}")
    if item.get("erase") is True:
        return _erase(item, side)
    if is_posting(item):
        return _expected(event(vacancy_from(item, now), Side.VACANCY), side)
    if is_resume(item):
        return _expected(event(candidate_from(item, now), Side.CANDIDATE), side)
    if side is None and ("title" in item) == ("titles" in item):
        raise ValueError(
            "this is neither a vacancy (with `title`) nor a candidate (with `titles`), nor a schema.org "
            "JobPosting or a JSON Resume; add the field, or say which side the file is"
        )
    return event(item, side or (Side.VACANCY if "title" in item else Side.CANDIDATE))


def _erase(item: dict[str, Any], side: Side | None) -> FeedEvent:
    chosen = side or item.get("side")
    if chosen not in list(Side):
        raise ValueError(f"side: {chosen!r} must be 'vacancy' or 'candidate' to erase")
    if not isinstance(item.get("id"), str) or not item["id"]:
        raise ValueError(f"id: {item.get('id')!r} must be the id of what to erase")
    return FeedEvent(Side(chosen), item["id"], None)


def _expected(found: FeedEvent, side: Side | None) -> FeedEvent:
    if side not in (None, found.side):
        raise ValueError(f"this is a {found.side}, but the file was said to hold the {side} side")
    return found


def _shown(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace").rstrip("\r\n")

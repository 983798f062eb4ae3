"""Files into events: what `rolecall publish` reads. Pure: no Kafka, and the clock is a parameter."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import orjson
from defusedxml import DefusedXmlException
from python_calamine import CalamineError

from rolecall.schemas.match import Side
from rolecall.streams.feeds.files import large_json
from rolecall.streams.feeds.files.broken_json import Broken, Lost
from rolecall.streams.feeds.files.documents import (
    loads,
    page_documents,
    unpacked,
    xml_document,
    xml_members,
    xml_sample,
)
from rolecall.streams.feeds.files.gzipped import Unpacked
from rolecall.streams.feeds.files.sheets import SHEETS, parquet, sheet
from rolecall.streams.feeds.formats import csv_table
from rolecall.streams.feeds.formats.job_posting import postings
from rolecall.streams.feeds.formats.records import (
    RawOf,
    graph_nodes,
    items,
    path_in_large,
    records,
    records_of_member,
)
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject, Parsed
from rolecall.streams.feeds.reading import Reading
from rolecall.streams.feeds.values.json_values import Json, Names

__all__ = ["LONGEST_LINE", "FeedEvent", "FeedReject", "Parsed", "read"]
Sample = Callable[[BinaryIO], Any]
Members = Callable[[BinaryIO, Names], Iterator[Any]]
LONGEST_LINE = 16 * 2**20
LARGE_FILE = 16 * 2**20  # the records of a larger JSON or XML document are read one by one


def read(
    path: Path, *, now: datetime, side: Side | None = None, mapping: Mapping[str, str] | None = None
) -> Iterator[Parsed]:
    """Every record of a file, in order. The format shows in the content; gzip is unpacked.

    `now` dates records that carry no date of their own. `side` says what contract lines and rows are when
    their fields do not. `mapping`: see `mapping.parse_mapping`; of JSON and XML it names paths.
    """
    reading = Reading(str(path), now, side, mapping)
    with path.open("rb") as packed:
        file = unpacked(packed)
        raw, row = file.raw, 0
        for each in _records(file, path, reading):
            row = each.row
            yield each
        if isinstance(raw, Unpacked) and raw.damage:
            yield reading.reject(row + 1, f"the gzip file is damaged: {raw.damage}")


def _records(file: BufferedReader, path: Path, reading: Reading) -> Iterator[Parsed]:
    start = file.read(8192)
    file.seek(0)
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n\x00")
    lowered = head[:2000].lower()
    names = {suffix.lower() for suffix in path.suffixes}
    if not head:
        yield reading.reject(1, "the file is empty")
    elif start.startswith(SHEETS):
        yield from _sheet(file, reading)
    elif start.startswith(b"PAR1"):
        yield from _parquet(file, reading)
    elif (
        start.startswith((b"\xff\xfe", b"\xfe\xff"))
        and start.decode("utf-16", "replace").lstrip()[:1] in "[{"
    ):
        yield from _json(io.BytesIO(file.read().decode("utf-16", "replace").encode()), reading)
    elif head.startswith(b"<") and (b"<html" in lowered or b"<!doctype html" in lowered):
        yield from _page(file.read(), reading)
    elif head.startswith(b"<") or ".xml" in names:
        yield from _xml(file, reading)
    elif head[:1] in (b"{", b"[") or names & {".json", ".jsonl", ".ndjson"}:
        yield from _json(file, reading)
    elif names & {".html", ".htm"}:
        yield from _page(file.read(), reading)
    else:
        yield from _table(file, reading)


def _table(file: BufferedReader, reading: Reading) -> Iterator[Parsed]:
    raw, last = file.raw, None
    for each in csv_table.rows(
        file, reading.source, now=reading.now, side=reading.side, mapping=reading.mapping
    ):
        if last:
            yield last
        last = each
    if last and isinstance(raw, Unpacked) and raw.is_torn:
        yield reading.reject(last.row, "the row is torn, because the gzip file is damaged", last.raw.encode())
    elif last:
        yield last


def _sheet(file: BinaryIO, reading: Reading) -> Iterator[Parsed]:
    try:
        yield from csv_table.sheet_rows(
            sheet(file), reading.source, now=reading.now, side=reading.side, mapping=reading.mapping
        )
    except (CalamineError, ValueError) as error:
        yield reading.reject(1, f"no spreadsheet that can be read: {error}")


def _parquet(file: BinaryIO, reading: Reading) -> Iterator[Parsed]:
    row = 0
    try:
        for row, item in enumerate(parquet(file), start=1):
            yield reading.item(_timeless(item), row)
    except (ValueError, OSError) as error:
        yield reading.reject(row + 1, f"no Parquet that can be read: {error}")


def _timeless(item: Json) -> Json:
    """Times as text, and missing numbers left out."""
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in item.items()
        if value is not None and value == value
    }


def _page(page: bytes, reading: Reading) -> Iterator[Parsed]:
    found = [posting for document in page_documents(page) for posting in postings(document)]
    if not found:
        yield reading.reject(1, "the page has no JobPosting in application/ld+json", page)
    for row, item in enumerate(found, start=1):
        yield reading.item(item, row)


def _xml(file: BinaryIO, reading: Reading) -> Iterator[Parsed]:
    if len(file.read(LARGE_FILE + 1)) > LARGE_FILE:
        file.seek(0)
        yield from _large(file, reading, xml_sample, xml_members)
        return
    file.seek(0)
    try:
        document = xml_document(file)
    except (ParseError, DefusedXmlException, ValueError) as error:
        whole = _whole_members(file, reading, xml_sample, xml_members)
        yield from whole or [reading.reject(1, f"invalid XML: {error}")]
        return
    found = list(reading.document(document))
    yield from found or [
        reading.reject(1, "the XML holds no jobs of a known form; map the fields with --map")
    ]


def _json(file: BinaryIO, reading: Reading) -> Iterator[Parsed]:
    """JSONL when the first line is a document of its own, else one document, or several without lines."""
    if _starts_with_a_document(file):
        yield from _json_lines(file, reading)
        return
    content = file.read(LARGE_FILE + 1)
    if len(content) > LARGE_FILE and content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        del content
        if large_json.are_several(file):
            yield from _several(file, reading)
        else:
            yield from _large(file, reading, large_json.sample, large_json.members)
        return
    content += file.read()
    try:
        document = loads(content)
    except ValueError as error:
        if _are_records(content.splitlines(), Path(reading.source)):
            file.seek(0)
            yield from _json_lines(file, reading)  # the first lines are broken
        elif large_json.are_several(file):
            yield from _several(file, reading)
        else:
            row = error.__cause__.lineno if isinstance(error.__cause__, orjson.JSONDecodeError) else 1
            yield from _whole_members(file, reading, large_json.sample, large_json.members) or [
                reading.reject(row, str(error), content)
            ]
        return
    yield from reading.document(document)


def _several(file: BinaryIO, reading: Reading) -> Iterator[Parsed]:
    """Documents one after another without lines of their own, such as `{...}{...}`."""
    row = 0
    for document in _told(large_json.documents(file)):
        if isinstance(document, Broken):
            row += 1
            yield reading.reject(row, *document)
            continue
        for raw_of, item in _items(document, reading):
            row += 1
            yield reading.item(item, row, raw_of)


def _whole_members(file: BinaryIO, reading: Reading, sample: Sample, members: Members) -> list[Parsed]:
    """The records of a broken document as far as they are whole, and what is wrong with the rest."""
    file.seek(0)
    found = list(_large(file, reading, sample, members))
    return found if any(isinstance(each, FeedEvent) for each in found) else []


def _large(file: BinaryIO, reading: Reading, sample: Sample, members: Members) -> Iterator[Parsed]:
    """A document that is read twice: its beginning tells where its records are, then they come one by one."""
    document = sample(file)
    path = path_in_large(document, reading.mapping)
    if path is None:
        reason = "no list of this large document alone looks like its records; publish that list as a file"
        yield reading.reject(1, reason)
        return
    raw_of, nodes = records(document, reading.mapping).raw_of, {}
    if path[-1:] == ("@graph",):
        file.seek(0)
        nodes = graph_nodes(_told(members(file, path)))
    file.seek(0)
    row = 0
    for member in _told(members(file, path)):
        if isinstance(member, Broken):
            row += 1
            yield reading.reject(row, *member)
            continue
        for item in records_of_member(member, raw_of, nodes):
            row += 1
            yield reading.item(item, row, raw_of)


def _told(found: Iterator[Any]) -> Iterator[Any]:
    """The members, and what is wrong with the first that cannot be read."""
    try:
        yield from found
    except Lost as error:
        yield error.broken
    except (ValueError, ParseError, DefusedXmlException) as error:
        yield Broken(f"{error}; what stands after it is not read")


def _json_lines(file: BinaryIO, reading: Reading) -> Iterator[Parsed]:
    for row, line in _lines(file):
        if len(line) > LONGEST_LINE:
            yield reading.reject(row, f"the line is longer than {LONGEST_LINE:,} bytes", line)
        elif line.strip():
            yield from _json_line(line, row, reading)


def _are_records(lines: list[bytes], path: Path) -> bool:
    """Whether these are lines of JSONL, though the first ones are broken."""
    objects = [line for line in lines if line.lstrip()[:1] == b"{"]
    if len(objects) < 2 or _opens_a_list(lines[0]):
        return False
    is_jsonl = bool({".jsonl", ".ndjson"} & set(path.suffixes))
    is_indented = all(line.strip() == b"{" for line in objects)
    return any(map(_is_whole, objects[1:])) or (is_jsonl and not is_indented)


def _is_whole(line: bytes) -> bool:
    """Whether a line is a document of its own."""
    try:
        return isinstance(loads(line), dict | list)
    except ValueError:
        return False


def _starts_with_a_document(file: BinaryIO) -> bool:
    """Whether one of the first two lines with text is whole: the first one may be broken."""
    lines = [
        line for _, line in zip(range(2), (line for _, line in _lines(file) if line.strip()), strict=False)
    ]
    file.seek(0)
    return len(lines) > 1 and not _opens_a_list(lines[0]) and any(map(_is_whole, lines))


def _opens_a_list(line: bytes) -> bool:
    """`[` or `{"jobs": [`."""
    return line.rstrip().endswith(b"[")


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of one that is too long, its beginning."""
    row = 0
    while line := file.readline(LONGEST_LINE + 1):
        row += 1
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield row, line.removeprefix(b"\xef\xbb\xbf")


def _json_line(line: bytes, row: int, reading: Reading) -> Iterator[Parsed]:
    try:
        document = loads(line)
    except ValueError as error:
        if large_json.are_several(file := io.BytesIO(line)):
            for each in _several(file, reading):
                yield replace(each, row=row)
        else:
            yield reading.reject(row, str(error), line)
        return
    raw = line.decode(errors="replace").strip() if _is_one(document) and "@graph" not in document else ""
    for raw_of, item in _items(document, reading):
        yield reading.item(item, row, raw_of, raw)


def _is_one(document: Any) -> bool:
    """Whether a document is certainly one record, or the node of one."""
    return isinstance(document, dict) and not document.keys().isdisjoint(("occurred_at", "@type", "basics"))


def _items(document: Any, reading: Reading) -> Iterator[tuple[RawOf | None, Any]]:
    """The records of one of several documents."""
    if _is_one(document):
        return ((None, item) for item in items(document, reading.mapping))
    raw_of, found = records(document, reading.mapping)
    return ((raw_of, item) for item in found)

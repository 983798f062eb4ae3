"""A large document is read record by record, with the same result as a small one."""

import gzip
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.streams.feeds import read as reader
from rolecall.streams.feeds.files import large_json
from rolecall.streams.feeds.files.large_json import members
from rolecall.streams.feeds.parsed import FeedReject

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LISTS: list[list[Any]] = [
    [],
    [1, 23, 456, "a]b", {"x": [1, {"y": "}"}]}, None, True, [[]], 'ü\\"', 1.5e3],
    [{"id": str(n), "text": "x" * n} for n in range(60)],
]
MANY = range(120)
JOBS = [{"id": n, "title": "Miller", "absolute_url": "u", "updated_at": "2026-11-20"} for n in MANY]
LEVER = [{"id": str(n), "text": "Miller", "categories": {"location": "Gent"}} for n in MANY]
POSTINGS = [
    {"@type": "JobPosting", "title": "Miller", "identifier": str(n), "hiringOrganization": {"@id": "#mill"}}
    for n in MANY
]
MILL = {"@type": "Organization", "@id": "#mill", "name": "Mill"}
OWN = [{"id": str(n), "occurred_at": "2026-11-20T09:00:00Z", "title": "Miller"} for n in MANY]
HR_OPEN = [{"documentId": {"value": str(n)}, "positionTitle": "Miller"} for n in MANY]
XML_JOB = "<job><title>Miller</title><company>Mill</company><id>{}</id><city>Gent</city></job>"
XML_JOBS = "".join(map(XML_JOB.format, MANY))
RSS_ITEM = "<item><title>Miller</title><guid>{}</guid></item>"
OPENING = "<DocumentID>{}</DocumentID><PositionTitle>Miller</PositionTitle>"
OPENING_XML = f"<ho:PositionOpening>{OPENING}</ho:PositionOpening>"
DOCUMENTS: dict[str, Any] = {
    "a list in an object": {"meta": {"total": 1, "pages": []}, "jobs": JOBS},
    "a list": [*LEVER, {"id": "torn"}],
    "a nested list": {"data": {"result": OWN, "facets": [{"name": "x"}]}, "count": 120},
    "a graph whose employer comes last": {"@context": "x", "@graph": [*POSTINGS, MILL]},
    "a list of items": {"@type": "ItemList", "itemListElement": [{"item": each} for each in POSTINGS]},
    "HR Open": {"positionOpenings": HR_OPEN},
    "terms among the jobs": [{"legal": "x"}, *({"position": "Miller", "epoch": 1, "id": n} for n in MANY)],
}
XML = {
    "jobs": f"<source><publisher>x</publisher>{XML_JOBS}</source>",
    "openings": f"<a xmlns:ho='h'><b>{''.join(map(OPENING_XML.format, MANY))}</b></a>",
    "torn": f"<source>{XML_JOBS}<job><title>",
}


@pytest.mark.parametrize("document", LISTS)
@pytest.mark.parametrize("piece", [2, 3, 7, 1000])
@pytest.mark.parametrize("around", ["{}", '{{"a": {{"b": {}, "c": 12}}}}'])
def test_members_are_those_of_the_document(
    monkeypatch: pytest.MonkeyPatch, document: list[Any], piece: int, around: str
) -> None:
    monkeypatch.setattr(large_json, "PIECE", piece)
    path = ("a", "b") if "a" in around else ()
    for indent in (None, 2):
        content = "\ufeff " + around.format(json.dumps(document, indent=indent))
        assert list(members(io.BytesIO(content.encode()), path)) == document


def read_as_large(monkeypatch: pytest.MonkeyPatch, path: Path, **options: Any) -> list[Any]:
    monkeypatch.setattr(reader, "LARGE_FILE", 0)
    return list(reader.read(path, now=NOW, **options))


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_large_json_document_is_read_like_a_small_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, pack: Any
) -> None:
    path = tmp_path / "feed.json"
    path.write_bytes(pack(orjson.dumps(DOCUMENTS[kind])))
    small = list(reader.read(path, now=NOW))
    assert len(small) == 121 if kind == "a list" else 120
    assert read_as_large(monkeypatch, path) == small


@pytest.mark.parametrize("kind", ["jobs", "openings"])
def test_large_xml_is_read_like_a_small_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(XML[kind])
    small = list(reader.read(path, now=NOW))
    assert len(small) == 120
    assert read_as_large(monkeypatch, path) == small


def test_paths_are_mapped_in_a_large_document_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "feed.rss"
    items = "".join(map(RSS_ITEM.format, MANY))
    path.write_text(f"<rss><channel><title>Jobs of Mill</title>{items}</channel></rss>")
    mapping = {"id": "guid", "title": "title"}
    small = list(reader.read(path, now=NOW, mapping=mapping))
    assert len(small) == 120
    assert read_as_large(monkeypatch, path, mapping=mapping) == small


def test_what_a_torn_document_had_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    xml, own = tmp_path / "feed.xml", tmp_path / "own.json"
    xml.write_text(XML["torn"])
    own.write_bytes(b'[{"id":"1","occurred_at":"2026-11-20T09:00:00Z","title":"Miller"},\n{"id": ,}]')
    for path, whole in ((xml, 120), (own, 1)):
        *events, last = read_as_large(monkeypatch, path)
        assert len(events) == whole
        assert not any(isinstance(each, FeedReject) for each in events)
        assert isinstance(last, FeedReject)


def test_a_large_document_with_two_lists_of_records_is_not_guessed_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "feed.json"
    path.write_bytes(orjson.dumps({"a": OWN, "b": OWN}))
    (found,) = read_as_large(monkeypatch, path)
    assert isinstance(found, FeedReject)

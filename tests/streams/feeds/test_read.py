"""Formats told by their content: one small file of each, with values made up here."""

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.streams.feeds import read as reader
from rolecall.streams.feeds.mapping import parse_mapping
from rolecall.streams.feeds.read import FeedEvent, FeedReject, read
from rolecall.streams.feeds.suggest import suggest
from tests.streams.feeds.reading import said

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def values(tmp_path: Path, content: bytes, name: str = "feed", mapping: str = "") -> list[dict[str, Any]]:
    path = tmp_path / name
    path.write_bytes(content)
    pairs = parse_mapping(mapping.split("|")) if mapping else None
    found = list(read(path, now=NOW, mapping=pairs))
    return [said(each) for each in found]


def test_a_page_gives_its_ld_json(tmp_path: Path) -> None:
    posting = '{"@type":"JobPosting","title":"Miller","identifier":"7"}'
    page = f'<html><script type="application/ld+json">{posting}</script>'
    assert [each["id"] for each in values(tmp_path, page.encode())] == ["7"]


def test_references_in_a_graph_are_followed(tmp_path: Path) -> None:
    graph = [
        {"@type": "Organization", "@id": "#o", "name": "Mills &amp; S&ouml;hne"},
        {"@type": "JobPosting", "title": "Miller", "identifier": "7", "hiringOrganization": {"@id": "#o"}},
    ]
    (found,) = values(tmp_path, orjson.dumps({"@graph": graph}))
    assert (found["id"], found["employer"]) == ("Mills & Söhne/7", "Mills & Söhne")


def test_an_xml_feed(tmp_path: Path) -> None:
    job = (
        "<job><title><![CDATA[Miller]]></title><company>Mill</company>"
        "<referencenumber>7</referencenumber>"
        "<city>Gent</city><country>BE</country><salary>2.900 € / month</salary></job>"
    )
    first, _ = values(
        tmp_path, f"<?xml version='1.0'?><source>{job}{job.replace('7', '8')}</source>".encode()
    )
    assert (first["id"], first["location"]) == ("xml/7", {"country": "BE", "city": "Gent"})
    assert first["salary"] == {"min": 2900.0, "max": 2900.0, "currency": "EUR", "period": "month"}


def test_an_xml_feed_in_utf_16(tmp_path: Path) -> None:
    job = "<source><job><title>Miller</title><id>7</id><city>Łódź</city></job></source>"
    (found,) = values(
        tmp_path, job.encode("utf-16"), "feed.xml", "id=job.id|title=job.title|location.city=job.city"
    )
    assert (found["title"], found["location"]["city"]) == ("Miller", "Łódź")


@pytest.mark.parametrize(
    ("name", "reason"), [("feed.xml", "invalid XML"), ("page.html", "the page has no JobPosting")]
)
def test_what_its_name_promises_and_its_content_is_not_is_rejected(
    tmp_path: Path, name: str, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b";")
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedReject)
    assert reason in found.reason


@pytest.mark.parametrize("large", [16 * 2**20, 0])
def test_an_xml_bomb_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int) -> None:
    monkeypatch.setattr(reader, "LARGE_FILE", large)
    path = tmp_path / "bomb.xml"
    path.write_text('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedReject)


def test_jobs_before_a_fault_of_xml_are_read(tmp_path: Path) -> None:
    job = "<job><id>{}</id><title>Miller</title><company>Mill</company></job>"
    path = tmp_path / "feed.xml"
    path.write_text(f"<source>{job.format(1)}{job.format(2)}<job><id>3</i></job></source>")
    found = list(read(path, now=NOW))
    assert [each.id for each in found if isinstance(each, FeedEvent)] == ["xml/1", "xml/2"]
    assert [each.row for each in found if isinstance(each, FeedReject)] == [3]


def test_a_second_root_of_xml_is_told(tmp_path: Path) -> None:
    job = "<job><id>{}</id><title lang='en'>Miller</title><company>Mill</company></job>"
    path = tmp_path / "feed.xml"
    path.write_text(f"<source>{job.format(1)}</source>\n<source>{job.format(2)}</source>")
    event, reject = read(path, now=NOW)
    assert said(event)["title"] == "Miller"
    assert isinstance(reject, FeedReject)
    assert reject.reason.startswith("junk after document element: line 2")


def test_paths_of_json_are_mapped(tmp_path: Path) -> None:
    items = [{"nr": 4, "role": {"name": "Miller"}, "office": {"city": "Gent", "land": "Belgium"}}]
    mapping = "id=nr|title=role.name|location={office.city}, {office.land}"
    (found,) = values(tmp_path, orjson.dumps(items), mapping=mapping)
    assert (found["id"], found["title"], found["location"]["country"]) == ("4", "Miller", "BE")


def test_gzip_is_unpacked(tmp_path: Path) -> None:
    assert values(tmp_path, gzip.compress(b"id,title\n1,Miller\n"))[0]["title"] == "Miller"


def test_broken_first_lines_do_not_cost_the_others(tmp_path: Path) -> None:
    line = b'{"id":"%d","occurred_at":"2026-11-20T09:00:00Z","title":"Miller"}\n'
    path = tmp_path / "feed.jsonl"
    path.write_bytes((line % 1)[5:] + (line % 2).replace(b"Miller", b"M\xff") + line % 3 + line % 4)
    path.write_bytes(b"{" + path.read_bytes())
    assert [type(each).__name__ for each in read(path, now=NOW)] == ["FeedReject"] * 2 + ["FeedEvent"] * 2


def test_a_damaged_gzip_file_is_told(tmp_path: Path) -> None:
    whole = gzip.compress(b"id,title\n" + b"".join(b"%d,Miller %d\n" % (n, n * n) for n in range(500)))
    path = tmp_path / "feed.csv.gz"
    path.write_bytes(whole[:100] + b"\0\xff\0" + whole[103:])
    found = list(read(path, now=NOW))
    assert isinstance(found[-1], FeedReject)
    assert found[-1].reason.startswith("the gzip file is damaged")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": [1], "title": ["Miller"], "country": ["NO"]}), buffer)
    (found,) = values(tmp_path, buffer.getvalue(), mapping="id=id|title=title|location.country=country")
    assert found["location"] == {"country": "NO"}


def test_what_stands_before_the_header_is_skipped(tmp_path: Path) -> None:
    text = b'Export of today\n"some rows, perhaps"\n\nid;title (name, role)\n1;Miller\n'
    assert values(tmp_path, text, mapping="id=id|title=title (name, role)")[0]["title"] == "Miller"


def test_a_quote_that_is_not_closed_costs_its_line_only(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text('id,title,place\n1,"Miller,Gent\n2,Baker,Gent\n3,"Cook, pastry",Gent\n')
    found = list(read(path, now=NOW))
    assert [each.row for each in found if isinstance(each, FeedReject)] == [2]
    assert [each.id for each in found if isinstance(each, FeedEvent)] == ["2", "3"]


def test_quotes_may_be_escaped_by_a_backslash(tmp_path: Path) -> None:
    text = b'"id","title","place"\n"1","Miller \\"night\\", mill 3","Gent"\n'
    assert values(tmp_path, text)[0]["title"] == 'Miller "night", mill 3'


def test_half_an_emoji_becomes_a_replacement_character(tmp_path: Path) -> None:
    line = (
        b'{"id":"1","occurred_at":"2026-11-20T09:00:00Z","title":"Miller","description":"Join us \\ud83d"}\n'
    )
    assert values(tmp_path, line)[0]["description"] == "Join us \ufffd"


def test_a_contract_line_is_mended_where_that_is_certain(tmp_path: Path) -> None:
    line = {
        "id": "1", "occurred_at": "2026-11-20T09:00:00Z", "title": "R&amp;D miller", "skills": None,
        "expires_at": "31.12.2026", "salary": {"min": 3000, "currency": "zł", "period": "month"},
        "location": {"city": "USA-TX-Austin"}, "Status": "closed",
    }  # fmt: skip
    path = tmp_path / "feed.jsonl"
    path.write_bytes(orjson.dumps(line))
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedEvent)
    value = orjson.loads(found.value or b"")
    assert (value["title"], value["expires_at"]) == ("R&D miller", "2026-12-31T23:59:59Z")
    assert (value["salary"]["currency"], value["location"]) == ("PLN", {"country": "US", "city": "Austin"})
    assert [note.field for note in found.notes] == ["Status"]


def test_a_mapping_is_suggested_from_names_and_contents(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("jobId;Titel;Ort;Gehalt von;Laune\n1;Müller;Gent;3.000;gut\n")
    assert list(suggest(path)) == [
        "id=jobId",
        "title=Titel",
        "location=Ort",
        "salary.min=Gehalt von",
        "# Laune: no field fits; for example 'gut'",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.xml", b"<x><offers><offer><ref>7</ref><title>Miller</title></offer><offer><ref>8</ref>"
                  b"<title>Baker</title></offer></offers></x>"),
        ("a.json", b'{"total": 2, "offers": [{"ref": 7, "title": "Miller"}, {"ref": 8, "title": "Baker"}]}'),
        ("a.jsonl", b'{"ref": 7, "title": "Miller"}\n{"ref": 8, "title": "Baker"}\n'),
        ("a.csv.gz", gzip.compress(b"sep=;\nref;title\n7;Miller\n")),
    ],
)  # fmt: skip
def test_a_mapping_is_suggested_for_every_kind_of_file(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert list(suggest(path)) == ["# ref: no field fits; for example '7'", "title=title"]


def test_a_page_in_another_encoding_is_read_in_it(tmp_path: Path) -> None:
    posting = '<!--{"@type":"schema:JobPosting","title":"Müllerin","identifier":"7"}-->'
    page = f'<html><meta charset="iso-8859-1"><script type="application/ld+json">{posting}</script>'
    assert [each["title"] for each in values(tmp_path, page.encode("latin-1"))] == ["Müllerin"]


def test_a_reference_behind_a_reference_is_followed(tmp_path: Path) -> None:
    graph = [
        {"@id": "#a", "@type": "PostalAddress", "addressLocality": ["Vigo"], "addressCountry": ["ES"]},
        {"@id": "#p", "@type": "Place", "address": {"@id": "#a"}},
        {"@type": "JobPosting", "title": ["Miller"], "identifier": "7", "jobLocation": {"@id": "#p"}},
    ]
    (found,) = values(tmp_path, orjson.dumps({"@graph": graph}))
    assert found["location"] == {"country": "ES", "city": "Vigo"}


def test_a_workplace_that_is_not_telecommuting_is_not_remote(tmp_path: Path) -> None:
    posting = {"@type": "JobPosting", "title": "Miller", "identifier": "7"}
    for kind, workplace in {"NOT_TELECOMMUTE": None, "TELECOMMUTE": "remote", "HYBRID": "hybrid"}.items():
        (found,) = values(tmp_path, orjson.dumps(posting | {"jobLocationType": kind}))
        assert found.get("workplace") == workplace


@pytest.mark.parametrize(
    "posting",
    [{"identifier": "n/a"}, {"identifier": {"value": 0}}, {"url": "https://mills.example/2026/jobs"}],
)
def test_what_is_no_number_of_a_posting_is_no_id(tmp_path: Path, posting: dict[str, Any]) -> None:
    twins = [{"@type": "JobPosting", "title": "Miller", "skills": s} | posting for s in ("oats", "rye")]
    found = values(tmp_path, orjson.dumps(twins))
    assert len({each["id"] for each in found}) == 2


def test_a_document_that_breaks_off_keeps_its_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    one = '{"id": "%d", "occurred_at": "2026-11-01T00:00:00Z", "title": "Miller"}'
    path.write_text(f'[{one % 1},\n{one % 2},\n{{"id": "3", "tit')
    found = list(read(path, now=NOW))
    assert [each.id for each in found if isinstance(each, FeedEvent)] == ["1", "2"]
    assert [each.row for each in found if isinstance(each, FeedReject)] == [3]


def test_a_comma_behind_the_last_record_costs_nothing(tmp_path: Path) -> None:
    one = b'{"id": "1", "occurred_at": "2026-11-01T00:00:00Z", "title": "Miller"}'
    assert [each["id"] for each in values(tmp_path, b"[" + one + b",]")] == ["1"]

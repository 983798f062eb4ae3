import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.feeds.mapping import parse_mapping
from rolecall.streams.feeds.parsed import Parsed
from rolecall.streams.feeds.read import FeedEvent, FeedReject, read
from tests.streams.feeds.reading import said

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOW_MS = 1_795_338_000_000
HEADER = (
    "company,platform,jobId,title,department,locations,isRemote,employmentType,applyUrl,postedAt,scrapedAt"
)
DOCUMENTED = Path(__file__).parents[4] / "docs" / "feeds.md"
OPEN_JOBS = parse_mapping(re.findall(r"--map '?([^'\s]+=[^'\s]+)'? ?\\?$", DOCUMENTED.read_text(), re.M))


def parsed(
    tmp_path: Path, text: str | bytes, mapping: dict[str, str] | None = None, side: Side | None = None
) -> list[Parsed]:
    path = tmp_path / "feed.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read(path, now=NOW, side=side, mapping=mapping))


def one(found: list[Parsed]) -> dict[str, Any]:
    (event,) = found
    return said(event)


def reason(found: list[Parsed]) -> str:
    (reject,) = found
    assert isinstance(reject, FeedReject)
    return reject.reason


def cell(tmp_path: Path, field: str, value: str) -> Any:
    """The value that a cell gets in a vacancy or candidate."""
    title = "titles" if field in ("summary", "workplaces", "work_countries", "experience_years") else "title"
    quoted = '"' + value.replace('"', '""') + '"'
    mapping = parse_mapping(["id=id", f"{title}=title", f"{field}=cell"])
    return one(parsed(tmp_path, f"id,title,cell\n1,Baker,{quoted}\n", mapping)).get(field)


def test_the_documented_mapping_reads_a_row_of_a_scraped_feed(tmp_path: Path) -> None:
    row = 'Stripe,greenhouse,79,"Account Executive, AI",,"San Francisco, CA",true,FullTime,https://x,'
    dates = "2026-06-02T08:58:57-04:00,2026-08-04T08:24:44.032Z"
    assert one(parsed(tmp_path, f"{HEADER}\n{row}{dates}\n", OPEN_JOBS)) == {
        "id": "greenhouse-79",
        "title": "Account Executive, AI",
        "location": {"country": "US", "city": "San Francisco"},
        "workplace": "remote",
        "employment_types": ["full_time"],
        "occurred_at": "2026-06-02T08:58:57-04:00",
        "revision": 1_785_831_884_032,
    }


def test_empty_cells_leave_their_fields_out_and_dates_fall_back_to_now(tmp_path: Path) -> None:
    mapping = OPEN_JOBS | {"id": "jobId"}
    del mapping["revision"]
    assert one(parsed(tmp_path, f"{HEADER}\nStripe,lever,79,Baker,,,,,,,\n", mapping)) == {
        "id": "79",
        "title": "Baker",
        "occurred_at": "2026-11-22T09:00:00Z",
        "revision": NOW_MS,
    }


def test_a_candidate_with_every_field(tmp_path: Path) -> None:
    header = (
        "id;titles;summary;skills;experience_years;location.country;location.city;location.lat;location.lon;"
        "radius_km;relocate;workplaces;work_countries;languages;seniority;employment_types;salary.min;"
        "salary.currency;salary.period;available_from;status"
    )
    row = (
        '7;"Baker|Pastry chef";Bread;"kneading, proofing";3.5;germany;Köln;50.94;6.96;40;yes;'
        '"hybrid, on-site";"DE, Austria";"German (native), en: B2";Sr.;"part-time";42,000;eur;per year;'
        "2027-01-01;OPEN"
    )
    assert one(parsed(tmp_path, f"{header}\n{row}\n")) == {
        "id": "7",
        "occurred_at": "2026-11-22T09:00:00Z",
        "revision": NOW_MS,
        "titles": ["Baker", "Pastry chef"],
        "summary": "Bread",
        "skills": ["kneading", "proofing"],
        "experience_years": 3.5,
        "location": {"country": "DE", "city": "Köln", "lat": 50.94, "lon": 6.96},
        "radius_km": 40.0,
        "relocate": True,
        "workplaces": ["hybrid", "onsite"],
        "work_countries": ["DE", "AT"],
        "languages": [{"code": "de", "level": "C2"}, {"code": "en", "level": "B2"}],
        "seniority": "senior",
        "employment_types": ["part_time"],
        "salary": {"min": 42000.0, "currency": "EUR", "period": "year"},
        "available_from": "2027-01-01T00:00:00Z",
        "status": "open",
    }


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("Full-time", ["full_time"]),
        ("FullTime", ["full_time"]),
        ("full time", ["full_time"]),
        ("Permanent", None),
        ("no part-time", None),
        ("parttime_permanent", ["part_time"]),
        ("fulltime_fixed_term", ["full_time", "temporary"]),
        ("Temp Full-time", ["full_time", "temporary"]),
        ("Independent Contractor (FT)", ["contract", "full_time"]),
        ("Intern", ["internship"]),
        ("International", None),
        ("US Employee", None),
    ],
)
def test_spellings_of_employment_types(tmp_path: Path, text: str, types: list[str] | None) -> None:
    assert cell(tmp_path, "employment_types", text) == types


@pytest.mark.parametrize(
    ("text", "workplace"),
    [
        ("true", "remote"),
        ("false", None),
        ("Fully remote", "remote"),
        ("On-site", "onsite"),
        ("Hybrid", "hybrid"),
    ],
)
def test_spellings_of_workplaces(tmp_path: Path, text: str, workplace: str | None) -> None:
    assert cell(tmp_path, "workplace", text) == workplace


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-24 09:52:46 UTC", "2026-06-24T09:52:46Z"),
        ("2026-06-24", "2026-06-24T00:00:00Z"),
        ("1785831884", "2026-08-04T08:24:44Z"),
        ("1785831884032", "2026-08-04T08:24:44.032000Z"),
    ],
)
def test_spellings_of_dates(tmp_path: Path, text: str, moment: str) -> None:
    assert cell(tmp_path, "occurred_at", text) == moment


def test_a_date_of_expiry_includes_its_day(tmp_path: Path) -> None:
    assert cell(tmp_path, "expires_at", "2026-12-31") == "2026-12-31T23:59:59Z"


def test_html_is_stripped_from_descriptions(tmp_path: Path) -> None:
    assert cell(tmp_path, "description", "<p>Bread</p><p>Cake</p>") == "Bread\nCake"


def test_a_cell_may_span_lines_and_rows_count_as_in_a_spreadsheet(tmp_path: Path) -> None:
    text = 'id,title,description\n1,Baker,"two\nlines"\n2,,x\n'
    event, reject = parsed(tmp_path, text)
    assert isinstance(event, FeedEvent)
    assert isinstance(reject, FeedReject)
    assert (reject.row, reject.reason, reject.raw) == (3, "title: Field required", "2,,x")


def test_a_constant(tmp_path: Path) -> None:
    mapping = parse_mapping(["id=id", "title=title", "salary.max=pay", "salary.currency==EUR"])
    found = one(parsed(tmp_path, "id,title,pay\n1,Baker,42k\n", mapping))
    assert found["salary"] == {"max": 42000.0, "currency": "EUR"}


def test_a_salary_without_currency_is_left_out(tmp_path: Path) -> None:
    assert "salary" not in one(parsed(tmp_path, "id,title,salary.min\n1,Baker,42000\n"))


def test_a_salary_of_an_unknown_period_is_left_out(tmp_path: Path) -> None:
    text = "id,title,salary.min,salary.currency,salary.period\n1,Baker,900,EUR,per project\n"
    assert "salary" not in one(parsed(tmp_path, text))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_the_mark_of_an_encoding_is_heeded(tmp_path: Path, encoding: str) -> None:
    assert one(parsed(tmp_path, "id,title\n1,Bäcker\n".encode(encoding)))["title"] == "Bäcker"


def test_a_mapping_may_come_from_the_lines_of_a_file() -> None:
    assert parse_mapping(["# bakeries", "", "title = job"]) == {"title": "job"}


def test_a_place_says_that_work_is_remote(tmp_path: Path) -> None:
    found = one(parsed(tmp_path, "id,title,location\n1,Baker,Remote - US\n"))
    assert (found["workplace"], found["location"]) == ("remote", {"country": "US"})


def test_two_ids_too_long_to_publish_stay_apart(tmp_path: Path) -> None:
    mapping = parse_mapping(["id={a}-{b}", "title=a"])
    found = parsed(tmp_path, f"a,b\nMiller,{'y' * 300}1\nMiller,{'y' * 300}2\n", mapping)
    ids = {each.id for each in found if isinstance(each, FeedEvent)}
    assert len(ids) == 2
    assert max(map(len, ids)) <= 200


def test_a_number_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    (event,) = parsed(tmp_path, "id,title,salary.min,salary.currency\n1,Baker,plenty,EUR\n")
    assert isinstance(event, FeedEvent)
    assert [note.field for note in event.notes] == ["salary"]
    assert orjson.loads(event.line())["kept"] is True


def test_a_row_with_too_many_cells_is_told_the_way_out(tmp_path: Path) -> None:
    assert reason(parsed(tmp_path, "id,title\n1,Baker, Night\n")) == (
        "3 cells, but the header has 2; put quotes around a cell that holds ','"
    )


def test_bytes_that_are_no_utf8_cost_one_row(tmp_path: Path) -> None:
    broken, whole, _ = parsed(tmp_path, b"id,title\n1,B\xe4cker\n2,Fris\xc3\xb6r\n3,Fris\xc3\xb6r\n")
    assert isinstance(whole, FeedEvent)
    assert isinstance(broken, FeedReject)
    assert broken.raw == "1,B\\xe4cker"
    assert "not UTF-8" in broken.reason


def test_a_file_in_windows_1252_is_read(tmp_path: Path) -> None:
    rows = "id;title\n1;Pflegefachkräfte für München\n2;Verkäuferin für Süßwaren\n"
    first, _ = parsed(tmp_path, rows.encode("cp1252"))
    assert isinstance(first, FeedEvent)
    assert orjson.loads(first.value or b"")["title"] == "Pflegefachkräfte für München"


def test_a_mapping_of_an_absent_column_is_one_reject_with_the_way_out(tmp_path: Path) -> None:
    found = parsed(tmp_path, "id,name\n1,a\n2,b\n", parse_mapping(["id=id", "title=job"]))
    assert reason(found) == (
        "title: there is no column 'job'; the columns are id, name; for a constant write title==job"
    )


def test_a_csv_of_neither_side_is_one_reject(tmp_path: Path) -> None:
    assert reason(parsed(tmp_path, "a,b\n1,2\n")).startswith("map either `title`, for vacancies, or `titles`")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("title", "'title' is not a mapping; write field=column, such as title=jobTitle"),
        ("titel=x", "'titel' is not a field; the fields are "),
    ],
)
def test_a_mapping_that_cannot_be_read(pair: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_mapping([pair])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_shows_without_its_mark(tmp_path: Path, encoding: str) -> None:
    assert one(parsed(tmp_path, "id,title\n1,Bäcker\n".encode(encoding)))["title"] == "Bäcker"


def test_two_columns_of_one_name_must_say_the_same(tmp_path: Path) -> None:
    found = parsed(
        tmp_path, b"id,title,employer,employer\n1,Miller,Mills,Bread\n2,Miller,Mills,\n3,Miller,,\n"
    )
    assert [said(each).get("employer") for each in found] == [None, "Mills", None]
    assert [len(each.notes) for each in found if isinstance(each, FeedEvent)] == [1, 0, 0]


def test_a_stray_byte_does_not_turn_the_header_into_another_alphabet(tmp_path: Path) -> None:
    found = parsed(tmp_path, b"id,title,location\n1,Miller,Vigo\n3\x97@b,Cook,Bn\n4,Baker,Linz\n")
    assert [said(each)["title"] for each in found] == ["Miller", "Cook", "Baker"]


def test_a_formula_that_keeps_zeros_is_its_text(tmp_path: Path) -> None:
    assert one(parsed(tmp_path, 'id,title\n="007",Miller\n'))["id"] == "007"


def test_quotes_behind_a_delimiter_and_a_blank(tmp_path: Path) -> None:
    found = one(parsed(tmp_path, 'id, "title", location\n1, "Miller, night", "Gent, BE"\n'))
    assert (found["title"], found["location"]) == ("Miller, night", {"country": "BE", "city": "Gent"})


def test_columns_with_capitals_are_those_of_the_fields(tmp_path: Path) -> None:
    found = one(parsed(tmp_path, "ID;Title;Location\n1;Miller;Gent, BE\n"))
    assert (found["id"], found["title"]) == ("1", "Miller")
    both = one(parsed(tmp_path, "id;Title;title\n1;Dr.;Miller\n"))
    assert both["title"] == "Miller"

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.feeds.parsed import Parsed
from rolecall.streams.feeds.read import LONGEST_LINE, FeedEvent, FeedReject, read

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
VACANCY = {"id": "v1", "occurred_at": "2026-11-01T00:00:00Z", "title": "Baker"}
CANDIDATE = {"id": "c1", "occurred_at": "2026-11-01T00:00:00Z", "titles": ["baker"]}


def parsed(
    tmp_path: Path, content: bytes, *, side: Side | None = None, name: str = "feed.jsonl"
) -> list[Parsed]:
    path = tmp_path / name
    path.write_bytes(content)
    return list(read(path, now=NOW, side=side))


def lines(*records: object) -> bytes:
    return b"\n".join(map(orjson.dumps, records))


def reason(found: list[Parsed]) -> str:
    (reject,) = (each for each in found if isinstance(each, FeedReject))
    return reject.reason


def test_title_makes_a_vacancy_and_titles_a_candidate(tmp_path: Path) -> None:
    assert parsed(tmp_path, lines(VACANCY, CANDIDATE)) == [
        FeedEvent(Side.VACANCY, "v1", b'{"id":"v1","occurred_at":"2026-11-01T00:00:00Z","title":"Baker"}'),
        FeedEvent(
            Side.CANDIDATE, "c1", b'{"id":"c1","occurred_at":"2026-11-01T00:00:00Z","titles":["baker"]}'
        ),
    ]


def test_side_forces_the_contract(tmp_path: Path) -> None:
    assert reason(parsed(tmp_path, lines(VACANCY), side=Side.CANDIDATE)) == "titles: Field required"


def test_fields_the_contract_does_not_know_are_left_behind(tmp_path: Path) -> None:
    (event,) = parsed(tmp_path, lines(CANDIDATE | {"name": "Jane Roe", "email": "jane@example.org"}))
    assert isinstance(event, FeedEvent)
    assert event.value is not None
    assert set(orjson.loads(event.value)) == {"id", "occurred_at", "titles"}


def test_a_reject_names_field_value_and_cause(tmp_path: Path) -> None:
    found = parsed(tmp_path, lines(VACANCY | {"location": {"lat": 91, "lon": 0}}))
    assert reason(found) == "location.lat: Input should be less than or equal to 90, but it is '91'"


def test_a_reject_keeps_file_line_and_text(tmp_path: Path) -> None:
    found = parsed(tmp_path, lines(VACANCY) + b"\n\n{broken\n" + lines(CANDIDATE))
    assert [type(each) for each in found] == [FeedEvent, FeedReject, FeedEvent]
    reject = found[1]
    assert isinstance(reject, FeedReject)
    assert (reject.source, reject.row, reject.raw) == (str(tmp_path / "feed.jsonl"), 3, "{broken")
    assert orjson.loads(reject.line())["reason"].startswith("invalid JSON: ")


def test_a_broken_first_line_does_not_cost_the_others(tmp_path: Path) -> None:
    found = parsed(tmp_path, b'{"id": \n' + lines(VACANCY, CANDIDATE))
    assert [type(each) for each in found] == [FeedReject, FeedEvent, FeedEvent]


def test_one_broken_document_is_one_reject(tmp_path: Path) -> None:
    found = parsed(tmp_path, b'{\n"id": "v1",\n"title": \n}\n')
    assert [each.row for each in found if isinstance(each, FeedReject)] == [4]


@pytest.mark.parametrize("indent", [None, orjson.OPT_INDENT_2])
def test_a_json_array_holds_many_records(tmp_path: Path, indent: int | None) -> None:
    found = parsed(tmp_path, orjson.dumps([VACANCY, CANDIDATE], option=indent), name="feed.json")
    assert [each.id for each in found if isinstance(each, FeedEvent)] == ["v1", "c1"]


def test_json_is_known_by_its_content(tmp_path: Path) -> None:
    (event,) = parsed(tmp_path, b"\xef\xbb\xbf \n" + lines(VACANCY), name="feed.txt")
    assert isinstance(event, FeedEvent)


def test_erase_publishes_a_null(tmp_path: Path) -> None:
    erase = {"id": "c1", "erase": True, "side": "candidate"}
    assert parsed(tmp_path, lines(erase)) == [FeedEvent(Side.CANDIDATE, "c1", None)]


def test_erase_needs_a_side(tmp_path: Path) -> None:
    found = parsed(tmp_path, lines({"id": "c1", "erase": True}))
    assert reason(found) == "side: None must be 'vacancy' or 'candidate' to erase"


def test_a_record_of_neither_kind_is_told_the_way_out(tmp_path: Path) -> None:
    assert "neither a vacancy (with `title`)" in reason(parsed(tmp_path, lines({"id": "x"})))


def test_a_scalar_is_no_record(tmp_path: Path) -> None:
    found = parsed(tmp_path, lines(VACANCY) + b"\n42")
    assert reason(found) == "a record must be a JSON object, but this is '42'"


def test_an_empty_file_is_a_reject(tmp_path: Path) -> None:
    assert reason(parsed(tmp_path, b" \n\n")) == "the file is empty"


def test_an_endless_line_is_rejected_and_the_next_one_read(tmp_path: Path) -> None:
    endless = b'{"id": "' + b"x" * (LONGEST_LINE + 10)
    found = parsed(tmp_path, lines(CANDIDATE) + b"\n" + endless + b"\n" + lines(VACANCY))
    assert [type(each) for each in found] == [FeedEvent, FeedReject, FeedEvent]
    assert reason(found) == "the line is longer than 16,777,216 bytes"


@pytest.mark.parametrize(
    ("city", "expected"),
    [
        ("Gent und Brugge", {"country": "BE"}),
        ("landesweit", {"country": "BE"}),
        ("Region Antwerpen", {"country": "BE"}),
        ("Greater Ghent", {"country": "BE"}),
        ("Kleindorp", {"country": "BE", "city": "Kleindorp"}),  # a village that GeoNames lacks
        ("Sint-Niklaas", {"country": "BE", "city": "Sint-Niklaas"}),
    ],
)
def test_a_city_is_one_city(tmp_path: Path, city: str, expected: dict[str, str]) -> None:
    (event,) = parsed(tmp_path, lines(VACANCY | {"location": {"country": "BE", "city": city}}))
    assert isinstance(event, FeedEvent)
    assert orjson.loads(event.value or b"")["location"] == expected


def test_a_city_of_a_wide_name_is_a_city(tmp_path: Path) -> None:
    (event,) = parsed(tmp_path, lines(VACANCY | {"location": {"country": "IN", "city": "Greater Noida"}}))
    assert isinstance(event, FeedEvent)
    assert orjson.loads(event.value or b"")["location"]["city"] == "Greater Noida"


@pytest.mark.parametrize("name", ["skill", "Skills", "employmentType", "EXPIRES-AT"])
def test_a_field_that_nearly_fits_is_told(tmp_path: Path, name: str) -> None:
    (event,) = parsed(tmp_path, lines(VACANCY | {name: ["x"]}))
    assert isinstance(event, FeedEvent)
    assert [note.field for note in event.notes] == [name]


def test_the_end_of_a_day_may_be_its_hour_24(tmp_path: Path) -> None:
    (event,) = parsed(tmp_path, lines(VACANCY | {"expires_at": "2027-03-31T24:00:00+02:00"}))
    assert isinstance(event, FeedEvent), event.reason
    assert event.value is not None
    assert orjson.loads(event.value)["expires_at"] == "2027-04-01T00:00:00+02:00"


def test_fields_that_nearly_fit_are_told_inside_a_place_and_a_salary_too(tmp_path: Path) -> None:
    inside = {
        "location": {"country": "DE", "City": "Bonn"},
        "salary": {"min": 1, "MAX": 2, "currency": "EUR", "period": "year"},
    }
    (event,) = parsed(tmp_path, lines(VACANCY | inside))
    assert isinstance(event, FeedEvent)
    assert [(note.field, note.why) for note in event.notes] == [
        ("location.City", "no field of the contract; is it location.city"),
        ("salary.MAX", "no field of the contract; is it salary.max"),
    ]

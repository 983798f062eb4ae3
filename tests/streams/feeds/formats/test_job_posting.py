"""JobPosting examples follow https://schema.org/JobPosting; expected vacancies were worked out by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.feeds.read import FeedEvent, FeedReject, read
from tests.streams.feeds.reading import said

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
NOW_MS = 1_795_338_000_000

FULL = {
    "@context": "https://schema.org/",
    "@type": "JobPosting",
    "title": "Software Engineer &amp; Architect",
    "description": "<p>Build <b>APIs</b>.</p><ul><li>Python</li><li>Kafka</li></ul><script>track()</script>",
    "responsibilities": "Own a service",
    "qualifications": ["Degree", "Patience"],
    "identifier": {"@type": "PropertyValue", "name": "Acme", "value": "1234567"},
    "datePosted": "2026-10-01",
    "validThrough": "2026-12-31",
    "employmentType": ["FULL_TIME", "CONTRACTOR", "OTHER"],
    "hiringOrganization": {"@type": "Organization", "name": "Acme"},
    "jobLocation": {
        "@type": "Place",
        "address": {"@type": "PostalAddress", "addressLocality": "Berlin", "addressCountry": "Germany"},
        "geo": {"@type": "GeoCoordinates", "latitude": "52.52", "longitude": 13.405},
    },
    "baseSalary": {
        "@type": "MonetaryAmount",
        "currency": "EUR",
        "value": {
            "@type": "QuantitativeValue",
            "minValue": 5000,
            "maxValue": "6,500.50",
            "unitText": "MONTH",
        },
    },
    "skills": [{"@type": "DefinedTerm", "name": "Python"}, "Kafka", "Python"],
}


def published(tmp_path: Path, posting: Any) -> dict[str, Any]:
    path = tmp_path / "posting.json"
    path.write_bytes(orjson.dumps(posting, option=orjson.OPT_INDENT_2))
    (event,) = read(path, now=NOW)
    found = said(event)
    assert isinstance(event, FeedEvent)
    assert event.side is Side.VACANCY
    return found


def posting(**fields: Any) -> dict[str, Any]:
    return {"@type": "JobPosting", "title": "Baker", "identifier": "b1"} | fields


def test_a_full_posting(tmp_path: Path) -> None:
    assert published(tmp_path, FULL) == {
        "id": "Acme/1234567",
        "occurred_at": "2026-10-01T00:00:00Z",
        "revision": NOW_MS,
        "title": "Software Engineer & Architect",
        "description": "Build APIs.\nPython\nKafka\nOwn a service\nDegree\nPatience",
        "employer": "Acme",
        "skills": ["Python", "Kafka"],
        "location": {"country": "DE", "city": "Berlin", "lat": 52.52, "lon": 13.405},
        "employment_types": ["contract", "full_time"],
        "salary": {"min": 5000.0, "max": 6500.5, "currency": "EUR", "period": "month"},
        "expires_at": "2026-12-31T23:59:59Z",
    }


def test_a_title_is_enough(tmp_path: Path) -> None:
    assert published(tmp_path, posting()) == {
        "id": "b1",
        "occurred_at": "2026-11-22T09:00:00Z",
        "revision": NOW_MS,
        "title": "Baker",
    }


def test_date_modified_is_the_revision(tmp_path: Path) -> None:
    found = published(tmp_path, posting(datePosted="2026-01-01", dateModified="2026-01-02"))
    assert found["revision"] == 1_767_312_000_000


def test_escaped_html_is_stripped_too(tmp_path: Path) -> None:
    found = published(tmp_path, posting(description="&lt;p&gt;Bread &amp;amp; cake&lt;/p&gt;"))
    assert found["description"] == "Bread & cake"


@pytest.mark.parametrize(
    ("fields", "id"),
    [
        ({"identifier": {"value": 42}}, "42"),
        ({"identifier": None, "url": "https://jobs.example/7"}, "https://jobs.example/7"),
        ({"identifier": [], "url": None, "@id": "#job"}, "#job"),
    ],
)
def test_ids_fall_back_in_order(tmp_path: Path, fields: dict[str, Any], id: str) -> None:
    assert published(tmp_path, posting(**fields))["id"] == id


def test_without_any_identifier_twins_that_differ_in_the_description_stay_two(tmp_path: Path) -> None:
    first = published(tmp_path, posting(identifier=None, description="night"))["id"]
    assert first.startswith("posting-")
    assert published(tmp_path, posting(identifier=None, description="day"))["id"] != first
    assert published(tmp_path, posting(identifier=None, description="night"))["id"] == first


def test_an_identifier_that_is_too_long_is_hashed(tmp_path: Path) -> None:
    ids = [published(tmp_path, posting(identifier="x" * 300 + end))["id"] for end in "ab"]
    assert ids[0] != ids[1]
    assert max(map(len, ids)) <= 200


def test_telecommute_is_remote_in_the_country_it_is_open_to(tmp_path: Path) -> None:
    found = published(
        tmp_path,
        posting(
            jobLocationType="TELECOMMUTE",
            applicantLocationRequirements={"@type": "Country", "name": "USA"},
            jobLocation={"address": {"addressCountry": "CA"}},
        ),
    )
    assert (found["workplace"], found["location"]) == ("remote", {"country": "US"})


def test_telecommute_from_several_countries_has_no_location(tmp_path: Path) -> None:
    found = published(
        tmp_path,
        posting(
            jobLocationType="TELECOMMUTE", applicantLocationRequirements=[{"name": "US"}, {"name": "CA"}]
        ),
    )
    assert "location" not in found


def test_several_places_share_their_country_only(tmp_path: Path) -> None:
    places = [{"address": {"addressLocality": city, "addressCountry": "FR"}} for city in ("Paris", "Lyon")]
    assert published(tmp_path, posting(jobLocation=places))["location"] == {"country": "FR"}


def test_an_address_may_be_text(tmp_path: Path) -> None:
    found = published(tmp_path, posting(jobLocation={"address": "Seattle, WA"}))
    assert found["location"] == {"country": "US", "city": "Seattle"}


@pytest.mark.parametrize(
    ("base", "salary"),
    [
        (
            {"currency": "USD", "value": {"value": 25, "unitText": "HOUR"}},
            {"min": 25.0, "max": 25.0, "currency": "USD", "period": "hour"},
        ),
        (
            {"currency": "€", "minValue": 40000, "unitText": "YEAR"},
            {"min": 40000.0, "currency": "EUR", "period": "year"},
        ),
        ({"currency": "USD", "value": {"value": 0, "unitText": "YEAR"}}, None),
        ({"currency": "USD", "value": {"value": 30}}, None),
        ({"value": {"value": 30, "unitText": "HOUR"}}, None),
    ],
)
def test_salaries(tmp_path: Path, base: dict[str, Any], salary: dict[str, Any] | None) -> None:
    assert published(tmp_path, posting(baseSalary=base)).get("salary") == salary


def test_skills_in_one_text_are_split(tmp_path: Path) -> None:
    assert published(tmp_path, posting(skills="kneading, proofing"))["skills"] == ["kneading", "proofing"]


def test_a_graph_gives_its_postings_only(tmp_path: Path) -> None:
    graph = {"@graph": [{"@type": "Organization", "name": "Acme"}, posting()]}
    assert published(tmp_path, graph)["id"] == "b1"


def test_a_date_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "posting.jsonl"
    path.write_bytes(orjson.dumps(posting(datePosted="last week")))
    (event,) = read(path, now=NOW)
    assert isinstance(event, FeedEvent)
    assert [(note.field, note.text) for note in event.notes] == [("occurred_at", "last week")]


def test_a_posting_is_no_candidate(tmp_path: Path) -> None:
    path = tmp_path / "posting.jsonl"
    path.write_bytes(orjson.dumps(posting()))
    (reject,) = read(path, now=NOW, side=Side.CANDIDATE)
    assert isinstance(reject, FeedReject)
    assert reject.reason == "this is a vacancy, but the file was said to hold the candidate side"


def test_several_salaries_are_none_and_are_noted(tmp_path: Path) -> None:
    base = [{"currency": "EUR", "value": {"value": pay, "unitText": "YEAR"}} for pay in (30_000, 40_000)]
    path = tmp_path / "posting.json"
    path.write_bytes(orjson.dumps(posting(baseSalary=base)))
    (event,) = read(path, now=NOW)
    assert isinstance(event, FeedEvent)
    assert "salary" not in said(event)
    assert [note.field for note in event.notes] == ["salary"]


@pytest.mark.parametrize(
    "more",
    [
        {"jobLocation": [{"address": "Gent, BE"}, {"address": "Lyon, FR"}]},
        {"jobLocationType": "TELECOMMUTE", "applicantLocationRequirements": [{"name": "BE"}, {"name": "FR"}]},
        {
            "jobLocationType": "TELECOMMUTE",
            "applicantLocationRequirements": {"@type": "State", "name": "Georgia"},
        },
    ],
)
def test_places_that_are_several_or_not_certain_are_noted(tmp_path: Path, more: dict[str, Any]) -> None:
    path = tmp_path / "posting.json"
    path.write_bytes(orjson.dumps(posting(**more)))
    (event,) = read(path, now=NOW)
    assert isinstance(event, FeedEvent)
    assert "location" not in said(event)
    assert [note.field for note in event.notes] == ["location"]

"""JSON Resume examples follow https://jsonresume.org/schema; expected candidates were worked out by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolecall.schemas.match import Side
from rolecall.streams.feeds.read import FeedEvent, read
from tests.streams.feeds.reading import said

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)

FULL: dict[str, Any] = {
    "basics": {
        "name": "Maria Keller",
        "label": "Backend Developer",
        "image": "https://example.org/maria.jpg",
        "email": "maria.keller@example.org",
        "phone": "+49 170 1234567",
        "url": "https://maria-keller.example",
        "summary": "I am Maria Keller and build APIs. Write to maria.keller@example.org, call 0170-1234567.",
        "location": {
            "address": "Gartenweg 9",
            "postalCode": "10961",
            "city": "Berlin",
            "countryCode": "DE",
            "region": "Berlin",
        },
        "profiles": [{"network": "GitHub", "username": "mkeller77", "url": "https://github.com/mkeller77"}],
    },
    "work": [
        {
            "name": "Acme GmbH",
            "position": "Junior Developer",
            "startDate": "2016-01-01",
            "endDate": "2018-01-01",
            "url": "https://acme.example",
            "summary": "Fixed bugs.",
        },
        {
            "name": "Beta AG",
            "position": "Software Engineer",
            "startDate": "2017-01-01",
            "endDate": "2020-01-01",
            "summary": "Payments, see https://beta.example/pay for more.",
            "highlights": ["Cut latency in half (mkeller77)"],
        },
    ],
    "education": [{"institution": "TU Berlin", "area": "Informatics"}],
    "references": [{"name": "Erika Muster", "reference": "Maria is great."}],
    "skills": [{"name": "Web", "keywords": ["Python", "Kafka"]}, {"name": "Python"}],
    "languages": [
        {"language": "German", "fluency": "Native speaker"},
        {"language": "en", "fluency": "Full professional"},
        {"language": "Polnisch", "fluency": "quite good"},
        {"language": "Français"},
    ],
    "meta": {
        "id": "c-77",
        "canonical": "https://maria-keller.example/resume.json",
        "lastModified": "2026-05-01",
    },
}
PERSONAL = (
    *("maria", "keller", "example", "@", "170", "http", "mkeller77", "github", "gartenweg", "10961"),
    *("erika", "muster", "acme", "beta ag"),
)


def published(tmp_path: Path, resume: dict[str, Any]) -> dict[str, Any]:
    path = tmp_path / "resume.json"
    path.write_bytes(orjson.dumps(resume, option=orjson.OPT_INDENT_2))
    (event,) = read(path, now=NOW)
    found = said(event)
    assert isinstance(event, FeedEvent)
    assert event.side is Side.CANDIDATE
    return found


def labelled(**fields: Any) -> dict[str, Any]:
    return {"basics": {"label": "Baker"}} | fields


def test_a_full_resume(tmp_path: Path) -> None:
    assert published(tmp_path, FULL) == {
        "id": "c-77",
        "occurred_at": "2026-05-01T00:00:00Z",
        "revision": 1_777_593_600_000,
        "titles": ["Backend Developer", "Software Engineer", "Junior Developer"],
        "summary": "I am and build APIs. Write to , call .\nPayments, see for more.\n"
        "Cut latency in half ( )\nFixed bugs.",
        "skills": ["Web", "Python", "Kafka"],
        "languages": [
            {"code": "de", "level": "C2"},
            {"code": "en", "level": "C1"},
            {"code": "pl"},
            {"code": "fr"},
        ],
        "location": {"country": "DE", "city": "Berlin"},
        "experience_years": 4.0,
    }


def test_nothing_personal_passes(tmp_path: Path) -> None:
    text = orjson.dumps(published(tmp_path, FULL)).decode().casefold()
    assert [word for word in PERSONAL if word in text] == []


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.from_regex(r"[A-Z][a-z]{3,8}x [A-Z][a-z]{3,8}q", fullmatch=True),
    email=st.from_regex(r"[a-z]{3,9}\.[a-z]{3,9}[0-9]@[a-z]{3,9}\.(com|de|museum)", fullmatch=True),
    phone=st.from_regex(r"\+[1-9][0-9]{1,2} \(?[0-9]{2,3}\)? [0-9]{3}[- ]?[0-9]{4}", fullmatch=True),
    url=st.from_regex(r"(https?://|www\.)[a-z]{3,9}\.(com|de|name)/[a-z0-9]{0,9}", fullmatch=True),
)
def test_contact_details_in_running_text_are_removed(
    tmp_path: Path, name: str, email: str, phone: str, url: str
) -> None:
    summary = f"{name} bakes. Contact: {email}, {phone} ({url}); ask for {name.split()[0]}."
    resume = {"basics": {"name": name, "label": "Baker", "summary": summary}}
    found = published(tmp_path, resume)["summary"]
    assert [secret for secret in (*name.split(), email, phone, url) if secret in found] == []


def test_years_in_a_text_are_not_a_phone_number(tmp_path: Path) -> None:
    found = published(tmp_path, {"basics": {"label": "Baker", "summary": "Baker in Graz, 2015 - 2020."}})
    assert found["summary"] == "Baker in Graz, 2015 - 2020."


def test_a_surname_that_is_a_trade_stays_in_the_title(tmp_path: Path) -> None:
    found = published(tmp_path, {"basics": {"name": "Tim Cook", "label": "Cook"}})
    assert found["titles"] == ["Cook"]


def test_without_an_id_the_whole_document_is_hashed(tmp_path: Path) -> None:
    first = published(tmp_path, {"basics": {"label": "Baker", "email": "a@example.org"}})["id"]
    other = published(tmp_path, {"basics": {"label": "Baker", "email": "b@example.org"}})["id"]
    assert first.startswith("resume-")
    assert first != other


def test_the_most_recent_position_comes_first_and_the_current_one_before_it(tmp_path: Path) -> None:
    work = [
        {"position": "old", "startDate": "2001", "endDate": "2005"},
        {"position": "current", "startDate": "2015-03"},
        {"position": "recent", "startDate": "2005", "endDate": "2015-02"},
    ]
    assert published(tmp_path, {"work": work})["titles"] == ["current", "recent", "old"]


@pytest.mark.parametrize(
    ("work", "years"),
    [
        ([{"startDate": "2024-11-22"}], 2.0),
        ([{"startDate": "2024-11-22", "endDate": "Present"}], 2.0),
        ([{"startDate": "2024-11-22", "endDate": "soon"}], None),
        ([{"startDate": "2010", "endDate": "2012"}, {"startDate": "2014", "endDate": "2015"}], 3.0),
        ([{"startDate": "2010", "endDate": "2020"}, {"startDate": "2012", "endDate": "2013"}], 10.0),
        ([{"startDate": "2030"}], None),
        ([{"startDate": "2020", "endDate": "2019"}], None),
        ([{"startDate": "spring"}], None),
    ],
)
def test_experience_counts_time_once(tmp_path: Path, work: list[dict[str, str]], years: float | None) -> None:
    assert published(tmp_path, labelled(work=work)).get("experience_years") == years


@pytest.mark.parametrize(
    ("skills", "read_skills", "is_noted"),
    [
        ({"languages": ["Go", "Rust"], "tools": ["Docker"]}, ["Go", "Rust", "Docker"], False),
        ([{"Backend": ["Go"]}, "Docker"], ["Go", "Docker"], False),
        ({"backend": [{"name": "Go", "keywords": ["gin"]}]}, ["Go", "gin"], False),
        ([{"name": "Web", "keywords": "Go, Rust"}], ["Web", "Go", "Rust"], False),
        ({"Go": 5, "Rust": "expert"}, None, True),
        (["Docker", {"skill": "Go"}], ["Docker"], True),
    ],
)
def test_skills_under_headings(
    tmp_path: Path, skills: Any, read_skills: list[str] | None, is_noted: bool
) -> None:
    path = tmp_path / "resume.json"
    path.write_bytes(orjson.dumps({"basics": {"label": "Developer"}, "skills": skills}))
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedEvent)
    assert said(found).get("skills") == read_skills
    assert [note.field for note in found.notes] == ["skills"] * is_noted


@pytest.mark.parametrize(
    ("more", "field"),
    [
        (
            {
                "languages": [
                    {"language": "German", "fluency": "C1"},
                    {"language": "Polish", "fluency": "none"},
                ]
            },
            "languages",
        ),
        ({"languages": [{"language": "German", "fluency": "not yet, learning"}]}, "languages"),
        ({"work": [{"position": "Cook", "startDate": "2018-01", "endDate": "2016-01"}]}, "experience_years"),
    ],
)
def test_what_is_denied_or_contradicts_itself_is_noted(
    tmp_path: Path, more: dict[str, Any], field: str
) -> None:
    path = tmp_path / "resume.json"
    path.write_bytes(orjson.dumps({"basics": {"label": "Developer"}} | more))
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedEvent)
    assert field not in said(found)
    assert [note.field for note in found.notes] == [field]

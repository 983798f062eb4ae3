"""Reading a file with any content gives events and rejects, never an exception."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.feeds.fields import FIELDS
from rolecall.streams.feeds.read import FeedEvent, FeedReject, read
from rolecall.streams.feeds.values.places import place
from rolecall.streams.feeds.values.text import plain_text

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CONTRACTS: dict[Side, type[Vacancy] | type[Candidate]] = {Side.VACANCY: Vacancy, Side.CANDIDATE: Candidate}
often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

POSTING_FIELDS = (
    "title description identifier url datePosted dateModified validThrough employmentType jobLocation "
    "jobLocationType applicantLocationRequirements baseSalary salaryCurrency skills responsibilities"
)
RESUME_FIELDS = "id work skills languages meta"
INNER_FIELDS = (
    "name value address addressCountry addressLocality geo latitude longitude currency minValue maxValue "
    "unitText label summary email phone url profiles location countryCode city position startDate endDate "
    "highlights keywords language fluency lastModified id @graph"
)

dates = ["2026-01-01", "2026-02-30", "9999-12-31", "0001-01-01T00:00:00+14:00", "9" * 14]
numbers = ["1e400", "-5", "12,5", "²", "NaN"]
known = ["DE", "FULL_TIME", "TELECOMMUTE", "HOUR", "EUR", "Remote - US", "C1"]
odd = ["<p>a</p>", "<![x[", "&#xD800;", "a@b.de", ";", ""]
telling = st.sampled_from(dates + numbers + known + odd)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | telling
    | st.text(max_size=20)
)
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(INNER_FIELDS.split()) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
postings = st.fixed_dictionaries(
    {"@type": st.just("JobPosting")}, optional=dict.fromkeys(POSTING_FIELDS.split(), values)
)
resumes = st.fixed_dictionaries({"basics": values}, optional=dict.fromkeys(RESUME_FIELDS.split(), values))
contracts = st.dictionaries(
    st.sampled_from([*Vacancy.model_fields, *Candidate.model_fields, "side", "erase", "@graph"]), values
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "any.json"


def outcomes(
    file: Path, content: bytes, mapping: dict[str, str] | None = None
) -> list[FeedEvent | FeedReject]:
    file.write_bytes(content)
    found = list(read(file, now=NOW, mapping=mapping))
    for each in found:
        if isinstance(each, FeedEvent) and each.value is not None:
            CONTRACTS[each.side].model_validate_json(each.value)
        if isinstance(each, FeedReject):
            assert each.reason
            assert orjson.loads(each.line())["row"] >= 1
    return found


@often
@given(st.one_of(postings, resumes, contracts, values))
def test_any_json_becomes_events_or_rejects(file: Path, document: Any) -> None:
    outcomes(file, orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS))


@often
@given(st.lists(st.one_of(postings, resumes, contracts), min_size=1, max_size=3))
def test_every_line_of_jsonl_has_an_outcome(file: Path, documents: list[Any]) -> None:
    """With an `id`: a line that nothing shows to be one record, with a list of objects, is several."""
    plain = [{"id": "1"} | {k: v for k, v in document.items() if k != "@graph"} for document in documents]
    assert len(outcomes(file, b"\n".join(map(orjson.dumps, plain)))) == len(plain)


@often
@given(st.binary(max_size=300))
def test_any_bytes_become_events_or_rejects(file: Path, content: bytes) -> None:
    outcomes(file, content)
    outcomes(file.with_suffix(".csv"), content)
    outcomes(file, b'{"id": "a", "title": "b"}\n' + content)


@often
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), telling | st.text(max_size=20), min_size=1))
def test_any_cells_become_one_outcome(file: Path, cells: dict[str, str]) -> None:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["title", *(f"c{n}" for n in range(len(cells)))])
    rows.writerow(["Nurse", *cells.values()])
    mapping = {field: f"c{n}" for n, field in enumerate(cells)} | {"title": "title"}
    mapping.pop("titles", None)
    found = outcomes(file.with_suffix(".csv"), text.getvalue().encode(errors="replace"), mapping)
    assert len(found) == 1


@often
@given(
    st.text(max_size=60)
    | st.lists(telling | st.sampled_from(["Remote", "US", "NY", "London", "CA"])).map(", ".join)
)
def test_any_place_can_be_parsed(text: str) -> None:
    place(text)


@often
@given(st.text(alphabet="<!>[]-/&;?a x1#", max_size=30))
def test_any_html_can_be_stripped(html: str) -> None:
    plain_text(html)


def test_deeply_nested_json_is_rejected(file: Path) -> None:
    deep = b'{"id": "a", "title": ' + b"[" * 600 + b"]" * 600 + b"}"
    (found,) = outcomes(file, deep)
    assert isinstance(found, FeedReject)

"""Hostile records: deep nesting, huge texts, odd numbers, odd Unicode. Each becomes an event or a reject."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.encoder.document import candidate_document, content_hash, vacancy_document
from rolecall.schemas.match import Side
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.events.receive import Limits, newest, receive, receive_definitions
from rolecall.streams.events.records import dead_letter

LIMITS = Limits(max_record_bytes=1_048_576, max_clock_skew_ms=300_000)
EVENT = {"id": "v1", "occurred_at": "2026-01-01T00:00:00Z", "title": "nurse", "titles": ["nurse"]}


@pytest.fixture
def taken(make, now):
    """The event, or the reject with its dead letter's headers."""

    def take(value, side=Side.VACANCY):
        events, rejects = receive(side, [make.raw(value)], LIMITS)
        for reject in rejects:
            assert dead_letter(reject).value == value
        [outcome] = [*newest(events), *(reject.message for reject in rejects)]
        return outcome

    return take


def event(raw: str) -> bytes:
    """An event with this JSON text as a field."""
    return json.dumps(EVENT)[:-1].encode() + b", " + raw.encode(errors="surrogatepass") + b"}"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [201, 10_000, 150_000])
def test_nesting_is_refused_even_in_a_field_nobody_reads(taken, opening, depth):
    closing = {"[": "]", '{"a":': "}"}[opening]
    started = time.perf_counter()
    assert "recursion limit" in taken(event(f'"x": {opening * depth}0{closing * depth}'))
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f'"revision": {"9" * 4_000}', "revision"),
        ('"revision": 9007199254740993', "revision"),  # 2^53 + 1
        ('"revision": 1e400', "revision"),
        ('"revision": -1', "revision"),
        ('"revision": 1.5', "revision"),
        ('"revision": "7"', "revision"),
        ('"salary": {"min": 1e400, "currency": "EUR"}', "salary.min"),
        ('"salary": {"min": NaN, "currency": "EUR"}', "salary.min"),
        ('"salary": {"min": -0.01, "currency": "EUR"}', "salary.min"),
        ('"location": {"lat": 1e-400, "lon": -Infinity}', "location.lon"),
        ('"occurred_at": "+292277026596-12-04T15:30:07Z"', "occurred_at"),
        ('"occurred_at": 1e300', "occurred_at"),
    ],
)
def test_a_number_that_is_none_of_ours_is_refused_by_its_place(taken, raw, reason):
    assert taken(event(raw)).startswith(reason)


@pytest.mark.parametrize(
    "raw", ['"salary": {"min": -0.0, "currency": "EUR"}', '"revision": 0', '"revision": -0']
)
def test_zero_has_no_sign(taken, raw):
    received = taken(event(raw))
    assert received.entity.salary is None or received.entity.salary.min == 0
    assert received.revision in (0, 1_767_225_600_000)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f'"skills": {json.dumps(["a"] * 501)}', "skills"),
        (f'"languages": {json.dumps([{"code": "de"}] * 51)}', "languages"),
        (f'"title": "{"a" * 1_001}"', "title"),
        (f'"employer": "{"a" * 201}"', "employer"),
        (f'"description": "{"a" * 1_000_001}"', "description"),
    ],
)
def test_what_is_too_long_is_refused_by_its_place(taken, raw, reason):
    assert taken(event(raw)).startswith(f"{reason}: ")


def test_candidates_have_limits_of_their_own(taken):
    assert taken(event(f'"titles": {json.dumps(["a"] * 51)}'), Side.CANDIDATE).startswith("titles: ")


def test_the_last_of_repeated_fields_counts(taken):
    """All common JSON readers do this. Otherwise two readers would see different events in one record."""
    assert taken(event('"title": "cook"')).entity.title == "cook"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "id",
    "revision",
    "skills",
    "location",
    "salary",
    "languages",
    "description",
    "matching",
    "expires_at",
)


@given(fields=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4), side=st.sampled_from(Side))
def test_any_json_in_any_field_is_an_event_or_a_reject(make, now, fields, side):
    record = make.raw(json.dumps(EVENT | fields).encode())
    events, rejects = receive(side, [record], LIMITS)
    assert len(events) + len(rejects) == 1
    assert all(dead_letter(reject).value == record.value for reject in rejects)


@given(fields=st.dictionaries(st.sampled_from(("id", "anchors", "label", "note")), json_values, max_size=3))
@pytest.mark.parametrize("contract", [ExclusionRule, Occupation])
def test_so_it_is_with_rules_and_occupations(make, now, contract, fields):
    record = make.raw(json.dumps(EVENT | {"label": "nurse"} | fields).encode())
    events, rejects = receive_definitions(contract, [record], LIMITS)
    assert len(events) + len(rejects) == 1


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200).filter(str.strip))
@pytest.mark.parametrize("side", Side)
def test_any_unicode_that_is_taken_can_be_encoded_and_hashed(make, now, text, side):
    """Combining marks, bidirectional controls, unassigned planes, NUL."""
    fields = {"title": text, "titles": [text], "skills": [text], "description": text, "summary": text}
    events, _ = receive(side, [make.raw(json.dumps(EVENT | fields).encode())], LIMITS)
    document = vacancy_document if side is Side.VACANCY else candidate_document
    for each in events:
        assert content_hash(document(each.entity))
        assert each.entity.model_dump_json()

"""Records as producers of other languages write them: read, or refused with a reason for strangers."""

import json
from dataclasses import replace

import pytest

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Side
from rolecall.streams.events.receive import Erased, Limits, receive
from rolecall.streams.events.records import dead_letter

LIMITS = Limits(max_record_bytes=1_048_576, max_clock_skew_ms=300_000)
JOB = {"id": "v1", "occurred_at": "2026-01-01T00:00:00Z", "title": "nurse"}


@pytest.fixture
def taken(make, now):
    """The entity, or the reason of its reject."""

    def take(value, key=None, at=None):
        at = milliseconds(now) if at is None else at
        events, rejects = receive(Side.VACANCY, [make.raw(value, key, at=at)], LIMITS)
        if rejects:
            return rejects[0].message
        return events[0] if isinstance(events[0], Erased) else events[0].entity

    return take


def job(**fields):
    return json.dumps(JOB | fields).encode()


@pytest.mark.parametrize("revision", ["1.767225600007E12", "1767225600007.0", "1767225600007"])
def test_a_whole_number_is_an_integer_however_it_is_written(taken, revision):
    """JSON Schema 2020-12: a number with a zero fractional part is an integer."""
    value = job()[:-1] + b', "revision": ' + revision.encode() + b"}"
    assert taken(value).revision == 1_767_225_600_007


def test_top_k_with_a_fraction_of_zero_is_read(taken):
    assert taken(job(matching={"top_k": 3.0})).matching.top_k == 3


@pytest.mark.parametrize(
    "field", ["description", "skills", "location", "languages", "status", "salary", "expires_at"]
)
def test_null_in_an_optional_field_is_unknown(taken, field):
    assert taken(job(**{field: None})) == taken(job())


def test_null_in_a_nested_field_is_unknown(taken):
    location = {"country": "DE", "city": None, "lat": None, "lon": None}
    assert taken(job(location=location)).location.country == "DE"


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00"])
def test_half_an_emoji_is_the_replacement_character(taken, half):
    """As JSON.stringify writes a text that was cut inside a surrogate pair."""
    value = job(description="late shift HALF").replace(b"HALF", half.encode())
    assert taken(value).description == "late shift \ufffd"


def test_where_half_an_emoji_is_not_all_that_is_wrong_the_rest_is_named(taken):
    value = job(description="HALF", salary={"min": 1}).replace(b"HALF", b"\\ud83d")
    assert taken(value) == "salary.currency: Field required"


def test_null_in_a_field_that_is_needed_is_named_as_it_was_written(taken):
    assert taken(job(title=None, skills=None)).startswith("title: Input should be a valid string")


def test_a_whole_emoji_stays(taken):
    assert taken(job(description="\U0001f600", skills=None)).description == "\U0001f600"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00\x00\x00\x00\x05" + job(), "5-byte header of a schema registry"),
        (b"\xef\xbb\xbf" + job(), "byte order mark"),
        (json.dumps(JOB).encode("utf-16"), "UTF-16"),
        (json.dumps(json.dumps(JOB)).encode(), "serialized twice"),
        (
            json.dumps({"schema": {"type": "struct"}, "payload": JOB}).encode(),
            "value.converter.schemas.enable=false",
        ),
        (b"", "to erase, send no value"),
        (b"null", "to erase, send no value"),
    ],
)
def test_a_frame_round_the_json_is_named(taken, value, reason):
    assert reason in taken(value)


@pytest.mark.parametrize(
    ("time", "kind"),
    [
        (1_764_342_000_000, "this is a number"),
        (1764342000.5, "this is a number"),
        ([2026, 11, 20, 9, 0], "this is a list"),
        ("yesterday", "this is other text"),
        ({"seconds": 1}, "this is an object"),
    ],
)
def test_a_time_in_another_form_is_refused_with_the_form_that_is_read(taken, time, kind):
    message = taken(job(occurred_at=time))
    assert "a time is text such as 2026-11-28T15:17:27Z" in message
    assert kind in message


@pytest.mark.parametrize(
    "zero", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00"]
)
def test_the_zero_of_a_time_is_no_expiry(taken, zero):
    said = taken(job(expires_at=zero))
    assert "expires_at: Input should be greater than or equal to 1990-01-01" in said


def test_an_erasure_dated_in_seconds_is_refused(taken):
    assert "looks like seconds" in taken(None, b"v1", at=1_764_342_000)


def test_an_erasure_whose_key_is_a_json_string_is_refused(taken):
    assert "use the bare id" in taken(None, b'"v1"', at=1_764_342_000_000)


def test_a_dead_letter_keeps_the_headers_of_the_producer(make, now):
    theirs = [("traceparent", b"00-1-2-01"), ("tenant", None), ("__connect.errors.topic", b"elsewhere")]
    record = replace(make.raw(b"{"), headers=theirs)
    _, [reject] = receive(Side.VACANCY, [record], LIMITS)
    headers = dead_letter(reject).headers
    assert headers[:2] == [("traceparent", b"00-1-2-01"), ("tenant", b"")]
    assert [value for name, value in headers if name == "__connect.errors.topic"] == [b"vacancies"]

"""From bytes to events and rejects. A reject gives a reason, but never quotes the text."""

import json
from datetime import timedelta
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import milliseconds
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Side
from rolecall.schemas.receive import edition_of
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.receive import (
    Erased,
    Limits,
    Published,
    newest,
    receive,
    receive_definitions,
)

LIMITS = Limits(max_record_bytes=1_000, max_clock_skew_ms=300_000)
MINIMAL = {"id": "v1", "occurred_at": "2026-01-01T00:00:00Z", "title": "nurse"}


@pytest.fixture
def received(now):
    """The one event of a record."""

    def take(record, side=Side.VACANCY):
        [event], [] = receive(side, [record], LIMITS)
        return event

    return take


@pytest.fixture
def refused(now):
    """The one reject of a record."""

    def take(record, side=Side.VACANCY):
        [], [reject] = receive(side, [record], LIMITS)
        assert reject.record is record
        assert reject.stage is Stage.RECEIVE
        return reject

    return take


def test_the_smallest_vacancy_is_an_id_a_time_and_a_title(make, received):
    event = received(make.json(**MINIMAL))
    assert isinstance(event, Published)
    assert event.entity == Vacancy(**MINIMAL)


def test_the_smallest_candidate_is_an_id_a_time_and_a_title(make, received):
    profile = {"id": "c1", "occurred_at": "2026-01-01T00:00:00Z", "titles": ["nurse"]}
    assert received(make.json(**profile), Side.CANDIDATE).entity == Candidate(**profile)


def test_the_revision_is_the_time_of_the_event_in_milliseconds(make, received):
    # date -ud 2026-01-01 +%s = 1767225600
    assert received(make.json(**MINIMAL)).revision == 1_767_225_600_000


def test_a_given_revision_beats_the_time_of_the_event(make, received):
    assert received(make.json(**MINIMAL, revision=7)).revision == 7


def test_unknown_fields_are_ignored(make, received):
    assert received(make.json(**MINIMAL, shoe_size=44)).entity == Vacancy(**MINIMAL)


def test_a_record_without_key_is_taken_by_its_id(make, received):
    assert received(make.raw(json.dumps(MINIMAL).encode(), key=None)).id == "v1"


def test_a_null_record_erases_its_key_as_of_the_record_timestamp(make, received):
    event = received(make.erasure("v1", at=42))
    assert isinstance(event, Erased)
    assert (event.id, event.revision) == ("v1", 42)


def test_a_null_record_without_key_is_refused(make, refused):
    assert "give the id to erase as key" in refused(make.raw(None)).message


def test_a_null_record_without_timestamp_is_refused(make, refused):
    assert "needs a record timestamp" in refused(make.erasure("v1", at=-1)).message


@pytest.mark.parametrize("key", ["", "a\nb", "x" * 201])
def test_a_null_record_whose_key_no_entity_can_have_is_refused(make, refused, key):
    assert "the record key is not an id" in refused(make.erasure(key, at=42)).message


def test_a_key_that_is_not_utf8_is_refused(make, refused):
    reject = refused(make.raw(json.dumps(MINIMAL).encode(), key=b"v\xff"))
    assert reject.message == "the record key is not UTF-8 (byte 1)"


def test_a_key_that_is_not_the_id_is_refused(make, refused):
    assert "use the id as key" in refused(make.raw(json.dumps(MINIMAL).encode(), key=b"v2")).message


def test_a_value_as_large_as_the_limit_is_taken(make, received):
    value = json.dumps(MINIMAL).encode().ljust(1_000)
    assert received(make.raw(value)).id == "v1"


def test_a_value_past_the_limit_is_refused_with_both_sizes(make, refused):
    message = refused(make.raw(json.dumps(MINIMAL).encode().ljust(1_001))).message
    assert "1,001 bytes" in message
    assert "limit is 1,000" in message


def test_a_clock_may_be_as_far_ahead_as_allowed(make, received, now):
    ahead = now + timedelta(minutes=5)
    assert received(make.json(**MINIMAL | {"occurred_at": ahead.isoformat()})).id == "v1"


def test_a_clock_further_ahead_is_refused_with_both_figures(make, refused, now):
    ahead = now + timedelta(days=365)
    message = refused(make.json(**MINIMAL | {"occurred_at": ahead.isoformat()})).message
    assert "31,536,000 s ahead" in message
    assert "300 s are allowed" in message


def test_a_revision_from_the_future_is_refused_whatever_the_time_of_the_event(make, refused, now):
    revision = milliseconds(now) + 300_001
    assert "ahead" in refused(make.json(**MINIMAL, revision=revision)).message


def test_a_state_is_judged_by_the_time_of_its_record_and_not_by_when_it_is_read(make, refused, now):
    """Refused live and accepted by a replay, it would bring back a person who was erased in between."""
    hour_ahead = milliseconds(now) + 3_600_000
    record = make.json(**MINIMAL, revision=hour_ahead)
    assert record.timestamp_ms == milliseconds(now)
    assert f"revision {hour_ahead} is 3,600 s ahead of the record's timestamp" in refused(record).message


def test_a_state_of_a_record_without_a_time_is_refused(make, refused):
    record = make.raw(json.dumps(MINIMAL).encode(), b"v1", at=-1)
    assert "the record has no timestamp" in refused(record).message


def test_time_zero_is_a_time_of_a_record(make, received):
    assert received(make.raw(json.dumps(MINIMAL | {"revision": 0}).encode(), at=0)).revision == 0
    assert received(make.erasure("v1", at=0)).revision == 0


@pytest.mark.parametrize("at", [10**9, 10**11 - 1])
def test_an_erasure_of_2001_to_5138_in_seconds_is_refused(make, refused, at):
    """As milliseconds: the twelfth day of 1970 to March 1973."""
    assert "looks like seconds" in refused(make.erasure("v1", at=at)).message


@pytest.mark.parametrize("at", [10**9 - 1, 10**11])
def test_an_erasure_of_any_other_time_is_taken_as_it_is(make, received, at):
    assert received(make.erasure("v1", at=at)).revision == at


@pytest.mark.parametrize("change", [{"revision": "5"}, {"location": {"lat": "52.5", "lon": 13}}])
@pytest.mark.parametrize("mended", [{}, {"description": None}], ids=["as it is", "without a null"])
def test_a_number_in_quotes_is_refused(make, refused, change, mended):
    assert "Input should be a valid" in refused(make.json(**MINIMAL, **change, **mended)).message


def test_an_erasure_counts_as_of_its_record_whatever_the_clock_of_the_reader(make, received, now):
    later = milliseconds(now) + 10 * 365 * 86_400_000
    assert received(make.erasure("v1", at=later)).revision == later


@pytest.mark.parametrize("id", [" v1", "v1 ", "\u00a0v1", "v1\u2003", "null"])
def test_an_id_is_taken_byte_for_byte_or_refused(make, refused, id):
    value = json.dumps(MINIMAL | {"id": id}).encode()
    assert refused(make.raw(value, key=None)).message.startswith("id: ")
    assert refused(make.raw(value, id.encode())).message.startswith("id: ")
    assert "the record key is not an id" in refused(make.erasure(id, at=42)).message


@pytest.mark.parametrize("id", ["V1", "v 1", "e\u0301", "\u00e9", "NULL"])
def test_ids_that_look_alike_are_different_ids(make, received, id):
    value = json.dumps(MINIMAL | {"id": id}).encode()
    assert received(make.raw(value, id.encode())).id == id
    assert received(make.erasure(id, at=42)).id == id


@pytest.mark.parametrize("key", ['"v1', 'v1"', '"'])
def test_a_key_with_one_quote_is_an_id(make, received, key):
    assert received(make.erasure(key, at=42)).id == key


@pytest.mark.parametrize("key", ['"v1"', '""', '"'])
def test_a_key_in_the_quotes_of_json_erases_nothing_in_silence(make, key):
    events, rejects = receive(Side.VACANCY, [make.erasure(key, at=42)], LIMITS)
    assert ([event.id for event in events], len(rejects)) == (([], 1) if len(key) > 1 else ([key], 0))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "send no value"),
        (b"{", "Invalid JSON"),
        (b"null", "send no value"),
        (b"[]", "should be an object"),
        (b'"v1"', "serialized twice"),
        (b'{"id":"v1"}', "title: Field required"),
        (b'{"title":"nurse","occurred_at":"2026-01-01T00:00:00Z"}', "id: Field required"),
        (b'{"id":"v\xff","title":"nurse"}', "Invalid JSON"),
        (b'{"id":7,"title":"nurse","occurred_at":"2026-01-01T00:00:00Z"}', "id: Input should be"),
        (b'{"id":"v1","title":"","occurred_at":"2026-01-01T00:00:00Z"}', "title: String should have"),
        (b'{"id":"v1","title":" \\t ","occurred_at":"2026-01-01T00:00:00Z"}', "title: String should have"),
        (b'{"id":"v1","title":"nurse","occurred_at":"2026-01-01T00:00:00"}', "this is without a time zone"),
        (b'{"id":"v1","title":"nurse","occurred_at":"yesterday"}', "occurred_at: a time is text such as"),
        (b"[" * 5000, "Invalid JSON"),
    ],
)
def test_a_broken_value_is_refused_by_place_and_reason(make, now, value, reason):
    limits = Limits(max_record_bytes=10_000, max_clock_skew_ms=0)
    [], [reject] = receive(Side.VACANCY, [make.raw(value)], limits)
    assert reason in reject.message


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("location", {"lat": 91, "lon": 0}, "location.lat"),
        ("location", {"lat": 0, "lon": -181}, "location.lon"),
        ("location", {"lat": 0}, "location"),
        ("location", {"lat": float("nan"), "lon": 0}, "location.lat"),
        ("location", {"lat": 0, "lon": float("inf")}, "location.lon"),
        ("location", {"country": "XX"}, "location.country"),
        ("salary", {"min": 1, "currency": "XXX"}, "salary.currency"),
        ("salary", {"min": 1}, "salary.currency"),
        ("languages", [{"code": "de", "level": "D9"}], "languages.0.level"),
        ("languages", [{"code": "de"}, {"code": "english"}], "languages.1.code"),
        ("seniority", "boss", "seniority"),
        ("skills", "nursing", "skills"),
    ],
)
def test_a_broken_term_is_refused_by_its_place(make, refused, field, value, place):
    assert refused(make.json(**MINIMAL, **{field: value})).message.startswith(f"{place}: ")


def test_a_reason_lists_each_problem_once_and_no_default_that_follows_from_it(make, refused):
    """The revision is taken from `occurred_at`, which is missing."""
    message = refused(make.json(id="v1", skills="nursing")).message
    assert sorted(message.split("; ")) == [
        "occurred_at: Field required",
        "skills: Input should be a valid array",
        "title: Field required",
    ]


def test_a_reason_about_the_whole_value_names_no_place(make, refused):
    assert refused(make.raw(b"[]", b"v1")).message == "Input should be an object"


def test_a_reason_has_at_most_twenty_problems(make, refused):
    assert len(refused(make.json(**MINIMAL, skills=[1] * 25)).message.split("; ")) == 20


MARK = "jane.doe@example.org"


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "value",
    [
        MARK,
        [MARK],
        [[MARK]],
        {MARK: MARK},
        [{"code": MARK, "level": MARK}],
        {"country": MARK, "city": [MARK], "lat": MARK, "currency": MARK, "min": MARK, "period": MARK},
    ],
)
def test_a_reason_never_quotes_the_value(make, now, side, value):
    contract = {Side.VACANCY: Vacancy, Side.CANDIDATE: Candidate}[side]
    sound = MINIMAL | {"titles": ["nurse"]}
    records = [
        make.raw(json.dumps(sound | {field: value}).encode(), b"v1") for field in contract.model_fields
    ]
    _, rejects = receive(side, records, LIMITS)
    assert len(rejects) > 10
    assert not any("jane" in reject.message for reject in rejects)


def test_a_reason_never_quotes_the_key(make, refused):
    assert "jane" not in refused(make.raw(json.dumps(MINIMAL).encode(), MARK.encode())).message


def test_a_reject_tells_a_broken_contract_from_another_reason(make, refused):
    assert refused(make.raw(b"{}")).exception == "ValidationError"
    assert refused(make.raw(None)).exception == "Unacceptable"
    assert refused(make.raw(None)).attempts == 1


def test_rejects_do_not_hold_up_the_rest(make, now):
    records = [make.raw(b"{"), make.vacancy("v1"), make.raw(b"}"), make.vacancy("v2")]
    events, rejects = receive(Side.VACANCY, records, LIMITS)
    assert [event.id for event in events] == ["v1", "v2"]
    assert [reject.record for reject in rejects] == [records[0], records[2]]


@given(value=st.binary(max_size=200), key=st.none() | st.binary(max_size=20), at=st.integers(-1, 2**53))
def test_whatever_the_bytes_a_record_is_an_event_or_a_reject(make, now, value, key, at):
    events, rejects = receive(Side.CANDIDATE, [make.raw(value, key, at)], LIMITS)
    assert len(events) + len(rejects) == 1


def revisions(events):
    return [(event.id, event.revision) for event in events]


def events_of(make, *pairs):
    records = [make.vacancy(id, revision) for id, revision in pairs]
    return receive(Side.VACANCY, records, Limits(10_000, 2**53))[0]


def test_of_each_id_the_highest_revision_is_kept(make):
    events = events_of(make, ("a", 1), ("b", 5), ("a", 3), ("a", 2), ("b", 4))
    assert revisions(newest(events)) == [("a", 3), ("b", 5)]


def test_of_equal_revisions_one_is_kept(make):
    assert revisions(newest(events_of(make, ("a", 1), ("a", 1)))) == [("a", 1)]


def test_an_erasure_beats_what_it_is_newer_than(make, now):
    records = [make.erasure("a", at=5), make.vacancy("a", revision=4)]
    events, _ = receive(Side.VACANCY, records, LIMITS)
    [kept] = newest(events)
    assert isinstance(kept, Erased)


def test_of_one_revision_with_two_contents_the_same_one_wins_in_any_order(make, received):
    one, other = (received(make.vacancy("v1", revision=5, title=title)) for title in ("nurse", "cook"))
    [first], [second] = newest([one, other]), newest([other, one])
    higher = max(one, other, key=lambda each: edition_of(each.entity))  # as in the index
    assert first.entity == second.entity == higher.entity
    later = received(make.vacancy("v1", revision=6, title="nurse"))
    assert newest([later, one, other]) == [later]


def test_an_edition_is_a_hash_of_what_the_event_says_besides_its_times(received, make):
    """A field that the event leaves out is not hashed, so a later version with more fields agrees."""
    value = b'{"id":"v1","title":"nurse"}'
    event = received(make.json(**MINIMAL, revision=7, status="open"))
    assert edition_of(event.entity) == blake2b(value, digest_size=16).hexdigest()


def test_of_one_revision_an_erasure_wins_over_a_state_in_any_order(make):
    """What is taken out in the millisecond of its last change is out."""
    state, erasure = make.vacancy("a", revision=5), make.erasure("a", at=5)
    for records in ([state, erasure], [erasure, state]):
        [kept] = newest(receive(Side.VACANCY, records, LIMITS)[0])
        assert isinstance(kept, Erased)


def test_of_two_erasures_of_one_time_the_later_record_is_kept(make):
    """The one of the other partition may be a copy of ours."""
    records = [make.erasure("a", at=5), make.erasure("a", at=5)]
    [kept] = newest(receive(Side.VACANCY, records, LIMITS)[0])
    assert kept.record is records[1]


def test_definitions_are_read_refused_and_erased_as_entities_are(make):
    anchors = [{"text": text, "min_similarity": 0.9} for text in ("nurse", "welder")]
    rule = {"id": "r1", "revision": 7, "occurred_at": "2026-01-01T00:00:00Z", "anchors": anchors}
    records = [make.json(**rule), make.erasure("r2", at=9), make.raw(b"{", b"r3")]
    [defined, erased], [reject] = receive_definitions(ExclusionRule, records, LIMITS)
    assert (defined.id, defined.revision, defined.value) == ("r1", 7, ExclusionRule(**rule))
    assert erased == Erased(records[1], "r2", 9)
    assert (reject.record, reject.stage) == (records[2], Stage.RECEIVE)


def test_of_two_definitions_of_one_revision_the_later_record_counts(make):
    anchors = [{"text": text, "min_similarity": 0.9} for text in ("nurse", "welder")]
    rule = {"id": "r1", "revision": 7, "occurred_at": "2026-01-01T00:00:00Z", "anchors": anchors}
    events, _ = receive_definitions(ExclusionRule, [make.json(**rule), make.json(**rule)], LIMITS)
    assert newest(events) == [events[1]]


def test_nothing_is_newest_of_nothing():
    assert newest([]) == []

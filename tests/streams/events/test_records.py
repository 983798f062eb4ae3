"""Which record an event of ours becomes: topic, key, value, headers, and an id that a repetition shares."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.events.receive import Reject
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import (
    NAMESPACE,
    Outgoing,
    dead_letter,
    definition_record,
    erasure_copy,
    input_record,
    is_copy,
    name_id,
    own_headers,
    removal_record,
    rollout_record,
    shortened,
    withdrawal_record,
)
from rolecall.streams.rollout import steps

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WITHDRAWN = MatchesWithdrawn(
    side=Side.VACANCY, entity_id="v1", revision=5, reason=WithdrawalReason.CLOSED, occurred_at=NOW
)
EXCLUDED = WITHDRAWN.model_copy(
    update={
        "reason": WithdrawalReason.EXCLUDED,
        "counterparts": {"c1": 3, "c2": 4},
        "model_version": "m",
    }
)


def ce(record):
    return {name.removeprefix("ce_"): value.decode() for name, value in record.headers}


@pytest.mark.parametrize(("side", "topic"), [(Side.VACANCY, "vacancies"), (Side.CANDIDATE, "candidates")])
@pytest.mark.parametrize("value", [b"{}", None])
def test_a_state_or_an_erasure_goes_to_the_topic_of_its_side(side, topic, value):
    record = input_record(side, "é1", value, NOW)
    assert (record.topic, record.key, record.value) == (topic, "é1".encode(), value)
    assert (record.partition, record.timestamp_ms, record.besides) == (None, None, None)
    assert ce(record)["id"] != ce(input_record(side, "é1", value, NOW))["id"]


def test_a_definition_goes_to_its_topic_with_what_it_says():
    at = {"id": "r1", "occurred_at": NOW}
    rule = ExclusionRule(
        **at, anchors=[{"text": each, "min_similarity": 0.9} for each in ("nurse", "welder")]
    )
    occupation = Occupation(**at, label="nurse")
    for definition, topic in ((rule, "rules"), (occupation, "occupations")):
        record = definition_record(definition)
        assert (record.topic, record.key) == (topic, b"r1")
        assert type(definition).model_validate_json(record.value) == definition
        assert "null" not in record.value.decode()


def test_a_definition_is_removed_by_a_record_without_a_value():
    assert removal_record("rules", "r1") == Outgoing("rules", b"r1", None, ())


def test_a_copy_of_an_erasure_has_its_key_time_and_headers_and_says_where_the_original_is():
    headers = [("traceparent", b"00-1"), ("__connect.errors.topic", b"old"), ("tenant", None)]
    erasure = Record("candidates", 2, 7, b"c1", None, 9, headers)
    copy = erasure_copy(erasure)
    assert (copy.topic, copy.key, copy.value, copy.timestamp_ms) == ("candidates", b"c1", None, 9)
    assert (copy.partition, copy.besides) == (None, 2)
    assert copy.headers == [("traceparent", b"00-1"), ("tenant", b""), ("__rolecall.erasure", b"2/7")]
    assert is_copy(replace(erasure, headers=copy.headers))
    assert not is_copy(erasure)


def test_rollouts_have_one_key_in_one_partition_and_an_id_of_their_content():
    """So all readers see them in one order, and compaction keeps the last."""
    one, other = steps.founded("blue"), steps.founded("green")
    records = [rollout_record(each) for each in (one, one, other)]
    assert {(each.topic, each.key, each.partition) for each in records} == {("rollouts", b"rollout", 0)}
    first, again, another = (ce(each)["id"] for each in records)
    assert first == again != another
    assert b"null" not in records[0].value
    assert type(one).model_validate_json(records[0].value) == one


@given(st.text())
def test_a_named_id_is_the_uuid5_of_the_name(name):
    name = name.encode(errors="replace").decode()
    assert name_id(name) == str(uuid5(NAMESPACE, name))


def test_a_withdrawal_is_keyed_by_its_entity():
    record = withdrawal_record(WITHDRAWN)
    assert (record.topic, record.key) == ("matches", b"v1")
    assert MatchesWithdrawn.model_validate_json(record.value) == WITHDRAWN


@pytest.mark.parametrize(
    ("event", "change"),
    [
        (WITHDRAWN, {"side": Side.CANDIDATE}),
        (WITHDRAWN, {"entity_id": "v2"}),
        (WITHDRAWN, {"revision": 6}),
        (WITHDRAWN, {"reason": WithdrawalReason.EXPIRED}),
        (WITHDRAWN, {"counterparts": {"c1": 3}}),
        (EXCLUDED, {"counterparts": {"c1": 3}}),
        (EXCLUDED, {"counterparts": {"c1": 3, "c2": 5}}),
        (EXCLUDED, {"counterparts": {"c1": 3, "c3": 4}}),
        (EXCLUDED, {"model_version": "n"}),
    ],
)
def test_a_withdrawal_has_another_id_if_it_says_something_else(event, change):
    other = event.model_copy(update=change)
    later = event.model_copy(update={"occurred_at": datetime(2026, 1, 2, tzinfo=UTC)})
    ids = [ce(withdrawal_record(each))["id"] for each in (event, later, other)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("event", "name"),
    [(WITHDRAWN, "vacancy/v1/5/closed"), (EXCLUDED, "vacancy/v1/5/excluded\nc1/3\nc2/4\nm")],
)
def test_a_withdrawal_has_the_id_that_earlier_versions_gave_it(event, name):
    assert ce(withdrawal_record(event))["id"] == str(uuid5(NAMESPACE, name))


def refused(key, value, headers=()):
    record = Record("vacancies", 2, 7, key, value, 9, headers)
    return Reject(record, Stage.ENCODE, "ValueError", "why", attempts=3)


def test_a_dead_letter_has_the_bytes_of_the_record_and_says_where_they_were():
    letter = dead_letter(refused(b"k", b"{", [("tenant", b"t")]))
    assert (letter.topic, letter.key, letter.value) == ("dead-letters", b"k", b"{")
    headers = dict(letter.headers)
    assert headers["tenant"] == b"t"
    assert [headers[f"__connect.errors.{each}"] for each in ("topic", "partition", "offset")] == [
        b"vacancies",
        b"2",
        b"7",
    ]


@pytest.mark.parametrize(("at", "told"), [(9, 9), (0, 0), (-1, None)])
def test_a_letter_says_when_the_record_was_written_if_it_has_a_time(at, told):
    record = Record("vacancies", 2, 7, b"k", b"{", at)
    reject = Reject(record, Stage.ENCODE, "ValueError", "why", attempts=3)
    about = DeadLetterHeaders.read(reject.headers())
    assert (about.timestamp_ms, about.attempts, about.stage) == (told, 3, Stage.ENCODE)
    assert (about.exception, about.message) == ("ValueError", "why")


def test_the_message_of_a_letter_is_utf8_and_at_most_2000_characters_long():
    """An exception may quote half a surrogate pair, which cannot be encoded."""
    record = Record("vacancies", 2, 7, b"k", b"{", 9)
    reject = Reject(record, Stage.ENCODE, "ValueError", "\ud83d" + "é" * 2_000)
    assert DeadLetterHeaders.read(reject.headers()).message == "?" + "é" * 1_999


@pytest.mark.parametrize(
    ("key", "value", "sent"), [(None, None, b""), (None, b"{", None), (b"k", None, b"k")]
)
def test_only_a_letter_without_key_and_value_gets_an_empty_key(key, value, sent):
    assert dead_letter(refused(key, value)).key == sent


def test_what_dead_letters_add_is_not_the_producers_own():
    headers = [("a", b"1"), ("__connect.errors.stage", b"x"), ("__rolecall.errors.cut", b"9"), ("b", None)]
    assert own_headers(headers) == [("a", b"1"), ("b", b"")]


def test_a_letter_is_cut_to_64_kib_and_says_how_long_it_was():
    letter = Outgoing("dead-letters", b"k", b"x" * 65_537, [("a", b"1")])
    cut = shortened(letter)
    assert cut.value == b"x" * 65_536
    assert cut.headers == [("a", b"1"), ("__rolecall.errors.cut", b"65537")]
    assert (cut.topic, cut.key) == (letter.topic, letter.key)


@pytest.mark.parametrize("value", [None, b"", b"x" * 65_536])
def test_a_letter_that_is_short_is_not_cut(value):
    assert shortened(Outgoing("dead-letters", b"k", value, [])) is None

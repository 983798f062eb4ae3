"""Which dead letters may be published again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.topics import DEAD_LETTERS, DEFINITIONS, SIDE_OF, TOPICS
from rolecall.streams.events.record import Record
from rolecall.streams.kafka.dead_letters import History, Letter, sorted_out

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PLACE = {"topic": "candidates", "partition": 2, "offset": 10}


def letter(key=b"c1", at_ms=1_000, died_at=NOW, value=b"{}"):
    about = DeadLetterHeaders(
        **PLACE, stage=Stage.RECEIVE, exception="Unacceptable", message="", attempts=1, timestamp_ms=at_ms
    )
    return Letter(about, key, value, (), died_at)


def outcome(letter, *records):
    """In which list it ends, if the topic holds these records (partition, offset, time, erases) of its id."""
    history = History()
    for partition, offset, at_ms, erases in records:
        value = None if erases else b"{}"
        history.add(Record("candidates", partition, offset, letter.key, value, at_ms))
    result = sorted_out([letter], {("candidates", letter.id): history}, NOW)
    [name] = [name for name in result.__slots__ if getattr(result, name)]
    return name


def test_a_letter_that_nothing_has_overtaken_is_published():
    assert outcome(letter()) == "published"
    assert outcome(letter(), (2, 9, 900, False), (2, 8, 999, True)) == "published"


@pytest.mark.parametrize("erases", [False, True])
def test_a_later_record_in_its_partition_overtakes_it(erases):
    assert outcome(letter(), (2, 11, 1, erases)) == "overtaken"


def test_an_erasure_in_another_partition_overtakes_it():
    """A client with another partitioner erased: its offset says nothing, its time does."""
    assert outcome(letter(), (0, 3, 1_000, True)) == "overtaken"
    assert outcome(letter(), (0, 3, 2_000, True)) == "overtaken"
    assert outcome(letter(), (0, 30, 999, True)) == "published"
    assert outcome(letter(), (0, 30, 2_000, False)) == "published"


def test_a_record_without_a_key_is_known_by_the_id_in_its_value():
    value = json.dumps({"id": "c1", "occurred_at": "2026-01-01T00:00:00Z", "titles": ["nurse"]}).encode()
    assert letter(key=None, value=value).id == b"c1"
    assert outcome(letter(key=None, value=value), (0, 3, 2_000, True)) == "overtaken"


def test_a_letter_past_its_retention_is_too_old_wherever_the_broker_still_holds_it():
    retention = timedelta(milliseconds=DEAD_LETTERS.retention_ms)
    assert outcome(letter(died_at=NOW - retention)) == "published"
    assert outcome(letter(died_at=NOW - retention - timedelta(seconds=1))) == "too_old"


def test_tombstones_outlive_letters():
    """Also where a worker reads a record, and it dies, up to a fortnight late."""
    replayable = [topic for topic in TOPICS if topic.name in SIDE_OF or topic in DEFINITIONS]
    assert len(replayable) == 4
    for topic in replayable:
        assert topic.retention_ms >= DEAD_LETTERS.retention_ms + 14 * 86_400_000

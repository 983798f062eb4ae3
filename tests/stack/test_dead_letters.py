"""`rolecall dead-letters` on a broker with workers that refuse records."""

import json
import os
import subprocess
import sys
import time
from itertools import count

import pytest

from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Side
from rolecall.streams.events.receive import Reject
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import dead_letter

NUMBERS = count()
ANCHOR = b'{"id": "letter-c", "occurred_at": "2026-01-01T00:00:00Z", "titles": ["nurse"]}'


@pytest.fixture
def dead_letters(stack):
    def run(*arguments, text=True):
        return subprocess.run(
            [sys.executable, "-m", "rolecall.streams.cli", "dead-letters", *arguments],
            env=os.environ | stack.environment(),
            capture_output=True,
            text=text,
            timeout=120,
        )

    return run


@pytest.fixture
def refused(wire, workers, kit):
    """A record that no worker can read. It is in the dead letters."""
    sent = wire.send(kit.sent("vacancies", b"letter-%d" % next(NUMBERS), b'{"id": \xff\n'))
    wire.until(lambda: sent.place in wire.letters, "the dead letter")
    return sent


@pytest.fixture
def mended(wire, workers, kit):
    """A dead letter of a record that another version of the worker failed to process."""
    gone = wire.send(kit.sent("vacancies", b"letter-gone", None, at=1_767_225_600_000))  # a place to name
    wire.send(kit.sent("candidates", b"letter-c", ANCHOR))
    id = f"letter-{next(NUMBERS)}"
    value = json.dumps({"id": id, "occurred_at": "2026-01-01T00:00:00Z", "title": "nurse"}).encode()

    def die(value=value, at=1_767_225_600_000):
        record = Record("vacancies", gone.partition, gone.offset, id.encode(), value, at)
        letter = dead_letter(Reject(record, Stage.ENCODE, "RuntimeError", "out of luck", attempts=9))
        wire.run(wire.send_letter(letter))
        return kit.sent("vacancies", id.encode(), value, at, gone.partition, gone.offset)

    return die


def place(sent):
    return "/".join(map(str, sent.place))


def test_a_list_says_what_died_where_and_why(dead_letters, refused):
    listed = dead_letters("list", "--topic", "vacancies", "--stage", "receive", "--key", refused.key.decode())
    [line] = listed.stdout.splitlines()
    assert f"{place(refused)}  {refused.key.decode()}  receive  ValidationError: Invalid JSON" in line
    assert listed.stderr == "1 dead letter\n"


@pytest.mark.parametrize(
    "filters",
    [("--topic", "candidates"), ("--stage", "match"), ("--exception", "KeyError"), ("--since", "2999-01-01")],
)
def test_a_filter_leaves_out_what_it_does_not_name(dead_letters, refused, filters):
    listed = dead_letters("list", "--json", "--key", refused.key.decode(), *filters)
    assert (listed.returncode, listed.stdout) == (0, "")


def test_a_letter_is_shown_with_its_bytes(dead_letters, refused):
    shown = dead_letters("show", place(refused), text=False)
    assert shown.stdout == refused.value + b"\n"
    assert b"attempts  1" in shown.stderr


def test_of_no_letter_it_says_so(dead_letters, workers):
    shown = dead_letters("show", "vacancies/0/999999")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "no dead letter of vacancies/0/999999" in shown.stderr


def test_what_still_cannot_be_read_dies_again_unchanged(wire, dead_letters, refused):
    before = set(wire.letters)
    assert "1 published again" in dead_letters("replay", place(refused)).stdout
    [again] = wire.until(lambda: set(wire.letters) - before, "the letter of the replayed record")
    letter = wire.letters[again]
    assert (letter.key, letter.value) == (refused.key, refused.value)
    assert again[:2] == refused.place[:2]


def test_after_the_fix_it_has_its_effect(wire, dead_letters, mended):
    sent = mended()
    replayed = dead_letters("replay", "--stage", "encode", "--key", sent.key.decode())
    assert "1 published again" in replayed.stdout
    wire.until(lambda: (sent.key.decode(), "letter-c") in wire.pairs, "the match")


def test_replaying_again_publishes_nothing(dead_letters, mended):
    sent = mended()
    assert "1 published again, 0 overtaken" in dead_letters("replay", "--key", sent.key.decode()).stdout
    assert "0 published again, 1 overtaken" in dead_letters("replay", "--key", sent.key.decode()).stdout


def test_an_older_state_does_not_come_behind_a_newer_one(wire, kit, dead_letters, mended):
    """Compaction would keep the older one, because it would come last."""
    sent = mended()
    wire.send(kit.sent(sent.topic, sent.key, sent.value, partition=sent.partition))
    assert "0 published again, 1 overtaken" in dead_letters("replay", "--key", sent.key.decode()).stdout


def test_an_erasure_keeps_its_time(wire, stored, dead_letters, mended):
    """The time is its revision: with the time of the replay it would erase newer states too."""
    now = time.time_ns() // 1_000_000
    sent = mended(value=None, at=now - 5_000)
    assert "1 published again" in dead_letters("replay", "--key", sent.key.decode()).stdout
    wire.settle()
    id = sent.key.decode()
    assert stored.points(Side.VACANCY, [id])[id].revision == now - 5_000


def test_without_a_filter_it_asks_which(dead_letters):
    replayed = dead_letters("replay")
    assert (replayed.returncode, replayed.stdout) == (2, "")
    assert "a PLACE, a filter, or --all" in replayed.stderr

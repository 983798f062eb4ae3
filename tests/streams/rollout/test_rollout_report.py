"""The comparison of two models' matches. Expected figures were worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from rolecall.schemas.match import Match, Reasons, Side
from rolecall.streams.cli.rollout import lines
from rolecall.streams.rollout.report import Seen, compare, times

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


def match(vacancy, candidate, confidence, at=NOW):
    return Match(
        id=f"{vacancy}/{candidate}",
        occurred_at=at,
        vacancy_id=vacancy,
        vacancy_revision=1,
        candidate_id=candidate,
        candidate_revision=1,
        model_version="m",
        score=0.5,
        confidence=confidence,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(vacancy_certainty=0.5, candidate_certainty=0.5),
    )


LIVE = [match("v1", "c1", 0.9), match("v1", "c2", 0.8), match("v1", "c3", 0.7)]
OTHER = [match("v1", "c1", 0.5), match("v1", "c3", 0.6), match("v2", "c1", 0.4)]


def test_overlap_is_the_shared_part_of_the_longer_list():
    """k = 2. v1: {c1, c2} and {c3, c1}, 1/2; v2: only one has a list, 0; c1: {v1} and {v1, v2}, 1/2;
    c2: {v1} and nothing, 0; c3: {v1} and {v1}, 1. The mean of five is 2/5."""
    found = compare(LIVE, OTHER, k=2)
    assert (found["lists"], found["overlap_at_k"]) == (5, pytest.approx(0.4))


def test_the_shift_is_of_pairs_that_both_match():
    """v1 c1: 0.5 - 0.9; v1 c3: 0.6 - 0.7."""
    found = compare(LIVE, OTHER, k=10)
    assert found["pairs"] == {"live": 3, "other": 3, "both": 2}
    assert found["confidence_shift"]["mean"] == pytest.approx(-0.25)
    assert found["confidence"] == {"live": pytest.approx(0.8), "other": pytest.approx(0.5)}


def test_the_same_matches_overlap_wholly_and_are_not_moved():
    found = compare(LIVE, LIVE, k=10)
    assert (found["overlap_at_k"], found["confidence_shift"]["mean"]) == (1, 0)


def test_times_are_of_events_that_both_handled_as_they_came():
    live, other = Seen(), Seen()
    for vacancy, live_ms, other_ms in (("v1", 20, 30), ("v2", 40, 50)):
        live.take(match(vacancy, "c1", 0.5), NOW_MS + live_ms)
        other.take(match(vacancy, "c1", 0.5), NOW_MS + other_ms)
    live.take(match("v3", "c1", 0.5), NOW_MS)
    hours_later = NOW + timedelta(hours=1)
    other.take(match("v3", "c1", 0.5, at=hours_later), NOW_MS + 3_600_900)
    found = times(live, other)
    assert found["events"] == 2
    assert [found["latency_ms"][who]["p50"] for who in ("live", "other")] == [30, 40]


def test_nothing_published_is_said_and_no_error():
    found = compare([], [], k=10) | times(Seen(), Seen())
    roles = {"live": {"model_version": "a"}, "other": {"model_version": "b"}}
    assert "overlap@10 of 0 lists: -" in "\n".join(lines(found | roles))

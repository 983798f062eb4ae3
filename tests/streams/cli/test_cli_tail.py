from datetime import UTC, datetime

import click
import pytest

from rolecall.schemas.match import (
    Match,
    MatchesWithdrawn,
    NearestOccupation,
    Reasons,
    Side,
    WithdrawalReason,
)
from rolecall.streams.cli.matches import Lines
from rolecall.streams.events.receive import read_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REASONS = Reasons(shared_skills=("Python", "SQL"), vacancy_certainty=0.5, candidate_certainty=0.5)


def match(vacancy_id: str = "v1", reasons: Reasons = REASONS) -> Match:
    return Match(
        id="m1",
        occurred_at=NOW,
        vacancy_id=vacancy_id,
        vacancy_revision=1,
        candidate_id="c1",
        candidate_revision=1,
        model_version="abc",
        score=0.84,
        confidence=0.91,
        found_by=Side.VACANCY,
        rank=1,
        reasons=reasons,
    )


WITHDRAWN = MatchesWithdrawn(
    side=Side.VACANCY, entity_id="v1", revision=2, reason=WithdrawalReason.CLOSED, occurred_at=NOW
)


def plain(text: str) -> list[str]:
    return click.unstyle(text).split("  ")


def test_a_match_is_confidence_ids_and_reasons():
    words = [word.strip() for word in plain(Lines(120).line(match())) if word.strip()]
    assert words == ["91%", "v1", "c1", "skills Python, SQL; texts 84% alike"]


def test_without_skills_in_common_the_texts_are_the_reason():
    reasons = Reasons(vacancy_certainty=0.5, candidate_certainty=0.5)
    assert Lines(120).line(match(reasons=reasons)).endswith("texts 84% alike")


NURSE = NearestOccupation(id="o1", label="nurse", score=0.9)
MIDWIFE = NearestOccupation(id="o2", label="midwife", score=0.9)
FEATURES = ("staff nurse · ward nurse",)


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ({"vacancy_occupation": NURSE, "candidate_occupation": NURSE}, "both nearest to nurse; "),
        ({"vacancy_occupation": NURSE, "candidate_occupation": MIDWIFE}, ""),
        ({"vacancy_occupation": NURSE, "candidate_occupation": None}, ""),
        (
            {
                "vacancy_occupation": NURSE,
                "candidate_occupation": NURSE.model_copy(update={"unfamiliar": True}),
            },
            "",
        ),
        ({"features": FEATURES}, "both like staff nurse · ward nurse; "),
        (
            {"features": FEATURES, "vacancy_occupation": NURSE, "candidate_occupation": NURSE},
            "both nearest to nurse; ",
        ),
        ({"features": FEATURES, "shared_skills": ("SQL",)}, "skills SQL; "),
    ],
)
def test_skills_come_before_the_nearest_occupation_and_that_before_features(
    reasons: dict[str, object], said: str
):
    told = Reasons.model_validate({"vacancy_certainty": 0.5, "candidate_certainty": 0.5} | reasons)
    words = plain(Lines(None).line(match(reasons=told)))
    assert words[-1] == f"{said}texts 84% alike"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_lines_fit_the_terminal(width: int):
    lines = Lines(width)
    long = Reasons(shared_skills=("x" * 200,), vacancy_certainty=0.5, candidate_certainty=0.5)
    shown = [lines.header(), lines.line(match("v" * 200, long)), lines.line(WITHDRAWN)]
    assert all(len(click.unstyle(each)) <= width for each in shown)


def test_pipes_get_ids_at_full_length():
    assert "v" * 200 in Lines(None).line(match("v" * 200))


def test_a_withdrawal_says_what_and_why():
    assert "vacancy v1: closed" in Lines(80).line(WITHDRAWN)


@pytest.mark.parametrize("event", [match(), WITHDRAWN])
def test_events_are_read_as_published(event: Match | MatchesWithdrawn):
    assert read_event(event.model_dump_json().encode()) == event


def test_unknown_types_are_left_out():
    assert read_event(b'{"type":"introduced_later"}') is None

"""Feedback events -> graded pairs. Expected grades and weights are worked out by hand."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.encoder.document import Document
from rolecall.schemas.feedback import Feedback, Verdict
from rolecall.schemas.match import Match, Side
from rolecall.schemas.receive import Limits, receive
from rolecall.schemas.record import Record
from rolecall.training.feedback import entities, verdicts
from rolecall.training.feedback import pairs as feedback
from rolecall.training.feedback.entities import Entities
from rolecall.training.feedback.pairs import GRADES, FeedbackRules, Pair

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = FeedbackRules()
IDS = [(Side.VACANCY, f"v{n}") for n in range(400)] + [(Side.CANDIDATE, f"c{n}") for n in range(400)]
HERE = Entities({key: Document("x") for key in IDS}, {}, {})


def said(
    verdict: str, *, day: float = 0, by: str | None = "r1", v: str = "v1", c: str = "c1", **more: object
):
    said.count += 1
    return Feedback.model_validate(
        {"id": f"f{said.count}", "occurred_at": START + timedelta(days=day), "vacancy_id": v}
        | {"candidate_id": c, "verdict": verdict, "actor": "vacancy", "actor_id": by}
        | more
    )


said.count = 0


def pairs(*events: Feedback, among: Entities = HERE, rules: FeedbackRules = RULES) -> list[Pair]:
    return feedback.graded_pairs(ordered(events), among, rules, Counter())


def dropped(*events: Feedback, among: Entities = HERE) -> dict[str, int]:
    counts: Counter[str] = Counter()
    feedback.graded_pairs(ordered(events), among, RULES, counts)
    return dict(counts)


def ordered(events) -> list[Feedback]:
    return sorted(events, key=lambda event: (event.occurred_at, event.id))


def test_verdicts_are_graded_from_hired_down_to_rejected() -> None:
    order = ["hired", "interviewed", "shortlisted", "applied", "viewed", "dismissed", "rejected"]
    grades = [pairs(said(verdict))[0].grade for verdict in order]
    assert grades == sorted(grades, reverse=True)
    assert [grade > 0 for grade in grades] == [True] * 5 + [False] * 2


def test_only_an_application_or_more_is_a_match() -> None:
    assert [v.value for v in Verdict if pairs(said(v))[0].matched] == [
        "hired",
        "interviewed",
        "shortlisted",
        "applied",
    ]


def test_the_last_word_of_an_actor_counts() -> None:
    events = said("shortlisted", day=1), said("rejected", day=2)
    assert [pair.grade for pair in pairs(*events)] == [-1.0]
    assert dropped(*events) == {"superseded": 1}


def test_of_one_moment_the_strongest_verdict_counts() -> None:
    assert pairs(said("applied"), said("hired"))[0].grade == 1.0


def test_looking_again_takes_nothing_back() -> None:
    assert pairs(said("hired", day=1), said("viewed", day=2))[0].grade == 1.0


def test_a_verdict_loses_half_its_weight_in_a_half_life() -> None:
    old, new = pairs(said("hired", c="c1"), said("hired", c="c2", day=180))
    assert (old.weight, new.weight) == (0.5, 1.0)


@pytest.mark.parametrize(("rank", "weight"), [(None, 1), (1, 1), (4, 4), (25, 10)])
def test_what_few_people_scroll_down_to_weighs_more_up_to_a_limit(rank: int | None, weight: float) -> None:
    assert pairs(said("hired", rank=rank))[0].weight == weight


def test_a_no_of_either_side_holds() -> None:
    events = said("hired"), said("dismissed", actor="candidate", by="c1")
    assert [pair.grade for pair in pairs(*events)] == [-0.5]


def test_of_two_sides_that_agree_the_one_that_went_further_counts() -> None:
    assert pairs(said("applied", actor="candidate", by="c1"), said("hired"))[0].grade == 1.0


def test_a_pair_on_which_recruiters_disagree_is_dropped() -> None:
    events = said("hired", by="r1"), said("rejected", by="r2")
    assert pairs(*events) == []
    assert dropped(*events) == {"contested": 2}


def test_three_of_four_recruiters_are_enough() -> None:
    """(1 + 1 + 0.6) / 3"""
    events = [
        said("hired", by="r1"),
        said("hired", by="r2"),
        said("shortlisted", by="r3"),
        said("rejected", by="r4"),
    ]
    assert [pair.grade for pair in pairs(*events)] == [pytest.approx(2.6 / 3)]


def test_who_only_looked_has_no_say() -> None:
    assert [p.grade for p in pairs(said("viewed", by="r1"), said("rejected", by="r2"))] == [-1.0]


def test_many_voices_make_no_pair_heavier() -> None:
    assert pairs(*(said("hired", by=f"r{n}") for n in range(50)))[0].weight == 1.0


def test_of_one_actor_the_newest_votes_are_heard() -> None:
    events = [said("hired", v=f"v{n}", day=n / 10) for n in range(250)]
    assert [pair.vacancy_id for pair in pairs(*events)] == [f"v{n}" for n in range(50, 250)]
    assert dropped(*events) == {"past the actor's limit": 50}


def test_an_actor_without_an_id_is_the_one_it_speaks_for() -> None:
    """Of 250 votes of one candidate 200 count. Of one vote each of 250 vacancies, all count."""
    by_candidate = pairs(*(said("applied", v=f"v{n}", by=None, actor="candidate") for n in range(250)))
    by_vacancies = pairs(*(said("hired", v=f"v{n}", by=None) for n in range(250)))
    assert (len(by_candidate), len(by_vacancies)) == (200, 250)


def test_a_spammer_with_ten_thousand_votes_changes_nothing() -> None:
    honest = [said("hired", v=f"v{n}", c=f"c{n}", day=n) for n in range(20)]
    spam = [
        said("hired", v=f"v{n % 400}", c=f"c{n // 400 + 300}", day=5 + n / 10_000, by="spammer")
        for n in range(10_000)
    ]
    assert pairs(*honest, *spam) == pairs(*honest)
    assert dropped(*honest, *spam) == {"flooding": 10_000}


def test_a_patient_spammer_is_heard_no_more_than_any_actor() -> None:
    """10,000 votes over 100 days are not flooding, but only the newest count."""
    spam = [
        said("hired", v=f"v{n % 400}", c=f"c{n // 400}", day=n / 100, by="spammer") for n in range(10_000)
    ]
    assert len(pairs(*spam)) == 200


def test_a_yes_after_a_no_is_a_second_thought() -> None:
    """Two verdicts follow a "no": interviewed after dismissed, and rejected after rejected. A "no" after a
    yes and verdicts of the other side do not count."""
    events = ordered(
        [
            *(said("dismissed", day=1), said("interviewed", day=2), said("viewed", day=1.5)),
            *(said("rejected", c="c2", by="r1", day=1), said("rejected", c="c2", by="r2", day=2)),
            *(said("interviewed", c="c3", day=1), said("rejected", c="c3", day=2)),
            *(said("rejected", c="c4", day=1), said("applied", c="c4", actor="candidate", by="c4", day=2)),
        ]
    )
    assert feedback.second_thoughts(events, HERE, RULES) == (2, 1)


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        (None, True),
        ("not_a_fit", True),
        ("missing_skills", True),
        ("unsuitable_terms", False),
        ("filled", False),
        ("already_applied", False),
        ("withdrawn_by_candidate", False),
        ("known_to_later_producers_only", False),
    ],
)
def test_a_no_is_a_lesson_only_if_its_reason_is_about_the_fit(reason: str | None, counts: bool) -> None:
    event = said("rejected", reason=reason)
    assert [pair.grade for pair in pairs(event)] == ([-1.0] if counts else [])
    assert dropped(event) == ({} if counts else {"not about the fit": 1})


def test_a_yes_counts_whatever_its_reason() -> None:
    assert pairs(said("hired", reason="filled"))[0].grade == 1.0


def test_a_filled_vacancy_takes_no_earlier_verdict_back() -> None:
    events = said("shortlisted", day=1), said("rejected", day=2, reason="filled")
    assert [pair.grade for pair in pairs(*events)] == [0.6]


def test_who_turns_everyone_down_because_the_vacancy_is_filled_is_no_flood() -> None:
    others = (said("rejected", c=f"c{n}", reason="filled") for n in range(2, 400))
    assert [pair.grade for pair in pairs(said("hired"), *others)] == [1.0]


def test_a_yes_after_a_no_that_was_not_about_the_fit_is_no_second_thought() -> None:
    events = ordered([said("rejected", day=1, reason="filled"), said("hired", day=2)])
    assert feedback.second_thoughts(events, HERE, RULES) == (0, 0)


def test_a_busy_recruiter_is_no_flood() -> None:
    found = dropped(*(said("hired", v=f"v{n}", day=n / 300) for n in range(300)))
    assert found == {"past the actor's limit": 100}


DAY_5_MS = int(1000 * (START + timedelta(days=5)).timestamp())
V, C = Side.VACANCY, Side.CANDIDATE
GONE = Entities(
    documents={key: Document("x") for key in [(V, "v1"), (V, "full"), (C, "c1"), (C, "away"), (C, "back")]},
    closed={(V, "full"): DAY_5_MS, (C, "away"): 0},
    erased={(C, "gone"): 0, (C, "back"): DAY_5_MS},
)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (said("hired", v="nobody"), "unknown"),
        (said("hired", c="nobody"), "unknown"),
        (said("hired", c="gone", day=9), "erased"),
        (said("hired", c="back", day=4), "erased"),
        (said("hired", c="back", day=6), None),
        (said("hired", c="away", day=-9), "withdrawn"),
        (said("hired", v="full", day=6), "withdrawn"),
        (said("hired", v="full", day=4), None),
    ],
)
def test_feedback_on_who_is_gone_is_dropped_and_counted(event: Feedback, reason: str | None) -> None:
    assert dropped(event, among=GONE) == ({} if reason is None else {reason: 1})
    assert len(pairs(event, among=GONE)) == (reason is None)


def test_events_are_read_once_in_the_order_of_time_and_only_when_they_make_sense() -> None:
    counts: Counter[str] = Counter()
    late, early, ahead = said("hired", day=2), said("applied", day=1), said("hired", day=9)
    raw = [each.model_dump_json().encode() for each in (late, early, late, ahead)]
    received = START + timedelta(days=3)
    events = feedback.parse([(value, received) for value in [*raw, b"{", None]], counts)
    assert events == [early, late]
    assert counts == {"repeated": 1, "dated ahead": 1, "unreadable": 2}


VOTES = st.lists(
    st.tuples(st.sampled_from(Verdict), st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)), max_size=30
)


@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_repetition_change_nothing(votes, rng) -> None:
    events = [said(v, by=f"r{actor}", c=f"c{c}", day=day, rank=day + 1) for v, actor, c, day in votes]
    arrived = [*events, *events[:5]]
    rng.shuffle(arrived)
    raw = [(each.model_dump_json().encode(), START + timedelta(days=30)) for each in arrived]
    found = feedback.graded_pairs(feedback.parse(raw, Counter()), HERE, RULES, Counter())
    assert found == pairs(*events)
    assert all(-1 <= pair.grade <= 1 and pair.grade != 0 and 0 < pair.weight <= 10 for pair in found)


LIMITS = Limits(max_record_bytes=10_000, max_clock_skew_ms=300_000)


def record(key: bytes | None, value: bytes | None, timestamp_ms: int = 0) -> Record:
    return Record("candidates", 0, 0, key, value, timestamp_ms)


def state(id: str, revision: int, **more: object) -> Record:
    entity = {
        "id": id,
        "occurred_at": START.isoformat(),
        "revision": revision,
        "titles": [f"cook {revision}"],
    }
    return record(id.encode(), repr(entity | more).replace("'", '"').encode())


def test_the_newest_revision_is_read_and_an_erasure_takes_it_away() -> None:
    records = [
        state("c1", 2), state("c1", 1),
        state("c2", 1), record(b"c2", None, 5),
        record(b"c3", None, 5), state("c3", 6, status="closed"),
        record(b"c4", None, 5), state("c4", 5),
        record(b"c5", b"{"), record(None, b"{}"),
    ]  # fmt: skip
    found = entities.fold({Side.CANDIDATE: records}, LIMITS)
    assert {id: document.title for (_, id), document in found.documents.items()} == {
        "c1": "cook 2",
        "c3": "cook 6",
    }
    assert {id for _, id in found.erased} == {"c2", "c3", "c4"}
    assert found.closed == {(Side.CANDIDATE, "c3"): 6}


def test_what_workers_refuse_is_not_learned_from() -> None:
    sound = state("c1", 1)
    ahead = state("c2", 1_780_272_000_000)  # its record is dated 0
    large = state("c3", 1, summary="x" * 10_000)
    other_key = Record("candidates", 0, 0, b"c5", state("c4", 1).value, 0)
    quoted = record(b'"c1"', None, 5)
    records = [sound, ahead, large, other_key, quoted]
    _, rejects = receive(Side.CANDIDATE, records, LIMITS)
    assert [reject.record for reject in rejects] == [ahead, large, other_key, quoted]
    found = entities.fold({Side.CANDIDATE: records}, LIMITS)
    assert (set(found.documents), set(found.erased)) == ({(Side.CANDIDATE, "c1")}, set())


def test_an_event_without_a_rank_gets_that_of_its_match() -> None:
    match = Match.model_validate(
        {"id": "m1", "occurred_at": START, "vacancy_id": "v1", "vacancy_revision": 1, "candidate_id": "c1"}
        | {"candidate_revision": 1, "model_version": "x", "score": 1, "confidence": 1, "found_by": "vacancy"}
        | {"rank": 7, "reasons": {"vacancy_certainty": 1, "candidate_certainty": 1}}
    )
    records = [record(b"v1", match.model_dump_json().encode()), record(b"v1", b'{"type":"other"}')]
    events = [
        said("hired", match_id="m1"),
        said("hired", match_id="m1", rank=2),
        said("hired", match_id="m2"),
    ]
    assert [event.rank for event in verdicts.with_ranks(events, records)] == [7, 2, None]


def test_every_verdict_has_a_grade() -> None:
    assert set(GRADES) == set(Verdict)

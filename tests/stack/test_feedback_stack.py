"""Feedback and entities through the real broker, as a training run reads them."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from schemas.match import Side
from streams.embedded import Stack
from training import entities, feedback, topics, verdicts
from training.__main__ import main

AT = "2026-01-01T00:00:00Z"
VERDICTS = [("fb-1", "hired"), ("fb-2", "rejected"), ("fb-1", "shortlisted")]


def event(number: int, candidate: str, verdict: str) -> bytes:
    fields = {"id": f"fb-event-{number}", "occurred_at": f"2026-01-01T00:00:0{number}Z", "verdict": verdict}
    return json.dumps(fields | {"vacancy_id": "fb-v", "candidate_id": candidate, "actor": "vacancy"}).encode()


@pytest.fixture(scope="module")
def published(wire, kit) -> None:
    """One vacancy, two candidates of whom the second is then erased, and what was said about them."""
    vacancy = json.dumps({"id": "fb-v", "occurred_at": AT, "title": "Night nurse"}).encode()
    people = [
        json.dumps({"id": c, "occurred_at": AT, "titles": ["nurse"]}).encode() for c in ("fb-1", "fb-2")
    ]
    wire.send_all(
        [
            kit.sent("vacancies", b"fb-v", vacancy),
            *(kit.sent("candidates", b"fb-%d" % n, person) for n, person in enumerate(people, 1)),
            *(kit.sent("feedback", b"fb-v", event(n, c, verdict)) for n, (c, verdict) in enumerate(VERDICTS)),
            kit.sent("candidates", b"fb-2", None, at=int(time.time() * 1000)),
        ]
    )


@pytest.mark.usefixtures("published")
def test_who_was_erased_is_in_no_new_training_set(stack: Stack) -> None:
    here, _ = asyncio.run(entities.read(stack.settings))
    received = asyncio.run(verdicts.read(stack.settings))
    dropped: Counter[str] = Counter()
    mine = [each for each in received.events if each.vacancy_id == "fb-v"]
    pairs = feedback.graded_pairs(mine, here, feedback.FeedbackRules(), dropped)
    assert [(pair.candidate_id, pair.grade) for pair in pairs] == [("fb-1", pytest.approx(0.6))]
    assert dropped == {"erased": 1, "superseded": 1}
    assert (Side.CANDIDATE, "fb-1") in here.documents
    assert (Side.CANDIDATE, "fb-2") not in here.documents


@pytest.mark.usefixtures("published")
def test_the_same_offsets_give_the_same_events_when_more_have_come(stack: Stack, wire, kit) -> None:
    first = asyncio.run(verdicts.read(stack.settings))
    wire.send(kit.sent("feedback", b"fb-v", event(9, "fb-1", "rejected")))
    again = asyncio.run(verdicts.read(stack.settings, first.offsets))
    everything = asyncio.run(verdicts.read(stack.settings))
    assert again == first
    assert len(everything.events) == len(first.events) + 1


def test_offsets_that_the_topic_does_not_have_are_explained(stack: Stack) -> None:
    with pytest.raises(topics.TopicError, match=r"feedback/0 ends at offset \d+, before 99"):
        asyncio.run(topics.read(stack.settings, "feedback", dict.fromkeys(range(4), (0, 99))))


@pytest.mark.usefixtures("published")
def test_export_writes_what_a_run_reads(stack: Stack, tmp_path: Path) -> None:
    out = tmp_path / "feedback.jsonl"
    result = CliRunner().invoke(main, ["feedback", "export", str(out)], env={"ROLECALL_BROKER": stack.broker})
    assert result.exit_code == 0, result.output
    received = asyncio.run(verdicts.read(stack.settings))
    assert verdicts.read_file(out, received.events[-1].occurred_at).events == received.events


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere.invalid:9"])
def test_a_broker_that_is_away_is_explained(address: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["feedback", "export", str(tmp_path / "x")], env={"ROLECALL_BROKER": address}
    )
    assert result.exit_code == 1
    assert f"topic feedback cannot be read from {address}" in result.output

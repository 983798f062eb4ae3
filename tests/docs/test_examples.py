"""The examples of the documentation run, and the consumer in SQLite keeps what `MatchState` keeps."""

import json
import runpy
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall import Candidate, Match, MatchState, Vacancy
from rolecall.schemas.match import MatchesWithdrawn, Reasons, Side, WithdrawalReason
from rolecall.schemas.rollout import Deployment, Rollout

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def run(name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


class TestScripts:
    def test_encode_titles_puts_the_same_occupation_first(self):
        assert "nurse" in run("encode_titles.py", "registered nurse").splitlines()[0]

    def test_match_files_prints_the_pairs_of_the_sample(self):
        shown = run("match_files.py", str(EXAMPLES / "jobs.jsonl"), str(EXAMPLES / "people.jsonl"))
        assert {line.split("  ")[1] for line in shown.splitlines()} == {
            "Backend developer (Python) - Software engineer",
            "Night shift nurse - Registered nurse",
        }

    def test_the_producer_keys_every_record_by_its_id(self):
        names = runpy.run_path(str(EXAMPLES / "producer.py"))
        assert [(type(each), each.id) for each in names["VACANCIES"] + names["CANDIDATES"]] == [
            (Vacancy, "v-1"),
            (Vacancy, "v-2"),
            (Candidate, "c-1"),
            (Candidate, "c-2"),
        ]

    def test_every_cell_of_the_notebook_runs(self):
        notebook = json.loads((EXAMPLES / "encode_and_match.ipynb").read_text())
        names = {}
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
        assert [match.candidate_id for match in names["found"]] == ["c-2"]


revisions = st.integers(1, 4)
vacancy_ids, candidate_ids = st.sampled_from(("v1", "v2")), st.sampled_from(("c1", "c2"))
models = st.sampled_from(("old", "new"))


def match_of(vacancy, candidate, vacancy_revision, candidate_revision, model, seconds):
    return Match(
        id=f"{vacancy} {candidate} {vacancy_revision} {candidate_revision} {model}",
        occurred_at=NOW + timedelta(seconds=seconds),
        vacancy_id=vacancy,
        vacancy_revision=vacancy_revision,
        candidate_id=candidate,
        candidate_revision=candidate_revision,
        model_version=model,
        score=0.9,
        confidence=0.5,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(vacancy_certainty=0.5, candidate_certainty=0.5),
    )


def withdrawn(side, number, revision):
    return MatchesWithdrawn(
        side=side,
        entity_id=f"{side[0]}{number}",
        revision=revision,
        reason=WithdrawalReason.SUPERSEDED,
        occurred_at=NOW,
    )


def excluded(side, number, revision, counterparts, model):
    return MatchesWithdrawn(
        side=side,
        entity_id=f"{side[0]}{number}",
        revision=revision,
        reason=WithdrawalReason.EXCLUDED,
        occurred_at=NOW,
        counterparts={f"{side.other[0]}{other}": own for other, own in counterparts.items()},
        model_version=model,
    )


def rollout(revision, model):
    # The revision says the model: two rollouts of one revision never differ.
    live = Deployment(model_version=model[revision % 2], generation=0)
    return Rollout(occurred_at=NOW, revision=revision, live=live)


numbers = st.sampled_from((1, 2))
events = st.one_of(
    st.builds(
        match_of, vacancy_ids, candidate_ids, revisions, revisions, models, st.sampled_from((0, 0.5, 1))
    ),
    st.builds(withdrawn, st.sampled_from(Side), numbers, revisions),
    st.builds(
        excluded,
        st.sampled_from(Side),
        numbers,
        revisions,
        st.dictionaries(numbers, revisions),
        st.none() | models,
    ),
    st.builds(rollout, st.integers(1, 4), st.just(("old", "new"))),
)


CONSUMER = runpy.run_path(str(EXAMPLES / "consumer_sqlite.py"))


def held_after(values):
    """What the view `current` has, as matches."""
    with closing(CONSUMER["opened"](":memory:")) as database:
        for value in values:
            CONSUMER["apply"](database, value)
        rows = database.execute("SELECT value FROM current").fetchall()
    return [Match.model_validate_json(value) for (value,) in rows]


class TestConsumer:
    @given(history=st.lists(events, max_size=25))
    def test_holds_what_match_state_holds(self, history):
        held = held_after(event.model_dump_json().encode() for event in history)
        assert sorted(held, key=pair) == sorted(MatchState(history).matches(), key=pair)

    @settings(max_examples=20)  # a file each
    @given(history=st.lists(events, max_size=15), turns=st.lists(st.booleans(), min_size=15, max_size=15))
    def test_two_consumers_of_one_group_hold_it_together_in_one_store(self, history, turns):
        """Each reads some partitions: which one reads an event, and when, is up to the broker."""
        with TemporaryDirectory() as folder:
            path = str(Path(folder, "shared.db"))
            with closing(CONSUMER["opened"](path)) as one, closing(CONSUMER["opened"](path)) as other:
                for event, first in zip(history, turns, strict=False):
                    with one if first else other as database:
                        CONSUMER["apply"](database, event.model_dump_json().encode())
                rows = other.execute("SELECT value FROM current").fetchall()
        held = [Match.model_validate_json(value) for (value,) in rows]
        assert sorted(held, key=pair) == sorted(MatchState(history).matches(), key=pair)

    def test_a_type_that_it_does_not_know_is_left_out(self):
        assert held_after([b'{"type": "something_new"}']) == []


def pair(match):
    return match.vacancy_id, match.candidate_id

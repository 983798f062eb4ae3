"""docs/privacy.md agrees with the code about what is stored of a candidate, and for how long."""

import asyncio
import json
import math
import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Side
from rolecall.schemas.topics import CANDIDATES, DAY_MS, DEAD_LETTERS, FEEDBACK, MATCHES, VACANCIES
from rolecall.streams.monitor.health import Health
from rolecall.streams.monitor.metrics import Metrics
from rolecall.streams.settings import Settings
from rolecall.streams.worker.rolling import ROLL_SECONDS

DOC = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+?) \| [^|]+ \| ([^|]*?) \|$", DOC, re.MULTILINE))
BOUNDS = dict(re.findall(r"^\| ([^|]+?) \| (\d+) days?\b", DOC, re.MULTILINE))
PROFILE = {
    "title": "quokka keeper",
    "summary": "I live at numbat street and my name is Wombat",
    "skills": ["echidna care", "first aid"],
}


@pytest.mark.parametrize("topic", [MATCHES, FEEDBACK, DEAD_LETTERS], ids=lambda topic: topic.name)
def test_the_retention_of_a_topic_is_the_documented_one(topic):
    assert ROWS[f"topic `{topic.name}`"] == f"{topic.retention_ms // DAY_MS} days"


def test_the_retention_of_tombstones_and_cache_is_the_documented_one():
    assert ROWS["vector index, tombstone"] == f"{VACANCIES.retention_ms // DAY_MS} days after the removal"
    assert Settings.model_fields["cache_ttl_seconds"].default * 1000 == DAY_MS
    assert "`ROLECALL_CACHE_TTL_SECONDS` (a day)" in ROWS["Redis, if configured"]
    assert f"({Settings.model_fields['expiry_interval_seconds'].default} s)" in DOC


def test_a_text_rests_in_a_log_no_longer_than_documented():
    """Days until a segment is closed, and then until it is compacted or deleted, in whole days."""
    rolled = CANDIDATES.segment_ms + ROLL_SECONDS * 1000
    compacted = rolled + int(CANDIDATES.config()["max.compaction.lag.ms"])
    assert int(BOUNDS["log of `candidates`"]) == math.ceil(compacted / DAY_MS)
    for topic, name in ((DEAD_LETTERS, "`dead-letters`"), (MATCHES, "`matches`"), (FEEDBACK, "`feedback`")):
        [said] = (int(days) for where, days in BOUNDS.items() if where.startswith(f"log of {name}"))
        deleted = topic.retention_ms + topic.segment_ms
        assert deleted / DAY_MS <= said <= deleted / DAY_MS + 1  # one day for the broker to look


def test_every_test_that_is_named_is_there():
    root = Path(__file__).parents[2]
    named = re.findall(r"`(tests/[^`]+)`", DOC)
    assert len(named) > 15
    assert [path for path in named if not (root / path).is_file()] == []


@pytest.fixture
def matched(world, make):
    """A world in which the candidate matched a vacancy of the same title that asks for one more skill."""

    async def run():
        await world.vacancies(make.vacancy("v1", title=PROFILE["title"], skills=["First Aid", "sql"]))
        return await world.candidates(make.candidate("c1", **PROFILE))

    world.tally = asyncio.run(run())
    assert world.pairs == {("v1", "c1")}
    return world


def said(text: str) -> set[str]:
    return {word for word in ("quokka", "numbat", "Wombat", "echidna", "c1") if word in text}


def test_the_index_holds_terms_and_skills_and_no_other_text(matched):
    stored = matched.index.points[Side.CANDIDATE]["c1"]
    hashes = {"digest", "edition", "content"}
    kept = {name: value for name, value in stored.payload.items() if name not in hashes}
    assert said(json.dumps(kept)) == {"echidna"}


def test_a_match_holds_the_id_and_what_the_vacancy_asks_for(matched):
    [match] = matched.matches
    assert said(match.model_dump_json()) == {"c1"}
    assert (match.reasons.shared_skills, match.reasons.missing_skills) == (("First Aid",), ("sql",))


def test_metrics_hold_nothing_of_anyone(matched):
    metrics = Metrics(Health(None))
    metrics.entities("candidates", matched.tally, seconds=0.1)
    exposed = generate_latest(metrics.registry).decode()
    assert "rolecall_events_total" in exposed
    assert said(exposed) == set()


def test_the_contracts_of_a_candidate_have_no_field_for_contact_data():
    assert not {name for name in Candidate.model_fields if re.search("name|mail|phone|address|birth", name)}

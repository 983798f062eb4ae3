import re
from pathlib import Path

import pytest

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.feedback import Feedback, VerdictReason
from rolecall.schemas.match import Match, MatchesWithdrawn
from rolecall.schemas.topics import DAY_MS, TOPICS
from rolecall.schemas.vacancy import Vacancy

DOC = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
CONTRACTS = {
    "vacancy": Vacancy,
    "candidate": Candidate,
    "match": Match,
    "matches_withdrawn": MatchesWithdrawn,
    "feedback": Feedback,
}
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", DOC, re.DOTALL)
ROWS = {
    row[0].strip("`"): row
    for row in (line.strip("| ").split(" | ") for line in DOC.splitlines())
    if len(row) == 6
}


def test_there_is_an_example_of_each_side_each_result_and_a_verdict():
    assert {name for name, _ in EXAMPLES} == set(CONTRACTS)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_a_valid_event(name, example):
    event = CONTRACTS[name].model_validate_json(example, strict=True)
    assert not event.model_extra


def test_the_table_of_reasons_has_every_reason():
    table = DOC.partition("| `reason` of a verdict |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [each.value for each in VerdictReason]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_the_table_says_how_a_topic_is_keyed_and_kept(topic):
    name, _, key, cleanup, partitions, kept = ROWS[topic.name]
    assert (name, key, cleanup, partitions) == (
        f"`{topic.name}`",
        topic.key,
        topic.cleanup_policy,
        str(topic.partitions),
    )
    days = topic.retention_ms // DAY_MS
    assert kept.endswith(f"{days} days")

"""Feedback and entities through the real broker, as a training run reads them."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner

from rolecall.schemas.match import Side
from rolecall.streams.embedded.stack import Stack
from rolecall.training.cli.main import group as main
from rolecall.training.feedback import entities, topics, verdicts
from rolecall.training.feedback import pairs as feedback

AT = "2026-01-01T00:00:00Z"
VERDICTS = [("fb-1", "hired"), ("fb-2", "rejected"), ("fb-1", "shortlisted")]


def event(number: int, candidate: str, verdict: str) -> bytes:
    fields = {"id": f"fb-event-{number}", "occurred_at": f"2026-01-01T00:00:0{number}Z", "verdict": verdict}
    return json.dumps(fields | {"vacancy_id": "fb-v", "candidate_id": candidate, "actor": "vacancy"}).encode()


@pytest.fixture(scope="module")
def published(wire, kit) -> None:
    """One vacancy, two candidates, and feedback on them. The second candidate is then erased."""
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
    assert f"no Kafka broker answers at {address}" in result.output


README = (Path(__file__).parents[2] / "README.md").read_text()


def shell(block: str, folder: Path, stack: Stack) -> subprocess.CompletedProcess[str]:
    """Runs a block of the README, with or without `$` before commands, and stops at the first failure."""
    lines = [line.removeprefix("$ ") for line in block.splitlines() if line[:1] not in "0123456789…m"]
    script = 'set -e\nrolecall() { "$PYTHON" -P -m rolecall.streams.cli "$@"; }\n' + "\n".join(lines)
    root = str(Path(__file__).parents[2])
    environment = stack.environment() | {"PYTHON": sys.executable, "PYTHONPATH": root}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=os.environ | environment, capture_output=True, text=True
    )


def test_the_commands_of_the_readme_run(kit, tmp_path: Path) -> None:
    """With a tiny ontology, a few steps and this test's feedback. Of the last block, only the audit runs.

    On a broker of its own: other tests erase the README's candidates, and an erasure drops older feedback.
    """
    with kit.stack(tmp_path / "stack") as stack, closing(kit.wire(stack.broker)) as wire:
        readme_commands(stack, wire, kit, tmp_path)


def readme_commands(stack: Stack, wire, kit, tmp_path: Path) -> None:
    section = README.partition("## Retrain from feedback")[2].partition("\n## ")[0]
    tell, train, use = re.findall(r"```\n(.+?)```", section, re.DOTALL)
    tour = re.findall(r"^\{.+\"titles?\".+\}$", README.partition("## Your own data")[0], re.MULTILINE)
    for line in tour:
        record = json.loads(line)
        topic = "vacancies" if "title" in record else "candidates"
        wire.send(kit.sent(topic, record["id"].encode(), line.encode()))
    (tmp_path / "data").mkdir()
    goods = ["steel", "wood", "glass", "paper", "cloth", "leather", "bread", "fruit", "fish"]
    makers = [
        "buyer",
        "seller",
        "cutter",
        "painter",
        "driver",
        "packer",
        "cleaner",
        "tester",
        "guard",
        "boss",
    ]
    rows = [
        f"{good} {maker},{grade} {good} {maker}"
        for good, maker, grade in product(goods, makers, ("old", "new", "head"))
    ]
    (tmp_path / "data" / "jobs.csv").write_text("\n".join(["concept,text", *rows]))
    assert len(tour) == 5
    told = shell(tell, tmp_path, stack)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("3 events published\n")
    assert "events in feedback.jsonl" in told.stdout
    (tmp_path / "short.toml").write_text("steps = 5\n")
    train = train.replace("--data data", "--data data --config short.toml --feedback verdicts.jsonl")
    trained = shell(train, tmp_path, stack)
    assert trained.returncode == 1, trained.stderr
    assert trained.stdout.startswith("3 events, 2 pairs\n")
    assert trained.stderr.splitlines()[-1] == "models/next is kept back"
    assert "too few to judge by" in trained.stderr
    gate = json.loads((tmp_path / "models/next/gate.json").read_text())
    assert gate["promoted"] is False
    audited = shell(use.splitlines()[0], tmp_path, stack)
    assert audited.returncode == 0, audited.stderr
    assert "gendered forms" in audited.stdout

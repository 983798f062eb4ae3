"""A rule and a reference are published once. Both workers apply them."""

import json
import re
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner

from rolecall.encoder.document import Document, document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import OCCUPATIONS, RULES
from rolecall.streams.cli.main import group as main

ONE, OTHER = "astronaut", "beekeeper"
EACH = 24


def record(kit, topic, id, **fields):
    value = {"id": id, "occurred_at": datetime.now(UTC).isoformat(), **fields}
    return kit.sent(topic, id.encode(), json.dumps(value).encode())


def people(kit, wave):
    """The same number of each title on each side, over all partitions."""
    for number in range(EACH):
        title = ONE if number % 2 else OTHER
        yield record(kit, kit.topic[Side.VACANCY], f"{wave}-v{number}-{title}", title=title)
        yield record(kit, kit.topic[Side.CANDIDATE], f"{wave}-c{number}-{title}", titles=[title])


def standing(wire, holding, wave):
    return {
        (vacancy, candidate)
        for vacancy, _, candidate, _ in holding(wire.matches, wire.withdrawn)
        if vacancy.startswith(wave) and candidate.startswith(wave)
    }


def crossed(pairs):
    return {(v, c) for v, c in pairs if v.rsplit("-")[-1] != c.rsplit("-")[-1]}


@pytest.fixture
def before(wire, workers, kit):
    wire.send_all(people(kit, "xa"))
    wire.settle()


@pytest.fixture
def rule(wire, kit, before):
    anchors = [{"text": text, "min_similarity": 0.99} for text in (ONE, OTHER)]
    wire.send(record(kit, RULES.name, "apart", anchors=anchors))
    wire.settle()
    yield
    wire.send(kit.sent(RULES.name, b"apart", None, at=time.time_ns() // 1_000_000))
    wire.settle()


def test_a_rule_withdraws_what_it_forbids_and_holds_on_both_workers(
    wire, workers, kit, holding, before, rule
):
    assert len(standing(wire, holding, "xa")) == EACH * EACH / 2
    assert not crossed(standing(wire, holding, "xa"))
    seen = [len(worker.lines("batch")) for worker in workers]
    wire.send_all(people(kit, "xb"))
    wire.settle()
    assert all(len(worker.lines("batch")) > was for worker, was in zip(workers, seen, strict=True))
    found = {
        (match.vacancy_id, match.candidate_id) for match in wire.matches if match.vacancy_id.startswith("xb")
    }
    within = {(vacancy, candidate) for vacancy, candidate in found if candidate.startswith("xb")}
    assert len(within) == EACH * EACH / 2
    assert not crossed(within)


TITLES = ("zookeeper", "midwife", "plumber")


class Similarities:
    """Of the entities of a history to the titles, computed with the encoder alone."""

    def __init__(self, history):
        encoder = Encoder.load()
        entities = [entity for entity in history.newest.values() if entity is not None]
        vectors = encoder.encode([document_of(entity) for entity in entities]).vectors
        scores = vectors @ encoder.encode([Document(title) for title in TITLES]).vectors.T
        self.of = {entity.id: scores[row] for row, entity in enumerate(entities)}
        # Far from every score, so that no rounding counts: processors differ in the last digits.
        near = np.sort(scores[(scores > 0.7) & (scores < 0.8)])
        widest = np.argmax(np.diff(near))
        self.radius = float(near[widest : widest + 2].mean())

    def forbidden(self, pairs, one, other):
        """The pairs with one entity in the area of either title."""

        def inside(id, title):
            return self.of[id][TITLES.index(title)] >= self.radius

        return {
            pair
            for pair in pairs
            for first, second in ((one, other), (other, one))
            if inside(pair[0], first) and inside(pair[2], second)
        }


def test_what_stands_is_exact_while_rules_come_and_go_beside_the_events(wire, workers, kit, holding):
    """One rule is added and removed, one is added and stays, between three parts of the history."""
    history = kit.history(seed=20261125, name="ruled", entities=60, titles=TITLES)
    similarities = Similarities(history)
    third = len(history.records) // 3
    passing, staying = (TITLES[0], TITLES[1]), (TITLES[1], TITLES[2])

    def rule(id, texts):
        anchors = [{"text": text, "min_similarity": similarities.radius} for text in texts]
        return record(kit, RULES.name, id, anchors=anchors)

    def removal(id):
        return kit.sent(RULES.name, id.encode(), None, at=time.time_ns() // 1_000_000)

    wire.send_all([*history.records[:third], rule("passing", passing)])
    wire.send_all([*history.records[third : 2 * third], removal("passing"), rule("staying", staying)])
    wire.send_all(history.records[2 * third :])
    wire.settle()
    held = holding(history.own(wire.matches), wire.withdrawn)
    wire.send(removal("staying"))
    wire.settle()
    possible = history.expected()
    once, still = (similarities.forbidden(possible, *texts) for texts in (passing, staying))
    assert min(len(once), len(still)) > 100
    assert possible - still - once <= held <= possible - still


def test_the_command_line_tells_what_a_rule_would_exclude(stack, before, monkeypatch):
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    options = ["--first", ONE, "--second", OTHER, "--min-similarity", "0.99"]
    tried = CliRunner().invoke(main, ["rules", "test", *options])
    assert (tried.exit_code, tried.exception) == (0, None)
    vacancies, candidates = [int(n) for n in re.findall(r"(\d+) (?:vacancies|candidates)", tried.output)[:2]]
    assert vacancies == candidates >= EACH / 2
    assert f"{vacancies * candidates * 2} pairs excluded" in tried.output.replace(",", "")


def test_the_command_line_adds_lists_and_removes(stack, wire, before, monkeypatch):
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)

    def rolecall(*arguments):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    options = [
        "--first",
        "lion tamer",
        "--second",
        "lion",
        "--min-similarity",
        "1",
        "--min-similarity",
        "0.9",
    ]
    rolecall("rules", "add", "--id", "lions", *options, "--author", "ann", "--note", "they bite")
    [line] = [line for line in rolecall("rules", "list").splitlines() if '"lions"' in line]
    rule = ExclusionRule.model_validate_json(line)
    assert (rule.author, rule.note) == ("ann", "they bite")
    assert [anchor.min_similarity for anchor in rule.anchors] == [1, 0.9]
    rolecall("rules", "remove", "lions")
    assert '"lions"' not in rolecall("rules", "list")


def test_a_rule_about_nobody_is_dead_lettered(wire, workers, kit):
    anchors = [{"entity_id": "nobody", "min_similarity": 1}, {"text": ONE, "min_similarity": 1}]
    sent = wire.send(record(kit, RULES.name, "nobody", anchors=anchors))
    wire.until(lambda: sent.place in wire.letters, "the dead letter")
    said = dict(wire.letters[sent.place].headers)["__connect.errors.exception.message"].decode()
    assert "'nobody' is indexed" in said


def test_a_reference_is_named_by_the_next_match(wire, workers, kit):
    wire.send(record(kit, OCCUPATIONS.name, "o-lamp", label="lamplighter"))
    wire.settle()
    wire.send(record(kit, kit.topic[Side.VACANCY], "xo-v", title="lamplighter"))
    wire.send(record(kit, kit.topic[Side.CANDIDATE], "xo-c", titles=["lamplighter"]))
    match = wire.until(
        lambda: next((m for m in wire.matches if (m.vacancy_id, m.candidate_id) == ("xo-v", "xo-c")), None),
        "the match",
    )
    assert match.reasons.vacancy_occupation.id == match.reasons.candidate_occupation.id == "o-lamp"
    assert match.reasons.vacancy_occupation.score == pytest.approx(1, abs=1e-3)

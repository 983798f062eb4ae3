"""Expected intervals are published, or were worked out by hand."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from click.testing import CliRunner, Result

from rolecall import Encoder
from rolecall.schemas.match import Match
from rolecall.training.cli.main import group as main
from rolecall.training.judge import audit
from rolecall.training.judge.gendered_titles import GENDERED, NEUTRAL


def match(vacancy: str, candidate: str, confidence: float) -> Match:
    return Match.model_validate(
        {"id": f"{vacancy}{candidate}", "occurred_at": "2026-01-01T00:00:00Z", "vacancy_id": vacancy}
        | {"vacancy_revision": 1, "candidate_id": candidate, "candidate_revision": 1, "model_version": "x"}
        | {"score": 1, "confidence": confidence, "found_by": "vacancy", "rank": 1}
        | {"reasons": {"vacancy_certainty": 1, "candidate_certainty": 1}}
    )


MATCHES = [match("v1", "c1", 0.2), match("v2", "c1", 0.6), match("v1", "c2", 0.8), match("v3", "c9", 0.9)]
GROUPS = {"c1": "a", "c2": "a", "c3": "a", "c4": "b", "c5": "b", "v3": "c"}


def test_rates_count_whoever_has_no_match() -> None:
    found = {group.name: group for group in audit.by_group(MATCHES, GROUPS)}
    assert {name: (group.people, group.matched) for name, group in found.items()} == {
        "a": (3, 2),
        "b": (2, 0),
        "c": (1, 1),
    }
    assert (found["a"].ratio, found["b"].ratio) == (pytest.approx(2 / 3), 0)


def test_confidence_is_a_mean_of_people_not_of_matches() -> None:
    """c1: (0.2 + 0.6) / 2, c2: 0.8. A repeated match counts once."""
    [group] = audit.by_group([*MATCHES, MATCHES[0]], {"c1": "a", "c2": "a"})
    assert group.confidence == pytest.approx(0.6)
    assert group.confidence_interval == (pytest.approx(0.4), pytest.approx(0.8))


def test_a_group_without_a_match_has_no_confidence() -> None:
    [group] = audit.by_group(MATCHES, {"c3": "a"})
    assert (group.confidence, group.confidence_interval, group.ratio) == (None, None, None)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_newcombe(successes: int, trials: int, low: float, high: float) -> None:
    """Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3."""
    assert audit.wilson(successes, trials) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_bootstrap_agrees_with_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(3, 1, 400)
    half = 1.96 * values.std() / 20
    low, high = audit.bootstrap(values)
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(device="cpu")


def test_a_title_and_itself_lie_nowhere_differently(encoder: Encoder) -> None:
    [pair] = audit.title_pairs(encoder, [("nurse", "nurse")], [f"job {n}" for n in range(20)]).pairs
    assert pair.similarity == pytest.approx(1, abs=1e-3)
    assert (pair.mean_difference, pair.largest_difference, pair.same_nearest) == (0, 0, 10)


def test_differences_are_those_to_every_occupation(encoder: Encoder) -> None:
    titles = ["cook", "flight attendant", "ship's officer"]
    [pair] = audit.title_pairs(encoder, [("steward", "stewardess")], titles).pairs
    vectors = {t: encoder.encode([d]).vectors[0] for t, d in documents(["steward", "stewardess", *titles])}
    apart = [float(vectors["steward"] @ vectors[t] - vectors["stewardess"] @ vectors[t]) for t in titles]
    assert pair.mean_difference == pytest.approx(np.mean(np.abs(apart)), abs=1e-3)
    assert pair.largest_difference == pytest.approx(max(apart, key=abs), abs=1e-3)
    assert pair.where == titles[int(np.argmax(np.abs(apart)))]


def documents(titles: list[str]):
    from rolecall import Document

    return [(title, Document(title)) for title in titles]


def test_no_pair_is_told_twice() -> None:
    pairs = [frozenset(pair) for pair in (*GENDERED, *NEUTRAL)]
    assert len(set(pairs)) == len(pairs) == 55
    assert all(len(pair) == 2 for pair in pairs)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [f"{n},{title}" for n, title in enumerate(["cook", "nurse", "pilot", "flight attendant"])]
    (tmp_path / "jobs.csv").write_text("\n".join(["concept,text", *rows]))
    return tmp_path


def audited(data: Path, groups: str) -> Result:
    (data / "who").write_text(groups)
    (data / "matches").write_text(
        "".join(each.model_dump_json() + "\n" for each in MATCHES) + '{"type":"x"}\n'
    )
    report = str(data / "report.json")
    command = [
        "audit",
        "--data",
        str(data),
        "--groups",
        str(data / "who"),
        "--matches",
        str(data / "matches"),
    ]
    return CliRunner().invoke(main, [*command, "--json", report])


def test_the_report_has_groups_and_titles(data: Path) -> None:
    result = audited(data, "id,group\nc1,women\nc2,men\nc3,men\nc4,\n")
    assert result.exit_code == 0, result.output
    men, women = result.output.splitlines()[1:3]
    assert men.split()[:3] == ["men", "2", "0.500"]
    assert women.split()[:3] == ["women", "1", "1.000"]
    report = orjson.loads((data / "report.json").read_bytes())
    assert [group["name"] for group in report["groups"]] == ["men", "women"]
    assert len(report["gendered"]["pairs"]) == len(GENDERED)


def test_a_table_without_groups_is_explained(data: Path) -> None:
    result = audited(data, "id,gender\nc1,f\n")
    assert result.exit_code == 1
    assert "has no column group" in result.output

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.candidates import candidates, main

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FILES = {
    "Alternate Titles.txt": "O*NET-SOC Code\tAlternate Title\n11-1\tBread Baker\n11-1\tDough Maker\n",
    "Sample of Reported Titles.txt": "O*NET-SOC Code\tReported Job Title\n11-1\tBread Baker\n22-2\tMiller\n",
    "Technology Skills.txt": 'O*NET-SOC Code\tExample\n11-1\tThe "Oven" app\n',
    "Task Statements.txt": "O*NET-SOC Code\tTask\n11-1\tKnead dough.\n11-1\tBake bread.\n",
}


@pytest.fixture
def onet(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_same_seed_gives_the_same_candidates(onet: Path) -> None:
    assert list(candidates(onet, 50, 1, NOW)) == list(candidates(onet, 50, 1, NOW))


def test_titles_skills_and_tasks_come_from_one_occupation(onet: Path) -> None:
    bakers = [c for c in candidates(onet, 200, 1, NOW) if c.titles != ("Miller",)]
    assert {title for c in bakers for title in c.titles} == {"Bread Baker", "Dough Maker"}
    assert {skill for c in bakers for skill in c.skills} == {'The "Oven" app'}
    assert {c.summary for c in bakers} >= {"Knead dough.", "Bake bread. Knead dough.", ""}


def test_an_occupation_without_technologies_and_tasks_has_titles_only(onet: Path) -> None:
    millers = [c for c in candidates(onet, 200, 1, NOW) if c.titles == ("Miller",)]
    assert {(c.skills, c.summary) for c in millers} == {((), "")}


def test_the_command_writes_one_candidate_a_line(onet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = onet / "out.jsonl"
    arguments = ["candidates", "--onet", str(onet), "--count", "3", "--out", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert len(out.read_text().splitlines()) == 3

"""Files of matches."""

import csv
import sys

import orjson
import pytest

from rolecall.schemas.match import Match, Reasons, Side
from rolecall.streams.errors import ExtraMissing
from rolecall.streams.offline.write import COLUMNS, written

MATCH = Match(
    id="m",
    occurred_at="2026-01-01T00:00:00Z",
    vacancy_id="v",
    vacancy_revision=1,
    candidate_id="c",
    candidate_revision=2,
    model_version="model",
    score=0.9,
    confidence=0.7,
    found_by=Side.VACANCY,
    rank=1,
    duplicate_key="k",
    reasons=Reasons(shared_skills=("SQL", "Go"), vacancy_certainty=0.4, candidate_certainty=0.5),
)
ROW = {
    "vacancy_id": "v", "vacancy_title": "Developer", "candidate_id": "c", "candidate_title": "Programmer",
    "confidence": 0.7, "score": 0.9, "found_by": "vacancy", "rank": 1, "shared_skills": ["SQL", "Go"],
    "missing_skills": [], "features": [], "soft_rules": [], "vacancy_certainty": 0.4,
    "candidate_certainty": 0.5, "vacancy_revision": 1, "candidate_revision": 2, "model_version": "model",
    "occurred_at": "2026-01-01T00:00:00Z", "id": "m", "duplicates": [],
    "duplicate_key": "k",
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def run(name, *titles):
        path = tmp_path / name
        with written(path) as put:
            put(MATCH, *(titles or ("Developer", "Programmer")))
        return path

    return run


class TestWrite:
    def test_csv(self, write):
        rows = list(csv.DictReader(write("m.csv").read_text().splitlines()))
        expected = {name: str(value) for name, value in ROW.items()}
        none = dict.fromkeys(("missing_skills", "features", "soft_rules", "duplicates"), "")
        assert rows == [expected | none | {"shared_skills": "SQL; Go"}]
        assert tuple(rows[0]) == COLUMNS

    def test_jsonl_is_the_match_with_titles(self, write):
        line = orjson.loads(write("m.jsonl").read_bytes())
        assert (line["vacancy_title"], line["candidate_title"]) == ("Developer", "Programmer")
        assert Match.model_validate(line) == MATCH

    def test_parquet(self, write):
        parquet = pytest.importorskip("pyarrow.parquet")
        assert parquet.read_table(write("m.parquet")).to_pylist() == [ROW]

    def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(self, write):
        rows = list(csv.DictReader(write("m.csv", "=1+1", "-2").read_text().splitlines()))
        assert (rows[0]["vacancy_title"], rows[0]["candidate_title"]) == ("'=1+1", "'-2")

    def test_parquet_without_pyarrow_names_the_extra(self, write, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ExtraMissing, match=r"pip install 'rolecall\[parquet\]'"):
            write("m.parquet")
        assert list(tmp_path.iterdir()) == []

    def test_a_failure_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "m.csv"
        path.write_text("old")
        with pytest.raises(AttributeError), written(path) as put:
            put(None, "Developer", "Programmer")
        assert [each.name for each in tmp_path.iterdir()] == ["m.csv"]
        assert path.read_text() == "old"

"""`rolecall match`, with the bundled model."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rolecall.streams.cli.main import group

AT = "2026-01-01T00:00:00Z"
NURSE = {"id": "v1", "occurred_at": AT, "title": "Registered nurse", "skills": ["wound care"]}
DRIVER = {"id": "v2", "occurred_at": AT, "title": "Truck driver"}
PEOPLE = "id,occurred_at,titles,skills\nc1,2026-01-01,Nurse,wound care\nc2,2026-01-01,Lorry driver,\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def match(vacancies, people=PEOPLE, *options):
        Path("jobs.jsonl").write_text("".join(json.dumps(each) + "\n" for each in vacancies))
        Path("people.csv").write_text(people)
        return CliRunner().invoke(group, ["match", "jobs.jsonl", "people.csv", *options])

    return match


def rows(path="matches.csv"):
    with Path(path).open(newline="") as file:
        columns = ("vacancy_id", "vacancy_title", "candidate_id", "candidate_title")
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def both():
    return [("v1", "Registered nurse", "c1", "Nurse"), ("v2", "Truck driver", "c2", "Lorry driver")]


class TestMatch:
    def test_writes_pairs_with_titles(self, run):
        result = run([NURSE, DRIVER], PEOPLE, "--out", "matches.csv")
        assert result.exit_code == 0, result.output
        assert rows() == both()
        assert "2 matches of 2 vacancies and 2 candidates" in result.stderr

    def test_prints_a_table_without_out(self, run):
        lines = run([NURSE, DRIVER]).stdout.splitlines()
        assert [line.split()[1:3] for line in lines[1:]] == [["Registered", "nurse"], ["Truck", "driver"]]

    def test_the_highest_revision_counts_and_what_is_closed_is_left_out(self, run):
        older = NURSE | {"revision": 1, "title": "Baker"}
        run([NURSE, older, DRIVER | {"status": "closed"}], PEOPLE, "--out", "matches.csv")
        assert rows() == both()[:1]

    def test_an_erased_entity_is_left_out(self, run):
        run([NURSE, DRIVER, {"id": "v1", "erase": True}], PEOPLE, "--out", "matches.csv")
        assert rows() == both()[1:]

    def test_an_unreadable_record_goes_to_the_rejects(self, run):
        result = run([NURSE, {"id": "v3", "occurred_at": AT}], PEOPLE, "--out", "matches.csv")
        assert (result.exit_code, rows()) == (0, both()[:1])
        assert "1 record rejected" in result.stderr
        assert json.loads(Path("rejects.jsonl").read_text())["row"] == 2

    def test_a_value_that_is_not_certain_is_left_out_with_a_note(self, run):
        people = "id,occurred_at,titles,seniority\nc1,2026-01-01,Nurse,half a wizard\n"
        result = run([NURSE], people, "--out", "matches.csv")
        assert rows() == both()[:1]
        assert "1 record kept without values that are not certain" in result.stderr
        assert json.loads(Path("rejects.jsonl").read_text())["kept"] is True

    def test_what_the_worker_would_refuse_is_a_reject(self, run):
        later = DRIVER | {"occurred_at": "2999-01-01T00:00:00Z"}
        result = run([NURSE, later], PEOPLE, "--out", "matches.csv")
        assert rows() == both()[:1]
        assert "ahead of the record's timestamp" in result.stderr

    def test_a_rule_keeps_pairs_apart(self, run):
        anchors = [{"text": text, "min_similarity": 0.8} for text in ("Registered nurse", "Nurse")]
        Path("rules.jsonl").write_text(json.dumps({"id": "r", "occurred_at": AT, "anchors": anchors}) + "\n")
        run([NURSE, DRIVER], PEOPLE, "--out", "matches.csv", "--rules", "rules.jsonl")
        assert rows() == both()[1:]

    def test_columns_are_mapped(self, run):
        people = PEOPLE.replace("id,occurred_at,titles", "number,seen,job")
        named = [
            f"--map-candidates={pair}"
            for pair in ("id=number", "occurred_at=seen", "titles=job", "skills=skills")
        ]
        run([NURSE, DRIVER], people, "--out", "matches.csv", *named)
        assert rows() == both()

    def test_top_k_and_least_confidence_come_from_options_too(self, run):
        run([NURSE, DRIVER], PEOPLE, "--out", "matches.csv", "--min-confidence", "1")
        assert rows() == []

    def test_a_file_without_a_record_fails(self, run):
        assert run([NURSE], "id,occurred_at,titles\n", "--out", "matches.csv").exit_code == 1


class TestUsage:
    def test_an_unknown_format_is_refused_first(self, run):
        result = run([NURSE], PEOPLE, "--out", "matches.doc")
        assert result.exit_code == 2
        assert "must end in .csv, .jsonl, .parquet" in result.stderr

    def test_a_broken_rule_is_named_by_its_line(self, run):
        Path("rules.jsonl").write_text('\n{"id": "r"}\n')
        result = run([NURSE], PEOPLE, "--rules", "rules.jsonl")
        assert result.exit_code == 2
        assert "rules.jsonl, line 2: occurred_at: Field required" in result.stderr

    def test_a_mapping_to_no_field_is_refused(self, run):
        result = run([NURSE], PEOPLE, "--map-candidates", "name=x")
        assert result.exit_code == 2
        assert "--map-candidates: 'name' is not a field" in result.stderr

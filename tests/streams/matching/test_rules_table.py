"""The input is docs/rules.md: each row of its truth tables is a test."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.index.conditions import PAYLOAD_INDEXES
from rolecall.streams.matching.hard_rules import HardRule, RuleBook, broken_rules
from rolecall.streams.matching.pushdown import candidate_fields, vacancy_fields

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BOOK = RuleBook(rates={"EUR": 1.0, "USD": 0.90, "GBP": 1.20})
DOCUMENT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()


class Row(NamedTuple):
    section: str
    vacancy: str
    candidate: str
    verdict: str


def rows() -> Iterator[Row]:
    section, wanted = "", False
    for line in DOCUMENT.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if cells == ["Vacancy", "Candidate", "Verdict"]:
                wanted = True
            elif wanted and not line.startswith("|---"):
                yield Row(section, *cells)
        else:
            wanted = False


def read(words: str) -> dict[str, Any]:
    """`country DE; city Berlin; radius 30 km` -> the terms of a contract."""
    terms: dict[str, Any] = {}
    location: dict[str, Any] = {}
    for phrase in [] if words == "-" else words.split("; "):
        match re.split(r" +", phrase):
            case ["country" as name, value] | ["city" as name, value]:
                location[name] = value
            case ["city", *_]:
                location["city"] = phrase.removeprefix("city ")
            case ["at", lat, lon]:
                location |= {"lat": float(lat), "lon": float(lon)}
            case ["city's", "point", lat, lon]:
                location |= {"lat": float(lat), "lon": float(lon), "point_from": "city"}
            case ["radius", km, "km"]:
                terms["radius_km"] = float(km)
            case ["relocates"]:
                terms["relocate"] = True
            case ["may", "work", "in", *_]:
                terms["work_countries"] = phrase.removeprefix("may work in ").split(", ")
            case ["workplaces" | "workplace" | "seniority" as name, *values]:
                terms[name] = "".join(values).split(",") if name == "workplaces" else values[0]
            case ["languages", *_]:
                listed = [each.split() for each in phrase.removeprefix("languages ").split(", ")]
                terms["languages"] = [dict(zip(["code", "level"], each, strict=False)) for each in listed]
            case ["types", *values]:
                terms["employment_types"] = "".join(values).split(",")
            case ["pay", *amount, currency, "a", period]:
                terms["salary"] = pay(" ".join(amount)) | {"currency": currency, "period": period}
            case ["expires", day, time]:
                terms["expires_at"] = f"{day}T{time}:00Z"
            case _:
                raise ValueError(f"docs/rules.md: cannot read {phrase!r}")
    return terms | ({"location": location} if location else {})


def pay(amount: str) -> dict[str, float]:
    if amount.startswith("from "):
        return {"min": float(amount.removeprefix("from "))}
    if amount.startswith("up to "):
        return {"max": float(amount.removeprefix("up to "))}
    low, high = amount.split("-")
    return {"min": float(low), "max": float(high)}


def verdict(row: Row) -> tuple[str, ...]:
    return () if row.verdict == "passes" else tuple(row.verdict.removeprefix("breaks ").split(", "))


ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.vacancy} / {row.candidate}")
def test_a_row_of_the_document_holds(row: Row) -> None:
    vacancy = VacancyTerms.model_validate(read(row.vacancy))
    candidate = CandidateTerms.model_validate(read(row.candidate))
    assert broken_rules(vacancy, candidate, NOW, BOOK) == verdict(row)


def test_the_words_of_each_side_are_its_terms() -> None:
    for row in ROWS:
        assert set(read(row.vacancy)) <= set(VacancyTerms.model_fields)
        assert set(read(row.candidate)) <= set(CandidateTerms.model_fields)


@pytest.mark.parametrize("rule", HardRule)
def test_every_rule_is_shown_broken_kept_and_with_a_side_unknown(rule: HardRule) -> None:
    shown = [row for row in ROWS if row.section == rule]
    assert {verdict(row) for row in shown} == {(), (rule.value,)}
    assert any(row.vacancy == "-" for row in shown)
    assert any(row.candidate == "-" for row in shown)


def test_every_field_of_the_index_is_documented() -> None:
    fields = {*vacancy_fields(VacancyTerms()), *candidate_fields(CandidateTerms()), "coordinates", "pay"}
    assert [field for field in sorted(fields) if f"`{field}`" not in DOCUMENT] == []
    assert fields <= set(PAYLOAD_INDEXES)

"""The public interface as a user's code has it. mypy checks this file; nobody runs it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from rolecall import (
    Candidate,
    Document,
    Encoder,
    Match,
    MatchState,
    RolecallError,
    RuleBook,
    Settings,
    Side,
    Vacancy,
    broken_rules,
    compatible,
    match,
)


def entities(now: datetime) -> tuple[Vacancy, Candidate]:
    return Vacancy(id="v", occurred_at=now, title="nurse"), Candidate(
        id="c", occurred_at=now, titles=("nurse",)
    )


def encode(titles: list[str]) -> NDArray[np.float32]:
    encoder = Encoder.load()
    return encoder.encode([Document(title) for title in titles]).vectors


def rules(vacancy: Vacancy, candidate: Candidate) -> tuple[bool, list[str]]:
    now = datetime.now(UTC)
    broken = broken_rules(vacancy, candidate, now, RuleBook())
    return compatible(vacancy, candidate, now), [rule.value for rule in broken]


def offline(vacancies: list[Vacancy], candidates: list[Candidate]) -> Iterator[tuple[str, str, float]]:
    try:
        for each in match(vacancies, candidates, settings=Settings(top_k=3)):
            yield each.vacancy_id, each.candidate_id, each.confidence
    except RolecallError as error:
        raise SystemExit(error.exit_code) from error


def held(values: list[bytes]) -> list[Match]:
    state = MatchState(Match.model_validate_json(value) for value in values)
    return state.matches()


def shown(state: MatchState, candidate: str) -> list[tuple[str, tuple[str, ...]]]:
    found = state.list_of(Side.CANDIDATE, candidate, top_k=10)
    return [(each.vacancy_id, each.duplicates) for each in found]

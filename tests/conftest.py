"""What every test shares."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, settings

from schemas.match import Match, MatchesWithdrawn, Side

# A busy machine is no reason to fail: examples have no deadline, only the test has one.
settings.register_profile("rolecall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rolecall")

Pair = tuple[str, int, str, int]  # vacancy, its revision, candidate, its revision


@pytest.fixture(scope="session")
def holding() -> Callable[[Iterable[Match], Iterable[MatchesWithdrawn]], set[Pair]]:
    """The matches that no withdrawal names, by the rule of `MatchesWithdrawn`."""

    def pairs(matches: Iterable[Match], withdrawn: Iterable[MatchesWithdrawn]) -> set[Pair]:
        gone: dict[tuple[Side, str], int] = {}
        excluded: list[Pair] = []
        for each in withdrawn:
            if each.counterparts is not None:
                own = each.entity_id, each.revision
                for other in each.counterparts.items():
                    excluded.append((*own, *other) if each.side is Side.VACANCY else (*other, *own))
                continue
            key = each.side, each.entity_id
            gone[key] = max(gone.get(key, 0), each.revision)
        return {
            (match.vacancy_id, match.vacancy_revision, match.candidate_id, match.candidate_revision)
            for match in matches
            if match.vacancy_revision >= gone.get((Side.VACANCY, match.vacancy_id), 0)
            and match.candidate_revision >= gone.get((Side.CANDIDATE, match.candidate_id), 0)
            and not any(
                (match.vacancy_id, match.candidate_id) == (vacancy, candidate)
                and match.vacancy_revision <= vacancy_revision
                and match.candidate_revision <= candidate_revision
                for vacancy, vacancy_revision, candidate, candidate_revision in excluded
            )
        }

    return pairs


@pytest.fixture(scope="session")
def http_get() -> Callable[[str], tuple[int, str]]:
    """Status and body of a URL, whatever the status."""

    def get(url: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return get


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The stack last: its thread draws random numbers, which Hypothesis takes for a strategy's own."""
    items.sort(key=lambda item: "stack" in item.path.parts)

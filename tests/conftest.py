"""What every test shares."""

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
        for each in withdrawn:
            key = each.side, each.entity_id
            gone[key] = max(gone.get(key, 0), each.revision)
        return {
            (match.vacancy_id, match.vacancy_revision, match.candidate_id, match.candidate_revision)
            for match in matches
            if match.vacancy_revision >= gone.get((Side.VACANCY, match.vacancy_id), 0)
            and match.candidate_revision >= gone.get((Side.CANDIDATE, match.candidate_id), 0)
        }

    return pairs

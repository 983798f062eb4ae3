"""Fixtures and settings that all tests share."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, settings

from bench.rig import history
from bench.rig.history import Pair
from rolecall.schemas.match import Match, MatchesWithdrawn

# Examples have no deadline, because they may be slow on a busy machine. The test has one.
settings.register_profile("rolecall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rolecall")


@pytest.fixture(scope="session")
def holding() -> Callable[[Iterable[Match], Iterable[MatchesWithdrawn]], set[Pair]]:
    return history.holding


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
    """Runs stack tests last: their thread draws random numbers, and Hypothesis takes these for its own."""
    items.sort(key=lambda item: "stack" in item.path.parts)

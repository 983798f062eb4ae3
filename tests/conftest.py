"""What every test shares."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable

import pytest
from hypothesis import HealthCheck, settings

from bench.rig import history
from bench.rig.history import Pair
from rolecall.schemas.match import Match, MatchesWithdrawn

# A busy machine is no reason to fail: examples have no deadline, only the test has one.
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
    """The stack last: its thread draws random numbers, which Hypothesis takes for a strategy's own."""
    items.sort(key=lambda item: "stack" in item.path.parts)

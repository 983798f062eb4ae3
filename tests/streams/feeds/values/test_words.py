"""Periods, levels of work and workplaces, in words. Expected values are by hand."""

import pytest

from rolecall.schemas.common import Period
from rolecall.streams.feeds.values import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bi-weekly", None),
        ("semi-monthly", None),
        ("fortnightly", None),
        ("planned", None),
        ("pro Monat", Period.MONTH),
        ("à l'heure", Period.HOUR),
        ("per annum", Period.YEAR),
        ("tygodniowo", Period.WEEK),
    ],
)
def test_periods(text: str, expected: Period | None) -> None:
    assert words.period(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Associate Director", None),
        ("non-manager", None),
        ("Mid-Senior level", None),
        ("Senior level", "senior"),
        ("Jr.", "junior"),
        ("Geschäftsführer", "executive"),
    ],
)
def test_levels_of_work(text: str, expected: str | None) -> None:
    assert words.seniority(text) == expected


@pytest.mark.parametrize(
    ("text", "one", "several"),
    [
        ("Remote or hybrid", None, ("remote", "hybrid")),
        ("remote not possible", None, None),
        ("kein Homeoffice", None, None),
        ("Vor Ort", "onsite", ("onsite",)),
        ("praca zdalna", "remote", ("remote",)),
    ],
)
def test_workplaces(text: str, one: str | None, several: tuple[str, ...] | None) -> None:
    assert (words.workplace(text), words.workplaces(text)) == (one, several)

"""Spellings of one city. GeoNames' numbers: 2867714 is Munich, 2761369 is Vienna in Austria."""

from datetime import UTC, datetime

import pytest

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.common import Location
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.matching.city_names import cities_named
from rolecall.streams.matching.hard_rules import compatible

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "country", "expected"),
    [
        ("munchen", "DE", {2867714}),
        ("monaco di baviera", "DE", {2867714}),
        ("munich", None, {2867714}),
        ("vienna", "AT", {2761369}),
        ("munich", "AT", set()),
        ("nowhere at all", None, set()),
    ],
)
def test_a_name_means_cities(key: str, country: str | None, expected: set[int]) -> None:
    assert cities_named(key, country) == expected


@pytest.mark.parametrize(
    ("job", "home", "is_one_city"),
    [
        (("DE", "München"), ("DE", "Munich"), True),
        (("PL", "Warszawa"), ("PL", "Varsovie"), True),
        (("IT", "Firenze"), (None, "Florence"), True),
        (("NL", "Den Haag"), ("NL", "'s-Gravenhage"), True),
        (("DE", "Frankfurt"), ("DE", "Frankfurt (Oder)"), True),  # which Frankfurt is not said
        (("DE", "Frankfurt am Main"), ("DE", "Frankfurt (Oder)"), False),
        (("DE", "München"), ("DE", "Nürnberg"), False),
        (("AT", "Wien"), ("US", "Vienna"), False),
    ],
)
def test_spellings_of_one_city_are_one_place(
    job: tuple[str | None, str], home: tuple[str | None, str], is_one_city: bool
) -> None:
    vacancy = VacancyTerms(location=Location(country=job[0], city=job[1]))
    candidate = CandidateTerms(location=Location(country=home[0], city=home[1]))
    assert compatible(vacancy, candidate, NOW) == is_one_city

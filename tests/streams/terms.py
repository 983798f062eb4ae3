"""Random terms of vacancies and candidates, many of them at the edge of a rule."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.common import (
    Cefr,
    EmploymentType,
    Language,
    Location,
    Period,
    Salary,
    Seniority,
    Workplace,
)
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook

Item = TypeVar("Item")

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOME_RATES = {"EUR": 1.0, "USD": 0.90, "JPY": 0.0061}
ALL_HARD = RuleBook(rates=SOME_RATES)
MIXED = RuleBook(
    {
        HardRule.EXPIRY: Mode.SOFT,
        HardRule.PLACE: Mode.SOFT,
        HardRule.SALARY: Mode.SOFT,
        HardRule.SENIORITY: Mode.OFF,
        HardRule.WORKPLACE: Mode.OFF,
    },
    SOME_RATES,
)

# Cities, both poles, both sides of the date line, and the far south.
BASES = (
    (52.52, 13.40),
    (47.56, 7.59),
    (-36.85, 174.76),
    (-18.14, 178.44),
    (-54.80, -68.30),
    (0.0, -180.0),
    (0.0, 180.0),
    (90.0, 30.0),
    (-90.0, -150.0),
)
EXPIRIES = (NOW - timedelta(seconds=1), NOW + timedelta(microseconds=1), NOW + timedelta(days=30))
RADII_KM = (0.0, 5.0, 10.0, 25.0, 30.0, 75.0, 250.0, 480.0, 1000.0, 4000.0, 20_040.0)


def a_place(random: Random) -> tuple[float, float]:
    lat, lon = random.choice((BASES[0], random.choice(BASES)))
    spread = random.choice((0.0, 0.0, 0.1, 0.5, 3.0))
    return min(90.0, max(-90.0, lat + random.uniform(-spread, spread))), east(
        lon + random.uniform(-spread, spread)
    )


def east(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def a_location(random: Random) -> Location | None:
    if random.random() < 0.1:
        return None
    lat, lon = a_place(random) if random.random() < 0.7 else (None, None)
    return Location(
        country=random.choice((None, "DE", "DE", "DE", "AT")),
        city=random.choice((None, "Berlin", "BERLIN ", "Łódź", "lodz", "-", "München", "Munich")),
        lat=lat,
        lon=lon,
        point_from=random.choice((None, "city")) if lat is not None else None,
    )


def a_salary(random: Random) -> Salary | None:
    if random.random() < 0.4:
        return None
    low, high = sorted(random.choices((0.0, 1_500.0, 4_166.1, 49_993.2, 60_000.0, 7e6, 1e15), k=2))
    ends = random.choice(({"min": low}, {"max": high}, {"min": low, "max": high}))
    currency = random.choice(("EUR", "EUR", "EUR", "USD", "JPY", "CHF"))
    return Salary(**ends, currency=currency, period=random.choice(list(Period)))


def some_languages(random: Random) -> tuple[Language, ...]:
    listed = random.choice((0, 0, 1, 2, 3))
    return tuple(
        Language(code=random.choice(("de", "en", "fr")), level=random.choice((None, *Cefr)))
        for _ in range(listed)
    )


def some(random: Random, items: list[Item]) -> tuple[Item, ...]:
    return tuple(random.sample(items, random.randrange(len(items) + 1)))


def a_vacancy(random: Random) -> VacancyTerms:
    return VacancyTerms(
        location=a_location(random),
        workplace=random.choice((None, *Workplace)),
        languages=some_languages(random),
        seniority=random.choice((None, *Seniority)),
        employment_types=some(random, list(EmploymentType)),
        salary=a_salary(random),
        expires_at=random.choice((None, None, *EXPIRIES)),
    )


def a_candidate(random: Random) -> CandidateTerms:
    return CandidateTerms(
        location=a_location(random),
        radius_km=random.choice((None, *RADII_KM)),
        relocate=random.random() < 0.15,
        workplaces=some(random, list(Workplace)),
        work_countries=random.choice(((), ("DE",), ("DE", "AT"), ("US",))),
        languages=some_languages(random),
        seniority=random.choice((None, *Seniority)),
        employment_types=some(random, list(EmploymentType)),
        salary=a_salary(random),
    )


def at(place: tuple[float, float], city: str | None = None) -> Location:
    return Location(lat=place[0], lon=place[1], city=city)

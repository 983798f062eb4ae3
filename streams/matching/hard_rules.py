"""Hard rules: which vacancies and candidates may match at all. docs/rules.md has every rule with its cases.

`compatible` decides. `rolecall.streams.matching.pushdown` turns as much of it as possible into filters.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from unicodedata import category, combining, normalize

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.common import Cefr, Language, Location, Salary, Seniority, Workplace
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.index.conditions import EARTH_RADIUS_KM
from rolecall.streams.matching.city_names import cities_named


class HardRule(StrEnum):
    EXPIRY = "expiry"
    PERMIT = "permit"
    WORKPLACE = "workplace"
    PLACE = "place"
    LANGUAGES = "languages"
    EMPLOYMENT_TYPE = "employment_type"
    SENIORITY = "seniority"
    SALARY = "salary"


class Mode(StrEnum):
    HARD = "hard"  # a pair that breaks the rule never matches
    SOFT = "soft"  # it may match, with less confidence
    OFF = "off"


@dataclass(frozen=True)
class RuleBook:
    """How the rules are applied."""

    modes: Mapping[HardRule, Mode] = field(default_factory=dict)  # a rule that is left out is hard
    rates: Mapping[str, float] = field(default_factory=dict)  # one unit of a currency in a common one

    @cached_property
    def hard(self) -> frozenset[HardRule]:
        return self._of(Mode.HARD)

    @cached_property
    def soft(self) -> frozenset[HardRule]:
        return self._of(Mode.SOFT)

    def _of(self, mode: Mode) -> frozenset[HardRule]:
        return frozenset(rule for rule in HardRule if self.modes.get(rule, Mode.HARD) is mode)


ALL_HARD = RuleBook()

KM_PER_DEGREE = math.radians(EARTH_RADIUS_KM)
CITY_KM = 20.0  # from the point of a city to its edge
DISTANCE_TOLERANCE_KM = 0.001
PAY_TOLERANCE = 1e-9

BAND = {level: tuple(near for near in Seniority if abs(near.step - level.step) <= 1) for level in Seniority}
_LOOK_ALIKES = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)


def compatible(
    vacancy: VacancyTerms, candidate: CandidateTerms, now: datetime, book: RuleBook = ALL_HARD
) -> bool:
    """Whether no hard rule is broken."""
    return book.hard.isdisjoint(_broken(vacancy, candidate, now, book.rates))


def broken_rules(
    vacancy: VacancyTerms, candidate: CandidateTerms, now: datetime, book: RuleBook = ALL_HARD
) -> tuple[HardRule, ...]:
    """Every rule that is broken and not off."""
    return tuple(
        rule
        for rule in _broken(vacancy, candidate, now, book.rates)
        if rule in book.hard or rule in book.soft
    )


def _broken(
    vacancy: VacancyTerms, candidate: CandidateTerms, now: datetime, rates: Mapping[str, float]
) -> Iterator[HardRule]:
    if vacancy.expires_at is not None and vacancy.expires_at <= now:
        yield HardRule.EXPIRY
    if _lacks_permit(vacancy, candidate):
        yield HardRule.PERMIT
    if vacancy.workplace and candidate.workplaces and vacancy.workplace not in candidate.workplaces:
        yield HardRule.WORKPLACE
    if _out_of_reach(vacancy, candidate):
        yield HardRule.PLACE
    if _lacks_language(vacancy, candidate):
        yield HardRule.LANGUAGES
    if _other_employment(vacancy, candidate):
        yield HardRule.EMPLOYMENT_TYPE
    if vacancy.seniority and candidate.seniority and candidate.seniority not in BAND[vacancy.seniority]:
        yield HardRule.SENIORITY
    if _underpaid(vacancy.salary, candidate.salary, rates):
        yield HardRule.SALARY


def _lacks_permit(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    country = vacancy.location and vacancy.location.country
    return bool(country and candidate.work_countries and country not in candidate.work_countries)


def _out_of_reach(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    job, home = vacancy.location, candidate.location
    if vacancy.workplace is Workplace.REMOTE or candidate.relocate or job is None or home is None:
        return False
    if candidate.radius_km is not None and job.point and home.point:
        slack = city_km(job) + city_km(home)
        far = distance_km(job.point, home.point) > candidate.radius_km + slack + DISTANCE_TOLERANCE_KM
        return far and not (slack and _in_one_city(job, home))
    return _elsewhere(job, home)


def _elsewhere(job: Location, home: Location) -> bool:
    return _differ(job.country, home.country) or _in_other_cities(job, home)


def _in_one_city(job: Location, home: Location) -> bool:
    return bool(city_of(job) and city_of(home)) and not _elsewhere(job, home)


def city_km(location: Location) -> float:
    """How far from the point the place may be: the point of a city is not the place itself."""
    return CITY_KM if location.point_from == "city" else 0.0


def _lacks_language(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    spoken = candidate.languages
    return bool(spoken) and not all(_speaks(spoken, required) for required in vacancy.languages)


def _speaks(spoken: tuple[Language, ...], required: Language) -> bool:
    level = required.level or Cefr.A1
    # The names of the levels sort like the levels.
    return any(required.code in each.understood_as and (each.level or Cefr.C2) >= level for each in spoken)


def _other_employment(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    offered, accepted = vacancy.employment_types, candidate.employment_types
    return bool(offered and accepted) and not any(each in accepted for each in offered)


def _underpaid(offer: Salary | None, wish: Salary | None, rates: Mapping[str, float]) -> bool:
    if offer is None or wish is None:
        return False
    best, least = offer.yearly_max, wish.yearly_min
    if best is None or least is None:
        return False
    if offer.currency != wish.currency:
        if offer.currency not in rates or wish.currency not in rates:
            return False
        best, least = best * rates[offer.currency], least * rates[wish.currency]
    return best * (1 + PAY_TOLERANCE) < least


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two (lat, lon) in degrees: haversine on a sphere."""
    a_lat, b_lat = math.radians(a[0]), math.radians(b[0])
    d_lat, d_lon = b_lat - a_lat, math.radians(b[1] - a[1])
    h = math.sin(d_lat / 2) ** 2 + math.cos(a_lat) * math.cos(b_lat) * math.sin(d_lon / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(h)))


@lru_cache(maxsize=2**16)
def city_key(city: str) -> str:
    """The same for spellings that differ in case, accents, spacing or punctuation only."""
    letters = (char for char in normalize("NFKD", city).casefold() if not combining(char))
    words = "".join(" " if category(char)[0] in "PSZC" else char for char in letters).split()
    return " ".join(words).translate(_LOOK_ALIKES)


def city_of(location: Location) -> str:
    return city_key(location.city) if location.city else ""


def city_names(location: Location) -> frozenset[str]:
    """What locations of one city have in common: the key of its name, or a city that the name may mean."""
    return _city_names(location.city, location.country) if location.city else frozenset()


@lru_cache(maxsize=2**16)
def _city_names(city: str, country: str | None) -> frozenset[str]:
    key = city_key(city)
    return frozenset([key, *(f"#{number}" for number in cities_named(key, country))]) if key else frozenset()


def _in_other_cities(job: Location, home: Location) -> bool:
    a, b = city_names(job), city_names(home)
    return bool(a and b) and a.isdisjoint(b)


def _differ(a: str | None, b: str | None) -> bool:
    return bool(a and b and a != b)

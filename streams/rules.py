"""Hard rules: may this vacancy and this candidate meet at all? docs/rules.md has every rule with its cases.

`compatible` is the truth. The conditions made here push as much of it as possible down into the index: they
may let too much through, never too little, so every hit is checked again.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import product
from unicodedata import category, combining, normalize

from schemas.candidate import CandidateTerms
from schemas.common import Cefr, Language, Location, Salary, Seniority, Workplace, milliseconds
from schemas.vacancy import VacancyTerms
from streams.index import All, AnyOf, AtLeast, AtMost, Condition, Either, Near, Not, Payload, Within


class Rule(StrEnum):
    EXPIRY = "expiry"
    PERMIT = "permit"
    WORKPLACE = "workplace"
    PLACE = "place"
    LANGUAGES = "languages"
    EMPLOYMENT_TYPE = "employment_type"
    SENIORITY = "seniority"
    SALARY = "salary"


class Mode(StrEnum):
    HARD = "hard"  # a pair that breaks the rule never meets
    SOFT = "soft"  # it may, with less confidence
    OFF = "off"


@dataclass(frozen=True)
class RuleBook:
    """How the rules are applied."""

    modes: Mapping[Rule, Mode] = field(default_factory=dict)  # a rule that is left out is hard
    rates: Mapping[str, float] = field(default_factory=dict)  # one unit of a currency in a common one

    @cached_property
    def hard(self) -> frozenset[Rule]:
        return self._of(Mode.HARD)

    @cached_property
    def soft(self) -> frozenset[Rule]:
        return self._of(Mode.SOFT)

    def _of(self, mode: Mode) -> frozenset[Rule]:
        return frozenset(rule for rule in Rule if self.modes.get(rule, Mode.HARD) is mode)


ALL_HARD = RuleBook()

EARTH_RADIUS_KM = 6371.0088
KM_PER_DEGREE = math.radians(EARTH_RADIUS_KM)
DISTANCE_TOLERANCE_KM = 0.001
PAY_TOLERANCE = 1e-9

_BAND = {level: tuple(near for near in Seniority if abs(near.step - level.step) <= 1) for level in Seniority}
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
) -> tuple[Rule, ...]:
    """Every rule that is broken and not off."""
    return tuple(
        rule
        for rule in _broken(vacancy, candidate, now, book.rates)
        if rule in book.hard or rule in book.soft
    )


def _broken(
    vacancy: VacancyTerms, candidate: CandidateTerms, now: datetime, rates: Mapping[str, float]
) -> Iterator[Rule]:
    if vacancy.expires_at is not None and vacancy.expires_at <= now:
        yield Rule.EXPIRY
    if _lacks_permit(vacancy, candidate):
        yield Rule.PERMIT
    if vacancy.workplace and candidate.workplaces and vacancy.workplace not in candidate.workplaces:
        yield Rule.WORKPLACE
    if _out_of_reach(vacancy, candidate):
        yield Rule.PLACE
    if _lacks_language(vacancy, candidate):
        yield Rule.LANGUAGES
    if _other_employment(vacancy, candidate):
        yield Rule.EMPLOYMENT_TYPE
    if vacancy.seniority and candidate.seniority and candidate.seniority not in _BAND[vacancy.seniority]:
        yield Rule.SENIORITY
    if _underpaid(vacancy.salary, candidate.salary, rates):
        yield Rule.SALARY


def _lacks_permit(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    country = vacancy.location and vacancy.location.country
    return bool(country and candidate.work_countries and country not in candidate.work_countries)


def _out_of_reach(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    job, home = vacancy.location, candidate.location
    if vacancy.workplace is Workplace.REMOTE or candidate.relocate or job is None or home is None:
        return False
    if candidate.radius_km is not None and job.point and home.point:
        return distance_km(job.point, home.point) > candidate.radius_km + DISTANCE_TOLERANCE_KM
    return _differ(job.country, home.country) or _differ(_city(job), _city(home))


def _lacks_language(vacancy: VacancyTerms, candidate: CandidateTerms) -> bool:
    spoken = candidate.languages
    return bool(spoken) and not all(_speaks(spoken, required) for required in vacancy.languages)


def _speaks(spoken: tuple[Language, ...], required: Language) -> bool:
    level = required.level or Cefr.A1
    # The names of the levels sort like the levels.
    return any(each.code == required.code and (each.level or Cefr.C2) >= level for each in spoken)


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


def _city(location: Location) -> str:
    return city_key(location.city) if location.city else ""


def _differ(a: str | None, b: str | None) -> bool:
    return bool(a and b and a != b)


# What follows says the same in payload fields and conditions.

ANY = "*"  # the sender did not say
NEVER = 2.0**53
REACHES_KM = (10, 25, 50, 100, 250, 1000)
_NOWHERE = Location()
_NOTHING = Either(())
_REMOTE, _ANYWHERE, _FAR = "remote", "anywhere", "far"
_MEASURED, _UNMEASURED = "@", "?"  # whether the distance decides when the other side has coordinates


def vacancy_fields(terms: VacancyTerms, book: RuleBook = ALL_HARD) -> Payload:
    """What `wanted_vacancies` looks at, whatever the modes: they may change and the point stays."""
    location = terms.location or _NOWHERE
    mark = _MEASURED if location.point else _UNMEASURED
    return {
        "expires": NEVER if terms.expires_at is None else float(milliseconds(terms.expires_at)),
        "country": str(location.country or ANY),
        "workplace": str(terms.workplace or ANY),
        "area": [_REMOTE] if terms.workplace is Workplace.REMOTE else _areas(location, mark),
        "languages": [_tag(each) for each in terms.languages],
        "employment_types": _texts(terms.employment_types),
        "seniority": str(terms.seniority or ANY),
        **_place(location),
        **_pay_fields(_best_pay(terms, book.rates)),
    }


def candidate_fields(terms: CandidateTerms, book: RuleBook = ALL_HARD) -> Payload:
    """What `wanted_candidates` looks at, whatever the modes."""
    location = terms.location or _NOWHERE
    if terms.relocate:
        area = [_ANYWHERE]
    elif terms.radius_km is not None and location.point:
        area = [*_areas(location, _MEASURED), _reach(terms.radius_km)]
    else:
        area = _areas(location, _UNMEASURED)
    return {
        "country": _texts(terms.work_countries),
        "workplace": _texts(terms.workplaces),
        "area": area,
        "languages": _spoken_tags(terms.languages) or [ANY],
        "employment_types": _texts(terms.employment_types),
        "seniority": str(terms.seniority or ANY),
        **_place(location),
        **_pay_fields(_least_pay(terms, book.rates)),
    }


def wanted_candidates(terms: VacancyTerms, now: datetime, book: RuleBook = ALL_HARD) -> Condition:
    """Candidates that the vacancy may meet: what the hard rules ask for."""
    hard = book.hard
    if Rule.EXPIRY in hard and terms.expires_at is not None and terms.expires_at <= now:
        return _NOTHING
    location = terms.location or _NOWHERE
    wanted: list[Condition] = []
    if Rule.PERMIT in hard and location.country:
        wanted.append(_one_of("country", location.country))
    if Rule.WORKPLACE in hard and terms.workplace:
        wanted.append(_one_of("workplace", terms.workplace))
    if Rule.PLACE in hard and terms.workplace is not Workplace.REMOTE:
        wanted += _homes_in_reach(location)
    if Rule.LANGUAGES in hard:
        wanted += [_one_of("languages", tag) for tag in sorted({_tag(each) for each in terms.languages})]
    if Rule.EMPLOYMENT_TYPE in hard and terms.employment_types:
        wanted.append(_one_of("employment_types", *terms.employment_types))
    if Rule.SENIORITY in hard and terms.seniority:
        wanted.append(_one_of("seniority", *_BAND[terms.seniority]))
    if Rule.SALARY in hard and (pay := _best_pay(terms, book.rates)):
        unit, best = pay
        wanted.append(Either((AtMost("pay", best * (1 + 2 * PAY_TOLERANCE)), _other_unit(unit))))
    return All(tuple(wanted))


def wanted_vacancies(terms: CandidateTerms, now: datetime, book: RuleBook = ALL_HARD) -> Condition:
    """Vacancies that the candidate may meet: what the hard rules ask for."""
    hard = book.hard
    wanted: list[Condition] = []
    if Rule.EXPIRY in hard:
        wanted.append(AtLeast("expires", float(milliseconds(now))))
    if Rule.PERMIT in hard and terms.work_countries:
        wanted.append(_one_of("country", *terms.work_countries))
    if Rule.WORKPLACE in hard and terms.workplaces:
        wanted.append(_one_of("workplace", *terms.workplaces))
    if Rule.PLACE in hard and not terms.relocate:
        wanted += _jobs_in_reach(terms.location or _NOWHERE, terms.radius_km)
    if Rule.LANGUAGES in hard and terms.languages:
        wanted.append(Within("languages", tuple(_spoken_tags(terms.languages))))
    if Rule.EMPLOYMENT_TYPE in hard and terms.employment_types:
        wanted.append(_one_of("employment_types", *terms.employment_types))
    if Rule.SENIORITY in hard and terms.seniority:
        wanted.append(_one_of("seniority", *_BAND[terms.seniority]))
    if Rule.SALARY in hard and (pay := _least_pay(terms, book.rates)):
        unit, least = pay
        wanted.append(Either((AtLeast("pay", least * (1 - 2 * PAY_TOLERANCE)), _other_unit(unit))))
    return All(tuple(wanted))


def _homes_in_reach(job: Location) -> list[Condition]:
    if not job.point:
        areas = _wanted_areas(job, _MEASURED, _UNMEASURED)
        return [AnyOf("area", (_ANYWHERE, *areas))] if job.country or _city(job) else []
    rings = {_reach(km): _near(job.point, km) for km in REACHES_KM} | {_FAR: None}
    unsure = [reach for reach, near in rings.items() if near is None]
    measured = (All((AnyOf("area", (reach,)), near)) for reach, near in rings.items() if near)
    return [Either((AnyOf("area", (_ANYWHERE, *unsure, *_wanted_areas(job, _UNMEASURED))), *measured))]


def _jobs_in_reach(home: Location, radius_km: float | None) -> list[Condition]:
    if radius_km is None or not home.point:
        areas = _wanted_areas(home, _MEASURED, _UNMEASURED)
        return [AnyOf("area", (_REMOTE, *areas))] if home.country or _city(home) else []
    unmeasured = (_REMOTE, *_wanted_areas(home, _UNMEASURED))
    near = _near(home.point, radius_km)
    if near is None:
        return [AnyOf("area", (*unmeasured, f"{_MEASURED}|"))]
    return [Either((AnyOf("area", unmeasured), near))]


def _near(point: tuple[float, float], km: float) -> Near | None:
    """A circle that holds every point within `km`, or None where no circle is known to.

    The engine's geo index covers a circle with geohash tiles. South of the equator it takes a tile's shorter
    diagonal for its reach, and so forgets points near the rim. The two diagonals differ by up to 0.8 km for
    the tiles of a circle up to 50 km, 38 km up to 500 km, hundreds beyond.
    """
    lat, lon = point
    if lat * KM_PER_DEGREE > km + 1:
        return Near("place", lat, lon, km + 0.1)
    if lat < -60 or km > 500:
        return None
    return Near("place", lat, lon, km + (1 if km <= 50 else 40))


def _areas(location: Location, mark: str) -> list[str]:
    """Four tags, so that a seeker who knows only a country, only a city, or neither, has one to ask for."""
    return [
        f"{mark}{country}|{city}"
        for country, city in product((location.country or ANY, ""), (_city(location) or ANY, ""))
    ]


def _wanted_areas(location: Location, *marks: str) -> list[str]:
    countries = (location.country, ANY) if location.country else ("",)
    cities = (_city(location), ANY) if _city(location) else ("",)
    return [f"{mark}{country}|{city}" for mark, country, city in product(marks, countries, cities)]


def _reach(radius_km: float) -> str:
    return next((f"{km} km" for km in REACHES_KM if radius_km <= km), _FAR)


def _place(location: Location) -> Payload:
    if location.lat is None:
        return {}
    # The engine's geo index never finds what lies on the North Pole itself.
    return {"place": {"lat": min(location.lat, 89.999999), "lon": location.lon}}


def _tag(required: Language) -> str:
    return f"{required.code}>={required.level or Cefr.A1}"


def _spoken_tags(spoken: tuple[Language, ...]) -> list[str]:
    """Every requirement that the speaker fulfils."""
    return sorted(
        {f"{each.code}>={level}" for each in spoken for level in Cefr if level <= (each.level or Cefr.C2)}
    )


def _pay(salary: Salary | None, yearly: float | None, rates: Mapping[str, float]) -> tuple[str, float] | None:
    """The unit that pay is counted in, and the yearly pay in it.

    The unit is a rate table's common currency, or the currency itself. Pay that was stored under another
    rate table is in another unit, so new rates never exclude by old ones.
    """
    if salary is None or yearly is None:
        return None
    currency = str(salary.currency)
    if currency not in rates:
        return currency, yearly
    return _rate_table(frozenset(rates.items())), yearly * rates[currency]


@lru_cache(maxsize=16)
def _rate_table(rates: frozenset[tuple[str, float]]) -> str:
    return "rates " + blake2b(repr(sorted(rates)).encode(), digest_size=8).hexdigest()


def _pay_fields(pay: tuple[str, float] | None) -> Payload:
    return {"currency": ANY} if pay is None else {"currency": pay[0], "pay": pay[1]}


def _other_unit(unit: str) -> Condition:
    return Not(AnyOf("currency", (unit,)))


def _best_pay(vacancy: VacancyTerms, rates: Mapping[str, float]) -> tuple[str, float] | None:
    return _pay(vacancy.salary, vacancy.salary.yearly_max if vacancy.salary else None, rates)


def _least_pay(candidate: CandidateTerms, rates: Mapping[str, float]) -> tuple[str, float] | None:
    return _pay(candidate.salary, candidate.salary.yearly_min if candidate.salary else None, rates)


def _one_of(field: str, *values: str) -> AnyOf:
    return AnyOf(field, (*map(str, values), ANY))


def _texts(values: tuple[str, ...]) -> list[str]:
    return [str(value) for value in values] or [ANY]

"""The hard rules as payload fields and conditions on them, so that the index can filter.

A filter may pass too many pairs, but never too few: `hard_rules.compatible` checks every hit again.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import product

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.common import Cefr, Language, Location, Salary, Workplace, milliseconds
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.index.conditions import (
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Near,
    Not,
    Payload,
    Within,
)
from rolecall.streams.matching.hard_rules import (
    ALL_HARD,
    BAND,
    CITY_KM,
    KM_PER_DEGREE,
    PAY_TOLERANCE,
    HardRule,
    RuleBook,
    city_km,
    city_names,
    city_of,
)

ANY = "*"  # the sender did not say
NEVER = 2.0**53
REACHES_KM = (10, 25, 50, 100, 250, 1000)
_NOWHERE = Location()
_NOTHING = Either(())
_REMOTE, _ANYWHERE, _FAR, _CITY = "remote", "anywhere", "far", "city"
_MEASURED, _UNMEASURED = "@", "?"  # whether the distance decides when the other side has coordinates


def vacancy_fields(terms: VacancyTerms, book: RuleBook = ALL_HARD) -> Payload:
    """What `wanted_vacancies` looks at, whatever the modes: they may change and the point stays."""
    location = terms.location or _NOWHERE
    marks = _marks(location) if location.point else [_UNMEASURED]
    place_tags = [tag for mark in marks for tag in _place_tags(location, mark)]
    if city_km(location):
        place_tags.append(_CITY)
    return {
        "expires": NEVER if terms.expires_at is None else float(milliseconds(terms.expires_at)),
        "country": str(location.country or ANY),
        "workplace": str(terms.workplace or ANY),
        "place_tags": [_REMOTE] if terms.workplace is Workplace.REMOTE else place_tags,
        "languages": [_tag(each) for each in terms.languages],
        "employment_types": _texts(terms.employment_types),
        "seniority": str(terms.seniority or ANY),
        **_coordinates(location),
        **_pay_fields(_best_pay(terms, book.rates)),
    }


def candidate_fields(terms: CandidateTerms, book: RuleBook = ALL_HARD) -> Payload:
    """What `wanted_candidates` looks at, whatever the modes."""
    location = terms.location or _NOWHERE
    if terms.relocate:
        place_tags = [_ANYWHERE]
    elif terms.radius_km is not None and location.point:
        place_tags = [tag for mark in _marks(location) for tag in _place_tags(location, mark)]
        place_tags.append(_reach(terms.radius_km + city_km(location)))
    else:
        place_tags = _place_tags(location, _UNMEASURED)
    return {
        "country": _texts(terms.work_countries),
        "workplace": _texts(terms.workplaces),
        "place_tags": place_tags,
        "languages": _spoken_tags(terms.languages) or [ANY],
        "employment_types": _texts(terms.employment_types),
        "seniority": str(terms.seniority or ANY),
        **_coordinates(location),
        **_pay_fields(_least_pay(terms, book.rates)),
    }


def wanted_candidates(terms: VacancyTerms, now: datetime, book: RuleBook = ALL_HARD) -> Condition:
    """Candidates that the vacancy may meet: what the hard rules ask for."""
    hard = book.hard
    if HardRule.EXPIRY in hard and terms.expires_at is not None and terms.expires_at <= now:
        return _NOTHING
    location = terms.location or _NOWHERE
    wanted: list[Condition] = []
    if HardRule.PERMIT in hard and location.country:
        wanted.append(_one_of("country", location.country))
    if HardRule.WORKPLACE in hard and terms.workplace:
        wanted.append(_one_of("workplace", terms.workplace))
    if HardRule.PLACE in hard and terms.workplace is not Workplace.REMOTE:
        wanted += _homes_in_reach(location)
    if HardRule.LANGUAGES in hard:
        wanted += [_one_of("languages", tag) for tag in sorted({_tag(each) for each in terms.languages})]
    if HardRule.EMPLOYMENT_TYPE in hard and terms.employment_types:
        wanted.append(_one_of("employment_types", *terms.employment_types))
    if HardRule.SENIORITY in hard and terms.seniority:
        wanted.append(_one_of("seniority", *BAND[terms.seniority]))
    if HardRule.SALARY in hard and (pay := _best_pay(terms, book.rates)):
        unit, best = pay
        wanted.append(Either((AtMost("pay", best * (1 + 2 * PAY_TOLERANCE)), _other_unit(unit))))
    return All(tuple(wanted))


def wanted_vacancies(terms: CandidateTerms, now: datetime, book: RuleBook = ALL_HARD) -> Condition:
    """Vacancies that the candidate may meet: what the hard rules ask for."""
    hard = book.hard
    wanted: list[Condition] = []
    if HardRule.EXPIRY in hard:
        wanted.append(AtLeast("expires", float(milliseconds(now))))
    if HardRule.PERMIT in hard and terms.work_countries:
        wanted.append(_one_of("country", *terms.work_countries))
    if HardRule.WORKPLACE in hard and terms.workplaces:
        wanted.append(_one_of("workplace", *terms.workplaces))
    if HardRule.PLACE in hard and not terms.relocate:
        wanted += _jobs_in_reach(terms.location or _NOWHERE, terms.radius_km)
    if HardRule.LANGUAGES in hard and terms.languages:
        wanted.append(Within("languages", tuple(_spoken_tags(terms.languages))))
    if HardRule.EMPLOYMENT_TYPE in hard and terms.employment_types:
        wanted.append(_one_of("employment_types", *terms.employment_types))
    if HardRule.SENIORITY in hard and terms.seniority:
        wanted.append(_one_of("seniority", *BAND[terms.seniority]))
    if HardRule.SALARY in hard and (pay := _least_pay(terms, book.rates)):
        unit, least = pay
        wanted.append(Either((AtLeast("pay", least * (1 - 2 * PAY_TOLERANCE)), _other_unit(unit))))
    return All(tuple(wanted))


def _homes_in_reach(job: Location) -> list[Condition]:
    if not job.point:
        place_tags = _wanted_place_tags(job, _MEASURED, _UNMEASURED)
        return [AnyOf("place_tags", (_ANYWHERE, *place_tags))] if job.country or city_of(job) else []
    rings = {_reach(km): _near(job.point, km + city_km(job)) for km in REACHES_KM} | {_FAR: None}
    unsure = [reach for reach, near in rings.items() if near is None]
    measured = (All((AnyOf("place_tags", (reach,)), near)) for reach, near in rings.items() if near)
    place_tags = _wanted_place_tags(job, _UNMEASURED, *([_MEASURED] if city_km(job) else []))
    return [Either((AnyOf("place_tags", (_ANYWHERE, *unsure, *place_tags)), *measured))]


def _jobs_in_reach(home: Location, radius_km: float | None) -> list[Condition]:
    if radius_km is None or not home.point:
        place_tags = _wanted_place_tags(home, _MEASURED, _UNMEASURED)
        return [AnyOf("place_tags", (_REMOTE, *place_tags))] if home.country or city_of(home) else []
    wanted = (_REMOTE, *_wanted_place_tags(home, _UNMEASURED, *([_MEASURED] if city_km(home) else [])))
    reach = radius_km + city_km(home)
    near, near_cities = _near(home.point, reach), _near(home.point, reach + CITY_KM)
    if near is None or near_cities is None:
        return [AnyOf("place_tags", (*wanted, f"{_MEASURED}|"))]
    cities = All((AnyOf("place_tags", (_CITY,)), near_cities))
    return [Either((AnyOf("place_tags", wanted), near, cities))]


def _marks(location: Location) -> list[str]:
    """Of a place with a point. What is in the city of the point is near enough, whatever the distance."""
    return [_MEASURED, _UNMEASURED] if city_km(location) else [_MEASURED]


def _near(point: tuple[float, float], km: float) -> Near | None:
    """A circle that contains every point within `km`. None if no such circle is known.

    The engine's geo index covers a circle with geohash tiles. South of the equator it takes a tile's shorter
    diagonal for its reach, and so forgets points near the rim. The two diagonals differ by up to 0.8 km for
    the tiles of a circle up to 50 km, 38 km up to 500 km, hundreds beyond.
    """
    lat, lon = point
    if lat * KM_PER_DEGREE > km + 1:
        return Near("coordinates", lat, lon, km + 0.1)
    if lat < -60 or km > 500:
        return None
    return Near("coordinates", lat, lon, km + (1 if km <= 50 else 40))


def _place_tags(location: Location, mark: str) -> list[str]:
    """Two tags for each meaning of the city's name, and two without a city. A search that knows only a
    country, only a city, or neither can ask for one of them."""
    cities = (*(sorted(city_names(location)) or [ANY]), "")
    return [f"{mark}{country}|{city}" for country, city in product((location.country or ANY, ""), cities)]


def _wanted_place_tags(location: Location, *marks: str) -> list[str]:
    countries = (location.country, ANY) if location.country else ("",)
    cities = (*sorted(city_names(location)), ANY) if city_of(location) else ("",)
    return [f"{mark}{country}|{city}" for mark, country, city in product(marks, countries, cities)]


def _reach(radius_km: float) -> str:
    return next((f"{km} km" for km in REACHES_KM if radius_km <= km), _FAR)


def _coordinates(location: Location) -> Payload:
    if location.lat is None:
        return {}
    # The engine's geo index never finds what lies on the North Pole itself.
    return {"coordinates": {"lat": min(location.lat, 89.999999), "lon": location.lon}}


def _tag(required: Language) -> str:
    return f"{required.code}>={required.level or Cefr.A1}"


def _spoken_tags(spoken: tuple[Language, ...]) -> list[str]:
    """Every requirement that the speaker fulfils."""
    return sorted(
        {
            f"{code}>={level}"
            for each in spoken
            for code in each.understood_as
            for level in Cefr
            if level <= (each.level or Cefr.C2)
        }
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

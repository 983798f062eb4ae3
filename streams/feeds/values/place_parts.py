"""The parts of a place, such as `Milano`, `MI` and `Italy`, to one country and one city, or to nothing."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rolecall.streams.feeds.values.countries import country_coded, country_named, is_english_name
from rolecall.streams.feeds.values.gazetteer import (
    City,
    cities,
    cities_in,
    countries_of,
    countries_with_region,
    region_name,
    regions_named,
)
from rolecall.streams.matching.hard_rules import city_key, distance_km

_CITY_ALIASES = {
    "nyc": "New York",
    "new york city": "New York",
    "sf": "San Francisco",
    "washington dc": "Washington",
    "washington d c": "Washington",
}
# Words that are also small towns.
_NO_CITIES = frozenset(
    ["mobile", "home", "campus", "central", "centro", "field", "flexible", "base", "national", "casa",
     "kosovo", "yorkshire", "international"]
)  # fmt: skip
CAPITAL = 80_000  # inhabitants of a city that is meant by the name of its own province, such as Utrecht
DISTRICT_KM = 20  # a place with the name of a large city before its own is a part of it
# Where the codes of states and provinces stand behind a city.
_WITH_CODES = frozenset(["US", "CA", "AU", "BR", "IT", "CH", "DE", "ES", "IN", "AT", "NL", "MX", "BE", "AR"])
LARGE = 100_000
MANY_PEOPLE = 200_000  # a city so large may be meant by the name of a state of another country: Victoria
MANY_TIMES = 20  # so much larger is the city that is meant, where city and code fit two countries
# Where a state or province is named without its country.
_WITHOUT_COUNTRY = ("US", "CA", "AU")
_NAMED_AFTER_CAPITALS = frozenset({"ES", "IT"})  # their provinces; Paraná in Brazil is also a town elsewhere
_SAME_CODES = frozenset({"US", "CH"})  # GeoNames' codes of their states are the ISO ones


_AND = re.compile(r"\s(?:and|und|et|y|e|i|en|oraz|or|o|u|of)\s", re.I)


class Read(NamedTuple):
    country: str | None
    city: str | None
    whole: bool  # whether every part of the text was understood


NOWHERE = Read(None, None, False)


def resolve(parts: list[str]) -> Read:
    if not all(map(is_one_place, parts)):
        return NOWHERE  # Munich, Germany and Vienna, Austria
    if len(parts) == 1:
        return _alone(parts[0])
    named = _with_a_named_country(parts)
    if named:
        return named
    for last, rest in ((parts[-1], parts[:-1]), (parts[0], parts[1:])):
        if found := _with_a_code(rest, last.replace(".", "")) or _with_a_region(rest, last):
            return found
    return NOWHERE


def is_one_place(part: str) -> bool:
    """Not `Berlin und Hamburg`; but `Bosnia and Herzegovina`."""
    return not _AND.search(part) or bool(country_named(part) or regions_named(part) or cities(part))


def _alone(part: str) -> Read:
    name = city_key(part)
    if name in ("new york", "new york city", "nyc"):
        return Read("US", "New York", True)
    if (country := country_named(part)) and not regions_named(part) & {("US", "GA")}:
        return NOWHERE if _is_a_city_elsewhere(part, country) else Read(country, None, True)
    code = country_coded(part)
    if code and not countries_with_region(part) & {*_WITHOUT_COUNTRY, "DE"}:  # BW: Baden-Württemberg
        return Read(code, None, True)
    if code is None and countries_with_region(part) == {"US"}:
        return Read("US", None, True)  # TX
    regions = {country for country, _ in regions_named(part)}
    states = regions & set(_WITHOUT_COUNTRY)
    if states and name != "georgia":
        elsewhere = any(_is_large(city, name) and city.country not in states for city in cities(part))
        return Read(states.pop(), None, True) if len(states) == 1 and not elsewhere else NOWHERE
    if regions and not any(city.country in regions and city.people >= CAPITAL for city in cities(part)):
        return NOWHERE  # Limburg, Andalucía, Kent
    return Read(None, city, True) if (city := _city(part, None)) else NOWHERE


def _is_large(city: City, name: str) -> bool:
    return city.people >= MANY_PEOPLE and city_key(city.name) == name


def _is_a_city_elsewhere(part: str, country: str) -> bool:
    """`Granada` is what Spain calls Grenada, and a city of Spain. An English name means the country."""
    others = [city.people for city in cities(part) if city.country != country]
    return max(others, default=0) >= LARGE and not is_english_name(part)


def _with_a_named_country(parts: list[str]) -> Read | None:
    for index in (len(parts) - 1, 0):
        rest = parts[:index] + parts[index + 1 :]
        name = parts[index]
        country = country_named(name) or (country_coded(name) if len(name) == 3 or name == "US" else None)
        if country is None or (index == 0 and _is_a_state_elsewhere(rest[-1], country)):
            continue  # Mexico in Missouri, Salvador in Bahia
        if index and re.fullmatch(r"[A-Z]{2}", rest[0]) and _lies_in(name, "US", rest[0]):
            continue  # TX - Palestine
        if country == "CN":
            country = next(
                (named for part in rest if (named := country_named(part)) in ("HK", "MO")), country
            )
        if regions_named(name) & {("US", "GA")}:
            continue  # Georgia the state, unless what stands before it says otherwise
        if any(country_named(part) not in (None, country) and not _is_within(part, country) for part in rest):
            return NOWHERE  # a list of countries
        rest = [part for part in rest if country_named(part) != country or len(rest) == 1]
        if len(rest) == 1 and is_named_like_a_state(rest[0], country):
            return Read(country, None, True)  # a state, though a small town may share its name
        return in_country(rest, country)
    return None


def _is_within(part: str, country: str) -> bool:
    return bool(_city(part, country)) or _is_region(part, country)


def is_named_like_a_state(part: str, country: str) -> bool:
    if country not in _WITHOUT_COUNTRY or city_key(part) == "new york":
        return False
    return any(c == country for c, _ in regions_named(part))


def _is_a_state_elsewhere(part: str, country: str) -> bool:
    """Of what stands behind the name of a country: `Jordan, MN`, `Mexico, MO`; not `Canada, ON`."""
    if _is_region(part, country):
        states = countries_with_region(part) & set(_WITHOUT_COUNTRY)
        return bool(states) and country not in _WITHOUT_COUNTRY
    return bool(re.fullmatch(r"[A-Z]{2,3}", part)) or any(c == "US" for c, _ in regions_named(part))


def in_country(parts: list[str], country: str) -> Read:
    """The city among the parts, when exactly one is: the others are its states, or unknown."""
    found = [part for part in parts if _city(part, country)]
    if len(found) == 2 and (
        city_key(found[0]) == city_key(found[1]) or _is_state_of(found[1], found[0], country)
    ):
        del found[1]  # Berlin in Berlin, Rochester in New York; not Berlin and Hamburg
    left = [part for part in parts if part not in found and not _is_region(part, country)]
    if any(_is_elsewhere(part, country) for part in left):
        return NOWHERE  # Munich, Germany, Florence, IT
    if len(found) != 1:
        return Read(country, None, not found and not [p for p in left if country_named(p) != country])
    left = [part for part in left if country_coded(part) != country]
    if country in _WITHOUT_COUNTRY and any(re.match(r"[A-Z]{2,4}(-|$)", part) for part in left):
        return Read(country, None, False)  # a list of cities, some of them abbreviated: Chicago, ATL, US
    return Read(country, _city(found[0], country), not left)


def _is_elsewhere(part: str, country: str) -> bool:
    named = country_named(part) or country_coded(part)
    return named not in (None, country) or any(city.people >= LARGE for city in cities(_name(part)))


def _is_state_of(state: str, city: str, country: str) -> bool:
    if country not in _WITHOUT_COUNTRY:
        return False
    return any(c == country and _lies_in(city, c, code) for c, code in regions_named(state))


def _is_region(part: str, country: str) -> bool:
    return country in countries_with_region(part) or any(c == country for c, _ in regions_named(part))


def _with_a_code(rest: list[str], code: str) -> Read | None:
    """`Milano, MI`, `Bremen, DE`: a country or state that has the city, if exactly one has."""
    if not re.fullmatch(r"[A-Z]{2,3}", code):
        return None
    meanings = {(country, code) for country in countries_with_region(code) & _WITH_CODES}
    if country := country_coded(code):
        meanings.add((country, ""))
    if not meanings:
        return None
    fitting = {
        country for country, region in meanings if any(_lies_in(part, country, region) for part in rest)
    }
    if len(fitting) > 1:
        people = {country: max(_people(part, country) for part in rest) for country in fitting}
        largest = max(people.values())
        certain = {country for country, region in meanings if region and country in _SAME_CODES}
        fitting = {  # Milan in Michigan is small, but lies in that state
            country for country in fitting if people[country] * MANY_TIMES >= largest or country in certain
        }
    if len(fitting) == 1:
        country = fitting.pop()
        if country not in _SAME_CODES and any(
            _is_a_small_town_named_like_a_country(each, country) for each in rest
        ):
            return NOWHERE  # Colombia, SC
        return in_country(rest, country)
    known = [part for part in rest if countries_of(part)]
    if not fitting and len(meanings) == 1 and len(rest) == 1 and not known:
        return Read(meanings.pop()[0], None, False)
    city = _city(rest[0], None) if len(rest) == 1 and fitting else None
    return Read(None, city, False) if city else None


def _is_a_small_town_named_like_a_country(part: str, country: str) -> bool:
    return country_named(part) not in (None, country) and _people(part, country) < LARGE


def _people(part: str, country: str) -> int:
    """Inhabitants of the largest city of the country that has this name as its first one."""
    key = city_key(_name(part))
    named = (city for city in cities(_name(part)) if city.country == country and city_key(city.name) == key)
    return max((city.people for city in named), default=0)


def _lies_in(part: str, country: str, region: str) -> bool:
    """Whether the country has a city of this name, and in this region as far as GeoNames tells."""
    found = cities_in(_name(part), country)
    if region and country in _SAME_CODES:
        return any(city.region == region for city in found)
    if not region and _is_region(part, country):
        return True
    if (
        region
        and country in _NAMED_AFTER_CAPITALS
        and (capital := region_name(country, region))
        and (named := cities_in(capital, country))
    ):
        own = {code for c, code in regions_named(part) if c == country}
        if own and region not in own and city_key(capital) != city_key(part):
            return False  # the capital of another province
        return any(city.region == each.region for city in found for each in named)
    return bool(found)


def _with_a_region(rest: list[str], name: str) -> Read | None:
    """`Chicago, Illinois`, `Arizona, Phoenix`: the one country that has the region, and the city in it."""
    regions = regions_named(name)
    fitting = {
        country
        for country, code in regions
        if any(
            _lies_in(part, country, code if country in _SAME_CODES else "")
            for part in rest
            if not re.fullmatch(r"[A-Z]{2,3}", part)
        )
    }
    if len(fitting) == 1:
        (country,) = fitting
        if country not in _WITHOUT_COUNTRY and (city := cities_in(name, country)):
            return _city_and_city(rest, name, city, country)
        return in_country(rest, country)
    countries = {country for country, _ in regions}
    if (
        not fitting
        and len(countries) == 1
        and countries & set(_WITHOUT_COUNTRY)
        and city_key(name) != "georgia"
    ):
        return Read(countries.pop(), None, False)
    return None


def _city_and_city(rest: list[str], name: str, named: Sequence[City], country: str) -> Read:
    """`Cartagena, Murcia` is a city with its province; `Berlin, Hamburg` and `Bergamo, Milano` are two."""
    if len(rest) != 1:
        return Read(country, None, False)
    found = cities_in(_name(rest[0]), country)
    same = [city for city in found if city.region in {each.region for each in named}]
    if city_key(rest[0]) == city_key(name):
        return Read(country, _city(name, country), True)
    if same and same[0].people * MANY_TIMES <= named[0].people and _is_district_of(same[0], named[0]):
        return Read(country, _city(name, country), True)
    if same and not any(c == country for c, _ in regions_named(rest[0])):
        return in_country(rest, country)
    return Read(country, None, False)


def _is_district_of(part: City, city: City) -> bool:
    return (
        part.people < city.people and distance_km((part.lat, part.lon), (city.lat, city.lon)) <= DISTRICT_KM
    )


def _name(part: str) -> str:
    return _CITY_ALIASES.get(city_key(part), part)


@lru_cache(65_536)
def _city(part: str, country: str | None) -> str | None:
    """The name of the city as the text has it; of `Berlin-Mitte` the city that the district is a part of."""
    name = _name(part)
    if len(name) > 60 or (name.isupper() and len(name) < 4 and name.isascii()) or re.search(r"[&+]", name):
        return None
    if country is None and city_key(name) in _NO_CITIES:
        return None
    found = cities(name) if country is None else cities_in(name, country)
    if not found:
        return None
    return _whole_city(name, found[0]) or name


def _whole_city(name: str, district: City) -> str | None:
    names = city_key(name).split()
    if district.country in _WITHOUT_COUNTRY and not re.search(r"\d", name):
        return None  # Miami Beach
    for length in range(1, len(names)):
        for city in cities_in(" ".join(names[:length]), district.country):
            if _is_district_of(district, city):
                return city.name
    return None

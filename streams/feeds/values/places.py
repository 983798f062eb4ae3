"""Places in words: a country only where it is clearly given, a city only where GeoNames knows it there."""

import re
from functools import lru_cache
from typing import NamedTuple

from rolecall.schemas.common import Location, Workplace
from rolecall.streams.feeds.values.countries import country_coded, country_named
from rolecall.streams.feeds.values.gazetteer import cities, countries_of, countries_with_region, regions_named
from rolecall.streams.matching.hard_rules import city_key

_CITY_ALIASES = {
    "nyc": "New York",
    "new york city": "New York",
    "sf": "San Francisco",
    "washington dc": "Washington",
    "washington d c": "Washington",
}
_WIDE = frozenset(
    [
        "africa",
        "americas",
        "apac",
        "asia",
        "asia pacific",
        "dach",
        "emea",
        "eu",
        "europe",
        "european union",
        "europa",
        "global",
        "international",
        "latam",
        "latin america",
        "middle east",
        "nordics",
        "north america",
        "south america",
        "multiple locations",
        "usca",
        "various",
        "worldwide",
        "central",
        "east coast",
        "west coast",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
        "midwest",
        "hq",
        "headquarters",
        "office",
    ]
)
_WORKPLACES = {
    "remote": Workplace.REMOTE,
    "hybrid": Workplace.HYBRID,
    "onsite": Workplace.ONSITE,
}
_WORKPLACE = re.compile(
    r"\b(?:(?P<remote>remote(?:ly|-friendly)?|virtual|anywhere|distributed|work from home|home[ -]?office|"
    r"télétravail|teletrabajo|teletrabalho|remoto|zdalnie|zdalna|thuiswerk(?:en)?)|(?P<hybrid>hybrid)|"
    r"(?P<onsite>on-?site|in-?office))\b",
    re.I,
)
_ALTERNATIVES = re.compile(r"[;|•/\n]|\sor\s(?=\D)", re.I)
_NEGATED = re.compile(
    r"\b(no|not|non|kein\w*|nicht|pas|sin|senza|niet|geen|nie|bez|não|sem|partly|teilweise|possible|möglich)\b",
    re.I,
)
# Where the codes of states and provinces stand behind a city.
_WITH_CODES = frozenset(["US", "CA", "AU", "BR", "IT", "CH", "DE", "ES", "IN", "AT", "NL", "MX", "BE", "AR"])
MANY_TIMES = 20  # so much larger is the city that is meant, where city and code fit two countries
# Where a state or province is named without its country.
_WITHOUT_COUNTRY = ("US", "CA", "AU")
_SAME_CODES = frozenset({"US", "CH"})  # GeoNames' codes of their states are the ISO ones


class Read(NamedTuple):
    country: str | None
    city: str | None
    whole: bool  # whether every part of the text was understood


class Place(NamedTuple):
    location: Location | None
    workplace: Workplace | None
    whole: bool


_NOWHERE = Read(None, None, False)


def place(text: str) -> tuple[Location | None, Workplace | None]:
    """`Remote - US` is (US, remote); `London, UK` (London in GB, unknown); `SF, NYC` (unknown, unknown)."""
    return read_place(text)[:2]


@lru_cache(65_536)
def read_place(text: str) -> Place:
    if _NEGATED.search(text) and _WORKPLACE.search(text):
        return Place(None, None, False)
    outside = re.sub(r"\([^)]*\)", " ", text)
    bare = _WORKPLACE.sub(" - ", text)
    if re.search(r"\w", _WORKPLACE.sub("", outside)):
        bare = re.sub(r"\([^)]*\)", " ", bare)
    options = [parts for option in re.split(_ALTERNATIVES, bare) if (parts := _parts(option))]
    found = [_resolve(parts) for parts in options]
    named = {_WORKPLACES[str(each.lastgroup)] for each in _WORKPLACE.finditer(text)}
    where = named.pop() if len(named) == 1 else None
    written = re.split(_ALTERNATIVES, outside if re.search(r"\w", _WORKPLACE.sub("", outside)) else text)
    written = [each for each in written if re.search(r"\w", each)]
    several = len(found) != 1 or len(written) > 1
    if len(written) > max(1, len(options)):
        where = where if _every_option_is_remote(text) else None
        options, found, several = [], [], False  # one of the alternatives is no place: Berlin or remote
    if several or (options and len(options[0]) > 1 and found[0][:2] == (None, None)):
        # Some of several places may be remote, others not.
        where = where if not found or _every_option_is_remote(text) else None
    countries = {each.country for each in found}
    country = countries.pop() if len(countries) == 1 else None
    city = found[0].city if len(found) == 1 else None
    location = Location(country=country, city=city) if country or city else None
    whole = len(found) <= 1 and all(each.whole for each in found) and bool(location or where)
    return Place(location, where, whole)


@lru_cache(65_536)
def locality(city: str, region: str, country: str | None) -> Place:
    """A city of a structured address; `country` is a code. The text of the city may be anything."""
    named = _WORKPLACE.search(city)
    bare = _WORKPLACE.sub(" - ", city)
    where = _WORKPLACES[str(named.lastgroup)] if named and not _NEGATED.search(city) else None
    parts = _parts(bare)
    if country is None:
        found = (
            _resolve([*parts, region.strip()] if region.strip() and parts else parts) if parts else _NOWHERE
        )
        if found[:2] == (None, None) and len(parts) == 1:
            found = _resolve(parts)
    else:
        found = _in_country(parts, country) if parts else Read(country, None, True)
        if len(parts) > 1 and not found.whole:
            found = _resolve(parts)
            found = found if found.country == country else Read(country, None, False)
    location = Location(country=found.country, city=found.city) if found.country or found.city else None
    return Place(location, where, found.whole)


@lru_cache(16_384)
def is_one_name(city: str) -> bool:
    """Whether the text can be the name of one city, and not a list, a code with a city, or a workplace."""
    return len(_parts(city)) == 1 and not _WORKPLACE.search(city) and not re.search(_ALTERNATIVES, city)


def _every_option_is_remote(text: str) -> bool:
    options = re.split(_ALTERNATIVES, text)
    options = options if len(options) > 1 else text.split(",")
    return all("remote" in option.casefold() for option in options if option.strip())


def _parts(option: str) -> list[str]:
    opening = re.match(r"\s*([A-Z]{2,3})-(?=\w)", option)
    if opening and country_coded(opening[1]):
        option = re.sub(r"^\s*([A-Z]{2,3})-(?:([A-Z]{2,3})-)?(?=\w)", r"\1, \2, ", option)
    parts = []
    for part in re.split(r",|\s[-–—]+\s|\s[-–—]|[-–—]\s", option):
        part = re.sub(r"^\d{4,5}\s+(?=\D)|(?<=[A-Z]{2})\s\d{5}(-\d{4})?$", "", part.strip())
        part = part.strip(" -–—().").strip()
        if part and city_key(part) not in _WIDE:
            parts.append(part)
    return parts


def _resolve(parts: list[str]) -> Read:
    if len(parts) == 1:
        return _alone(parts[0])
    named = _with_a_named_country(parts)
    if named:
        return named
    for last, rest in ((parts[-1], parts[:-1]), (parts[0], parts[1:])):
        if found := _with_a_code(rest, last.replace(".", "")) or _with_a_region(rest, last):
            return found
    return _NOWHERE


def _alone(part: str) -> Read:
    name = city_key(part)
    if name in ("new york", "new york city", "nyc"):
        return Read("US", "New York", True)
    if (country := country_named(part)) and not regions_named(part) & {("US", "GA")}:
        return Read(country, None, True)
    code = country_coded(part)
    if code and not countries_with_region(part) & set(_WITHOUT_COUNTRY):
        return Read(code, None, True)
    states = {country for country, _ in regions_named(part)} & set(_WITHOUT_COUNTRY)
    if states and name != "georgia":
        return Read(states.pop(), None, True) if len(states) == 1 else _NOWHERE
    return Read(None, city, True) if (city := _city(part, None)) else _NOWHERE


def _with_a_named_country(parts: list[str]) -> Read | None:
    for index in (len(parts) - 1, 0):
        rest = parts[:index] + parts[index + 1 :]
        name = parts[index]
        country = country_named(name) or (country_coded(name) if len(name) == 3 or name == "US" else None)
        if country is None or (index == 0 and _is_a_state_elsewhere(rest[-1], country)):
            continue  # Mexico in Missouri, Salvador in Bahia
        if regions_named(name) & {("US", "GA")}:
            continue  # Georgia the state, unless what stands before it says otherwise
        rest = [part for part in rest if country_named(part) != country or len(rest) == 1]
        if len(rest) == 1 and _is_named_like_a_state(rest[0], country):
            return Read(country, None, True)  # a state, though a small town may share its name
        return _in_country(rest, country)
    return None


def _is_named_like_a_state(part: str, country: str) -> bool:
    if country not in _WITHOUT_COUNTRY or city_key(part) == "new york":
        return False
    return any(c == country for c, _ in regions_named(part))


def _is_a_state_elsewhere(part: str, country: str) -> bool:
    if _is_region(part, country):
        return False
    return bool(re.fullmatch(r"[A-Z]{2,3}", part)) or any(c == "US" for c, _ in regions_named(part))


def _in_country(parts: list[str], country: str) -> Read:
    """The city among the parts, when exactly one is: the others are its states, or unknown."""
    found = [part for part in parts if _city(part, country)]
    if len(found) == 2 and (
        city_key(found[0]) == city_key(found[1]) or _is_state_of(found[1], found[0], country)
    ):
        del found[1]  # Berlin in Berlin, Rochester in New York; not Berlin and Hamburg
    left = [part for part in parts if part not in found and not _is_region(part, country)]
    if len(found) != 1:
        return Read(country, None, not found and not [p for p in left if country_named(p) != country])
    return Read(country, _city(found[0], country), not left)


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
        return _in_country(rest, fitting.pop())
    known = [part for part in rest if countries_of(part)]
    if not fitting and len(meanings) == 1 and len(rest) == 1 and not known:
        return Read(meanings.pop()[0], None, False)
    city = _city(rest[0], None) if len(rest) == 1 and fitting else None
    return Read(None, city, False) if city else None


def _people(part: str, country: str) -> int:
    """Inhabitants of the largest city of the country that has this name as its first one."""
    key = city_key(_name(part))
    named = (city for city in cities(_name(part)) if city.country == country and city_key(city.name) == key)
    return max((city.people for city in named), default=0)


def _lies_in(part: str, country: str, region: str) -> bool:
    if region and country in _SAME_CODES:
        return any((city.country, city.region) == (country, region) for city in cities(_name(part)))
    if not region and _is_region(part, country):
        return True
    return country in countries_of(_name(part))


def _with_a_region(rest: list[str], name: str) -> Read | None:
    """`Chicago, Illinois`, `Arizona, Phoenix`: the one country that has the region, and the city in it."""
    regions = regions_named(name)
    fitting = {
        country
        for country, code in regions
        if any(_lies_in(part, country, code if country == "US" else "~") for part in rest)
    }
    if len(fitting) == 1:
        return _in_country(rest, fitting.pop())
    countries = {country for country, _ in regions}
    if (
        not fitting
        and len(countries) == 1
        and countries & set(_WITHOUT_COUNTRY)
        and city_key(name) != "georgia"
    ):
        return Read(countries.pop(), None, False)
    return None


def _name(part: str) -> str:
    return _CITY_ALIASES.get(city_key(part), part)


@lru_cache(65_536)
def _city(part: str, country: str | None) -> str | None:
    name = _name(part)
    if len(name) > 60 or (name.isupper() and len(name) < 4 and name.isascii()):
        return None
    countries = countries_of(name)
    return name if (countries if country is None else country in countries) else None

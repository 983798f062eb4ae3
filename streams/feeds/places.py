"""Free-text places: a country only where it is clearly given, a city only where it is clearly one."""

import re
from functools import cache, lru_cache

import pycountry

from rolecall.schemas.common import Location, Workplace
from rolecall.streams.feeds.words import workplace

_COUNTRY_ALIASES = {
    "us": "US",
    "u.s": "US",
    "u.s.a": "US",
    "america": "US",
    "uk": "GB",
    "u.k": "GB",
    "great britain": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "uae": "AE",
    "south korea": "KR",
    "korea": "KR",
    "turkey": "TR",
    "russia": "RU",
    "prc": "CN",
    "the netherlands": "NL",
    "holland": "NL",
    "deutschland": "DE",
    "österreich": "AT",
    "schweiz": "CH",
    "españa": "ES",
    "italia": "IT",
    "brasil": "BR",
    "méxico": "MX",
    "polska": "PL",
    "ivory coast": "CI",
    "macau": "MO",
}
_CITY_ALIASES = {
    "nyc": "New York",
    "new york city": "New York",
    "sf": "San Francisco",
    "washington dc": "Washington",
    "washington d.c": "Washington",
}
# Georgia is a state and a country.
_REGIONS = frozenset(
    {"africa", "americas", "apac", "asia", "asia pacific", "dach", "emea", "eu", "europe", "european union"}
    | {"georgia", "global", "international", "latam", "latin america", "middle east", "nordics"}
    | {"north america", "south america", "multiple locations", "usca", "various", "worldwide", "central"}
    | {"east coast", "west coast", "northeast", "northwest", "southeast", "southwest", "midwest"}
)
_WORKPLACE = re.compile(
    r"\b(remote(ly|-friendly)?|virtual|anywhere|distributed|work from home|hybrid|on-?site|in-?office)\b",
    re.I,
)
_NOT_A_CITY = re.compile(
    r"\d|\b(area|region|metro|county|and|locations?|office|headquarters?|hq|warehouse|the|only)\b|[&+]", re.I
)
# A code that is a state there and a country elsewhere goes with these cities to the country.
_CITIES_ABROAD = {
    "AR": {"buenos aires", "cordoba", "córdoba", "rosario"},
    "CA": {
        "calgary",
        "edmonton",
        "montreal",
        "montréal",
        "ottawa",
        "toronto",
        "vancouver",
        "waterloo",
        "winnipeg",
    },
    "CO": {"bogota", "bogotá", "cali", "medellin", "medellín"},
    "DE": {"berlin", "cologne", "dresden", "frankfurt", "hamburg", "köln", "leipzig", "munich", "münchen"}
    | {"stuttgart"},
    "ID": {"bandung", "jakarta", "surabaya"},
    "IL": {"haifa", "herzliya", "jerusalem", "tel aviv"},
    "IN": {"bangalore", "bengaluru", "chennai", "delhi", "gurgaon", "gurugram", "hyderabad", "mumbai"}
    | {"new delhi", "noida", "pune"},
    "MA": {"casablanca", "marrakesh", "rabat"},
    "PA": {"panama", "panama city"},
}


@cache
def _countries() -> dict[str, str]:
    names = dict(_COUNTRY_ALIASES)
    for country in pycountry.countries:
        for attribute in ("name", "common_name", "official_name"):
            if name := getattr(country, attribute, None):
                names[name.casefold()] = country.alpha_2
    return names


@cache
def _codes() -> dict[str, str]:
    return {code: c.alpha_2 for c in pycountry.countries for code in (c.alpha_2, c.alpha_3)}


@cache
def _states() -> dict[str, str]:
    """Names of states and provinces, and their codes, to their country."""
    states: dict[str, str] = {"D.C": "US"}
    for country in ("CA", "AU", "US"):
        for part in pycountry.subdivisions.get(country_code=country):  # type: ignore[no-untyped-call]
            states[part.name.casefold()] = country
            code = part.code.split("-")[1]
            if country == "US" or code not in _codes():
                states[code] = country
    return states


@lru_cache(4096)
def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 of a country's name or code."""
    name = text.strip().rstrip(".")
    return _countries().get(name.casefold()) or _codes().get(name.upper())


@lru_cache(65_536)
def place(text: str) -> tuple[Location | None, Workplace | None]:
    """`Remote - US` is (US, remote); `London, UK` (London in GB, unknown); `SF, NYC` (unknown, unknown)."""
    where = workplace(text)
    outside = re.sub(r"\([^)]*\)", " ", text)
    bare = _WORKPLACE.sub(" - ", text)
    if re.search(r"\w", re.sub(r"(?i)\b(remote|hybrid)\b", "", outside)):
        bare = re.sub(r"\([^)]*\)", " ", bare)
    options = [parts for option in re.split(r"(?i)[;|•/\n]|\sor\s", bare) if (parts := _parts(option))]
    found = [_country_and_city(parts) for parts in options]
    countries = {country for country, _ in found}
    if len(found) != 1 or (len(options[0]) > 1 and found[0] == (None, None)):
        # Some of several places may be remote, others not.
        where = where if not found or _every_option_is_remote(text) else None
    country = countries.pop() if len(countries) == 1 else None
    city = found[0][1] if len(found) == 1 else None
    return (Location(country=country, city=city) if country or city else None), where


def _every_option_is_remote(text: str) -> bool:
    options = re.split(r"[;|•/\n]", text)
    options = options if len(options) > 1 else text.split(",")
    return all("remote" in option.casefold() for option in options if option.strip())


def _parts(option: str) -> list[str]:
    option = re.sub(r"^\s*([A-Z]{2})-(?=\w)", r"\1, ", option)
    stripped = (
        part.strip().strip(" -–—().").strip() for part in re.split(r",|\s[-–—]+\s|\s[-–—]|[-–—]\s", option)
    )
    return [part for part in stripped if part and part.casefold() not in _REGIONS]


def _country_and_city(parts: list[str]) -> tuple[str | None, str | None]:
    country, rest, country_first = _split_country(parts)
    if [part.casefold() for part in rest] == ["new york"]:
        return "US", "New York"
    states = [i for i, part in enumerate(rest) if _state(part)]
    if country is None and len(rest) > (2 if states else 1):
        return None, None  # a list of cities
    if states and country in (None, _state(rest[states[-1]])):
        # The last one: in `New York, NY` and `Washington, DC` the city is named like a state.
        country = country or _state_country(rest, states[-1])
        del rest[states[-1]]
    if country_first and len(rest) > 1:
        return country, None
    return country, _city(rest)


def _split_country(parts: list[str]) -> tuple[str | None, list[str], bool]:
    """The country, what is left, and whether the country came first."""
    for index, first in ((len(parts) - 1, False), (0, True)):
        part = parts[index]
        rest = parts[:index] + parts[index + 1 :]
        country = _countries().get(part.casefold()) if part not in _states() else None
        if country is None and (part not in _states() or any(map(_state, rest))):
            country = _codes().get(part)
        if country:
            # England in the United Kingdom, but not Singapore in Singapore, names the country once more.
            other_names = {name for name, code in _countries().items() if code == country} - {part.casefold()}
            return (
                country,
                [each for each in rest if each.casefold() not in other_names],
                first and bool(rest),
            )
    return None, parts, False


def _state(part: str) -> str | None:
    return _states().get(part) or _states().get(part.casefold())


def _state_country(rest: list[str], state: int) -> str | None:
    code = rest[state]
    others = {part.casefold() for part in rest[:state] + rest[state + 1 :]}
    return code if others & _CITIES_ABROAD.get(code, set()) else _state(code)


def _city(rest: list[str]) -> str | None:
    """The first of at most two parts: a second one is the city's region."""
    if not 1 <= len(rest) <= 2 or (len(rest) == 2 and _is_city(rest[1])):
        return None
    city = _CITY_ALIASES.get(rest[0].casefold(), rest[0])
    if (
        not re.search(r"\w", city)
        or _NOT_A_CITY.search(city)
        or len(city) > 60
        or (city.isupper() and len(city) < 5)
    ):
        return None
    return city


def _is_city(name: str) -> bool:
    return name.casefold() in _CITY_ALIASES or any(
        name.casefold() in cities for cities in _CITIES_ABROAD.values()
    )

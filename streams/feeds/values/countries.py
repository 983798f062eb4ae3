"""Countries by code and by name in eight languages and their own: ISO 3166 (pycountry) and the CLDR
(Babel)."""

from functools import cache, lru_cache

import pycountry
from babel import Locale

from rolecall.streams.feeds.values.phrases import EUROPEAN
from rolecall.streams.matching.hard_rules import city_key

_ALSO = {
    "US": "us|u.s|u.s.a|usa|america|united states of america|etats unis d amerique|ee uu|eeuu|"
    "stany zjednoczone",
    "GB": "uk|u.k|great britain|england|scotland|wales|northern ireland|gran bretana|grossbritannien|"
    "england uk",
    "AE": "uae",
    "KR": "south korea|korea",
    "TR": "turkey|turkiye",
    "RU": "russia",
    "CN": "prc|mainland china",
    "NL": "the netherlands|holland",
    "CZ": "czech republic",
    "CI": "ivory coast",
    "MO": "macau",
    "BA": "bosnia",
    "MK": "macedonia",
    "VA": "vatican|holy see",
    "PS": "palestine",
    "HK": "hongkong",
    "MM": "burma",
    "SZ": "swaziland",
    "TL": "east timor",
    "TW": "taiwan",
    "VN": "vietnam",
}
_TWO_COUNTRIES = frozenset(["congo", "kongo", "kongó", "congo belga"])


@cache
def _names() -> dict[str, str]:
    """Names, folded; one that two countries have is left out."""
    found: dict[str, set[str]] = {}
    for country in pycountry.countries:
        for attribute in ("name", "common_name", "official_name"):
            if name := getattr(country, attribute, None):
                found.setdefault(city_key(name), set()).add(country.alpha_2)
    known = {country.alpha_2 for country in pycountry.countries}
    for tag in EUROPEAN:
        for code, name in Locale(tag).territories.items():
            if code in known:
                found.setdefault(city_key(name), set()).add(code)
    names = {
        name: codes.pop() for name, codes in found.items() if len(codes) == 1 and name not in _TWO_COUNTRIES
    }
    return names | {city_key(name): code for code, also in _ALSO.items() for name in also.split("|")}


@cache
def _codes() -> dict[str, str]:
    return {code: c.alpha_2 for c in pycountry.countries for code in (c.alpha_2, c.alpha_3)}


@lru_cache(4096)
def country_named(text: str) -> str | None:
    return _names().get(city_key(text))


@lru_cache(4096)
def is_english_name(text: str) -> bool:
    return city_key(text) in {city_key(name) for name in Locale("en").territories.values()}


@lru_cache(4096)
def country_coded(text: str) -> str | None:
    """Of an ISO code in capitals."""
    return _codes().get(text.strip())


@lru_cache(4096)
def country_code(text: str) -> str | None:
    """ISO 3166-1 alpha-2 of a country's name or code, where the text can be nothing but a country."""
    return country_named(text) or _codes().get(text.strip().upper())

"""Places in words: a country only where it is clearly given, a city only where GeoNames knows it there."""

import re
from functools import lru_cache
from typing import NamedTuple

from rolecall.schemas.common import Location, Workplace
from rolecall.streams.feeds.values.countries import country_coded, country_named
from rolecall.streams.feeds.values.gazetteer import cities, countries_with_region
from rolecall.streams.feeds.values.place_parts import (
    LARGE,
    NOWHERE,
    Read,
    in_country,
    is_named_like_a_state,
    is_one_place,
    resolve,
)
from rolecall.streams.matching.hard_rules import city_key

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
    r"\b(?:(?P<remote>remote(?:ly)?|virtual|anywhere|distributed|work from home|home[ -]?office|"
    r"télétravail|teletrabajo|teletrabalho|remoto|zdalnie|zdalna|thuiswerk(?:en)?)|(?P<hybrid>hybride?|h[íi]brid[oa]|ibrid[oa]|hybrydow[aoy])|"
    r"(?P<onsite>on-?site|in-?office))\b",
    re.I,
)
_ALTERNATIVES = re.compile(r"[;|•/\n&+]|\s(?:or|oder|ou|lub|albo|oppure)\s(?=\D)", re.I)
_NEGATED = re.compile(
    r"\b(no|not|non|kein\w*|nicht|pas|sin|senza|niet|geen|nie|bez|não|sem|partly|teilweise|possible|möglich|"
    r"friendly|optional|eligible)\b",
    re.I,
)
_EXCEPT = re.compile(
    r"\b(?:not|nicht|außer|ausser|ohne|except|excluding|sauf|hors|excepto|salvo|tranne|eccetto|behalve|oprócz|"
    r"exceto)\b",
    re.I,
)
# Not one city, unless GeoNames has a city of this name, such as Greater Noida.
_WIDER = re.compile(
    r"\b(?:\w+weit|nation-?wide|country-?wide|state-?wide|world-?wide|greater|gro(?:ß|ss)raum|raum|region|metro|"
    r"metropol\w*|area|umgebung|umland|surroundings|environs|alrededores|dintorni|omgeving|okolic[ae]|arredores|"
    r"various|multiple|several|verschiedene|mehrere|diverse|plusieurs|varios|vari|différents|different|"
    r"all|alle|tou(?:t|te|tes|s)|toda|todo|tutta|heel|cała|entière|near|bei|nahe)\b",
    re.I,
)
_AROUND_A_NAME = re.compile(
    r"^(?:(?:in|within|from|aus|based in|located in|must (?:live|reside|be based) in)\s+"
    r"(?:the\s+)?)|\s+(?:only|nur|based)$",
    re.I,
)


# Parts of many cities. Some are also small towns, and districts in GeoNames.
_PARTS_OF_CITIES = re.compile(
    r"(?:inner )?city(?: cent(?:er|re))?|cent(?:er|re)|(?:down|up|mid|old )town|north|airport|"
    r"(?:innen|alt)stadt|(?:stadt)?zentrum|(?:stadt)?mitte|centre[- ]ville|"
    r"centro(?: hist[óo]rico| storico| città)?|casco antiguo|centrum(?: miasta)?|binnenstad|śródmieście|"
    r"stare miasto|baixa",
    re.I,
)


class Place(NamedTuple):
    location: Location | None
    workplace: Workplace | None
    whole: bool


def place(text: str) -> tuple[Location | None, Workplace | None]:
    """`Remote - US` is (US, remote); `London, UK` (London in GB, unknown); `SF, NYC` (unknown, unknown)."""
    return read_place(text)[:2]


@lru_cache(65_536)
def read_place(text: str) -> Place:
    if _EXCEPT.search(text) or (_NEGATED.search(text) and _WORKPLACE.search(text)):
        return Place(None, None, False)
    text = _without_brackets(text)
    named_workplaces = {_WORKPLACES[str(each.lastgroup)] for each in _WORKPLACE.finditer(text)}
    where = next(iter(named_workplaces)) if len(named_workplaces) == 1 else None
    written = [each for each in re.split(_ALTERNATIVES, text) if re.search(r"\w", each)]
    options = [parts for option in written if (parts := _parts(_WORKPLACE.sub(" - ", option)))]
    if len(written) > 1 and not _every_option_is_remote(written):
        where = None  # some of several places may be remote, others not
        if len(options) < len(written):
            return Place(None, None, False)  # one of the alternatives is no place: Berlin or remote
    found = [resolve(parts) for parts in options]
    if named_workplaces and any(map(_is_a_word, options)):
        return Place(None, None, False)
    if not all(each.whole or each.country for each in found) or (where and not all(e.whole for e in found)):
        where = None  # Berlin und remote
    countries = {each.country for each in found}
    country = countries.pop() if len(countries) == 1 else None
    city = found[0].city if len(found) == 1 else None
    location = Location(country=country, city=city) if country or city else None
    whole = len(found) <= 1 and all(each.whole for each in found) and bool(location or where)
    lacks_city = city is None and any(map(_PARTS_OF_CITIES.fullmatch, re.split(r",\s*| - ", text)))
    return Place(location, where, whole and not lacks_city)


_NOISE = re.compile(
    r"(?:hq|head ?quarters?|head office|office|main office|sitz|zentrale|büro|siège|bureau|sede|oficina|"
    r"ufficio|kantoor|biuro|siedziba|escritório|m/w/d|all genders|\d{1,3})",
    re.I,
)


def _without_brackets(text: str) -> str:
    """What stands in brackets is a part of the place: `Firenze (FI)`. In `Halle (Saale)`, of the name.

    Several codes of states, as in `Canada - Remote (ON, AB, or NS only)`, say nothing more than the country.
    """
    for bracket in re.finditer(r"([^()]*)\(([^()]*)\)", text):
        before, inside = bracket[1].strip(), bracket[2].strip()
        pieces = [each for each in re.split(r"[,/]|\bor\b|\bonly\b", inside, flags=re.I) if each.strip()]
        if cities(f"{before} {inside}"):
            mended = f"{before} {inside}"
        elif _NOISE.fullmatch(inside) or (
            len(pieces) > 1 and all(countries_with_region(piece.strip()) for piece in pieces)
        ):
            mended = before
        else:
            mended = f"{before}, {inside}"
        text = text.replace(bracket[0], mended, 1)
    return text


def _is_a_word(parts: list[str]) -> bool:
    """`Remote - Union`, `Remote Sales`: beside a workplace, a small town alone is rather a word."""
    if len(parts) != 1 or (found := resolve(parts)).country or not found.city:
        return False
    return all(city.people < LARGE for city in cities(found.city))


@lru_cache(65_536)
def locality(city: str, region: str, country: str | None) -> Place:
    """A city of a structured address; `country` is a code. The text of the city may be anything."""
    city = _without_brackets(city)
    named = _WORKPLACE.search(city)
    bare = _WORKPLACE.sub(" - ", city)
    where = _WORKPLACES[str(named.lastgroup)] if named and not _NEGATED.search(city) else None
    parts = _parts(bare) if where or not named else []  # what a negation or a wish is about is no city
    if named and not parts and not where:
        found = Read(country, None, False)
    elif country is None:
        found = resolve([*parts, region.strip()] if region.strip() and parts else parts) if parts else NOWHERE
        if found[:2] == (None, None) and len(parts) == 1:
            found = resolve(parts)
    elif len(parts) == 1 and country_named(parts[0]) == country:
        found = Read(country, None, True)  # Mexico, Panama, Kuwait: the capital has the name too
    else:
        nothing = Read(country, None, where is not None or not city.strip())
        found = in_country(parts, country) if parts else nothing
        if len(parts) == 1 and not region.strip() and is_named_like_a_state(parts[0], country):
            found = Read(country, None, True)
        if len(parts) > 1 and not found.whole:
            other = resolve(parts)
            if other.country == country:
                found = other
            elif other.country or found is NOWHERE:
                found = Read(country, None, False)
    location = Location(country=found.country, city=found.city) if found.country or found.city else None
    return Place(location, where, found.whole)


def is_one_option(text: str) -> bool:
    return not re.search(_ALTERNATIVES, text)


@lru_cache(16_384)
def is_one_name(city: str) -> bool:
    """Whether the text can be the name of one city, and not a list, a code with a city, or a workplace."""
    is_list = re.search(_ALTERNATIVES, city) or not is_one_place(city)
    return len(_parts(city)) == 1 and not (_WORKPLACE.search(city) or _WIDER.search(city) or is_list)


def _every_option_is_remote(options: list[str]) -> bool:
    return all((named := _WORKPLACE.search(option)) and named.lastgroup == "remote" for option in options)


def _parts(option: str) -> list[str]:
    opening = re.match(r"\s*([A-Z]{2,3})-(?=\w)", option)
    if opening and country_coded(opening[1]):
        option = re.sub(r"^\s*([A-Z]{2,3})-(?:([A-Z]{2,3})-)?(?=\w)", r"\1, \2, ", option)
    parts: list[str] = []
    for part in re.split(r",|\s[-–—]+\s|\s[-–—]|[-–—]\s", option):
        part = re.sub(r"^\d{4,5}\s+(?=\D)|(?<=[A-Z]{2})\s\d{5}(-\d{4})?$", "", part.strip())
        part = _AROUND_A_NAME.sub("", part.strip(" -–—().").strip())
        is_of_many = not parts and _PARTS_OF_CITIES.fullmatch(part)
        if part and city_key(part) not in _WIDE and not is_of_many:
            parts.append(part)
    return parts

"""Raw values of a feed -> the fields of a Vacancy or Candidate. Each value is certain, or absent with a note.

Every format says only where its values are (`Raw`); what they mean is decided here, once for all formats.
"""

import csv
import hashlib
import re
from ast import literal_eval
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from unicodedata import category

from rolecall.schemas.common import Period, Workplace, milliseconds
from rolecall.streams.feeds.notes import Note, note
from rolecall.streams.feeds.values import dates, languages, pay, places, words
from rolecall.streams.feeds.values.countries import country_code
from rolecall.streams.feeds.values.gazetteer import cities, cities_in, near_country, regions_named
from rolecall.streams.feeds.values.json_values import many
from rolecall.streams.feeds.values.phrases import says_nothing
from rolecall.streams.feeds.values.text import mended, one_line, plain_text, title
from rolecall.streams.matching.hard_rules import CITY_KM, distance_km

Raw = Mapping[str, Any]  # a field of ours -> text, a number, a truth or a list of these, as the feed has it

FAR_KM = 300  # a point farther from the city that it comes with is somewhere else
MOST_SKILLS, LONGEST_SKILL = 500, 200
_MEMBER = r"""(?:'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|-?\d+(?:\.\d+)?)"""
_FLAT_LIST = re.compile(rf"\[\s*(?:{_MEMBER}\s*(?:,\s*|(?=\])))*+\]")
_KM = r"km|kilometer|kilometre|kilometers|kilometres"
_YEARS = r"years?|yrs?|jahre?|ans?|anni|años|jaar|lat|anos"


def lines_of(value: Any) -> list[str]:
    """The texts of a value: of a list its members, of a text itself."""
    if isinstance(value, str):
        found = mended(value).strip()
        written = _written_list(found) if found[:1] in ("[", "{") else None
        return lines_of(written) if written is not None else [found] if found else []
    members = value if isinstance(value, list | tuple) else [value]
    return [found for member in members if (found := _text(member))]


def _written_list(text: str) -> list[Any] | None:
    """The members of a list of texts or numbers in a cell, as JSON, Python or Postgres (`{a,b}`) write it."""
    if re.fullmatch(r"\{[^{}:]*\}", text):
        return next(csv.reader([text[1:-1]], skipinitialspace=True), [])
    try:
        found: list[Any] | None = literal_eval(text) if _FLAT_LIST.fullmatch(text) else None
    except (ValueError, SyntaxError):
        return None
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return mended(str(value)).strip() if isinstance(value, str | int | float) else ""


def split(text: str) -> list[str]:
    """On `;`, `|`, a bullet or line breaks where there are any, else on commas."""
    separator = r"[;|•\n]" if re.search(r"[;|•\n]", text) else ","
    return [part.strip() for part in re.split(separator, text) if part.strip()]


def _skills(value: Any) -> list[str]:
    members = lines_of(value)
    parts = split(plain_text(members[0])) if len(members) == 1 else members
    cleaned = (one_line(part) for part in parts if not says_nothing(part))
    return [part for part in dict.fromkeys(cleaned) if part and len(part) <= LONGEST_SKILL][:MOST_SKILLS]


def _titles(value: Any) -> list[str]:
    members = [part for line in lines_of(value) for part in re.split(r"[;|\n]", line)]
    return list(dict.fromkeys(found for part in members if (found := title(part)[:1000])))[:50]


def _languages(value: Any) -> list[dict[str, Any]] | None:
    return list(languages.languages("; ".join(lines_of(value))) or ()) or None


def _employment_types(value: Any) -> list[str] | None:
    found = _union(words.employment_types(part) for part in lines_of(value) if not says_nothing(part))
    return found and sorted(found)


def _workplaces(value: Any) -> list[str] | None:
    found = _union(words.workplaces(re.sub(r"[;|/,\n]", " and ", part)) for part in lines_of(value))
    return found and list(dict.fromkeys(found))


def _union(parts: Iterable[tuple[Any, ...] | None]) -> list[Any] | None:
    found: list[Any] = []
    for part in parts:
        if part is None:
            return None
        found += part
    return list(dict.fromkeys(found))


def _countries(value: Any) -> list[str] | None:
    parts = [part for line in lines_of(value) for part in re.split(r"[;|\n,/]", line) if part.strip()]
    found = {part: country_code(part) for part in parts}
    if None in found.values() or [part.strip().casefold() for part in parts] == ["no"]:
        return None  # `no` alone: Norway, or a negation
    for part, code in found.items():
        if any(country != code and country in found.values() for country, _ in regions_named(part)):
            return None  # Georgia, USA
    return list(dict.fromkeys(filter(None, found.values())))


def _quantity(units: str) -> Callable[[Any], float | None]:
    """`30`, `30 km`, `5+ years`; not `1,000`, which has two readings."""
    pattern = re.compile(rf"(\d+(?:[.,]\d{{1,2}})?)\+?\s*(?:{units})?\.?", re.I)

    def read(value: Any) -> float | None:
        found = pattern.fullmatch(_one(value))
        return float(found[1].replace(",", ".")) if found else None

    return read


def _one(value: Any) -> str:
    found = lines_of(value)
    return found[0] if len(found) == 1 else ""


def _words(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: read(_one(value)) if _one(value) else None


# Each takes the raw value; None leaves the field out, with a note.
_READERS: dict[str, Callable[[Any], Any]] = {
    "skills": _skills,
    "languages": _languages,
    "employment_types": _employment_types,
    "workplace": _words(words.workplace),
    "workplaces": _workplaces,
    "work_countries": _countries,
    "seniority": _words(words.seniority),
    "relocate": _words(words.yes),
    "radius_km": _quantity(_KM),
    "experience_years": _quantity(_YEARS),
}
_TIMES = ("occurred_at", "revision", "expires_at", "available_from")
_PLACE = ("location", "location.city", "location.region", "location.country", "location.lat", "location.lon")
_PAY = ("salary", "salary.min", "salary.max", "salary.currency", "salary.period")
_PLAIN = ("id", "title", "titles", "employer", "description", "summary", "status")
_ANY_TEXT = frozenset({"id", "title", "titles", "description", "summary", "languages"})
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d\d", re.I)  # what a spreadsheet makes of a long number
_READ_IN_PART = frozenset({"skills", "titles", "description", "summary"})
FIELDS = frozenset((*_READERS, *_TIMES, *_PLACE, *_PAY, *_PLAIN))


def record(raw: Raw, now: datetime) -> tuple[dict[str, Any], list[Note]]:
    """The fields that are certain, and notes on the others. ValueError names an id, title or status that is
    not.

    The revision is now unless the feed has one: a row that is edited under the same date must replace the old
    one.
    """
    found: dict[str, Any] = {}
    notes: list[Note] = []
    given = {field: value for field, value in raw.items() if (value or value == 0) and _says(field, value)}
    for field, value in raw.items():
        if isinstance(value, dict | list):
            _note_objects(field, value, given, notes)
    _plain(given, found)
    for field, read in _READERS.items():
        if field in given:
            value = read(given[field])
            if value is not None and value != []:
                found[field] = value
            elif not (field == "workplace" and words.yes(_one(given[field])) is False):
                notes.append(note(field, given[field]))
    _times(given, found, notes, now)
    _place(given, found, notes)
    _pay(raw, given, found, notes)
    return found, notes


def _note_objects(field: str, value: Any, given: dict[str, Any], notes: list[Note]) -> None:
    if objects := [each for each in many(value) if isinstance(each, dict | list) and each]:
        notes.append(note(field, objects[0], "an object or a list, and no text"))
        if field not in _READ_IN_PART:
            given.pop(field, None)


def _says(field: str, value: Any) -> bool:
    texts = lines_of(value)
    if field in _ANY_TEXT:
        return bool(texts)
    return any(not says_nothing(text) or any(category(sign) == "Sc" for sign in text) for text in texts)


def _plain(given: Raw, found: dict[str, Any]) -> None:
    if "id" in given:
        found["id"] = short_id(" ".join(lines_of(given["id"])))
        is_numbered = re.search(r"\d", found["id"])
        if _ROUNDED.fullmatch(found["id"]) if is_numbered else says_nothing(found["id"]):
            raise ValueError(f"id: {_shown(given['id'])} is no id of its own; give every record another one")
    if "title" in given:
        found["title"] = title(" ".join(lines_of(given["title"])))
        if not found["title"]:
            raise ValueError(f"title: {_shown(given['title'])} says nothing; give the vacancy a title")
    if "titles" in given:
        found["titles"] = _titles(given["titles"])
        if not found["titles"]:
            raise ValueError(f"titles: {_shown(given['titles'])} say nothing; give the candidate a title")
    if employer := one_line(" ".join(lines_of(given.get("employer")))):
        found["employer"] = employer[:200]
    for field in ("description", "summary"):
        texts = [plain_text(each) for each in lines_of(given.get(field)) if not says_nothing(each)]
        if text := "\n".join(filter(None, texts)):
            found[field] = text
    if "status" in given:
        found["status"] = words.status(_one(given["status"]))
        if found["status"] is None:
            raise ValueError(f"status: {_shown(given['status'])} is not known; write open or closed")


def _shown(value: Any) -> str:
    return repr(" ".join(lines_of(value))[:60])


def short_id(text: str) -> str:
    """An id put together from parts may grow past what an id may be; a hash keeps it apart from others."""
    if len(text) <= 200:
        return text
    return f"{text[:160]}-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()[:32]}"


def _times(given: Raw, found: dict[str, Any], notes: list[Note], now: datetime) -> None:
    for field in _TIMES:
        if field in given:
            moment = dates.moment(_one(given[field]), last_of_day=field == "expires_at")
            if moment is None:
                notes.append(note(field, given[field], "no certain time"))
            elif field != "revision":
                found[field] = moment.at
            elif not moment.zoned and moment.at > now:
                notes.append(note(field, given[field], "a local time without a zone that is ahead of UTC"))
            else:
                found[field] = milliseconds(moment.at)
    found.setdefault("occurred_at", now)
    found.setdefault("revision", milliseconds(now))
    if found["occurred_at"] < datetime(1970, 1, 2, tzinfo=UTC):
        found["occurred_at"] = now


def _place(given: Raw, found: dict[str, Any], notes: list[Note]) -> None:
    location: dict[str, Any] = {}
    whole = True  # every part of the place was understood
    if "location" in given:
        read = places.read_place("; ".join(lines_of(given["location"])))
        location = read.location.model_dump(exclude_none=True) if read.location else {}
        _at(read.workplace, found)
        if not (whole := read.whole):
            notes.append(note("location", given["location"]))
    city, region, named = (_one(given.get(f"location.{part}")) for part in ("city", "region", "country"))
    country, named_city = country_code(named) or location.get("country"), city
    if country != location.get("country", country):
        notes.append(
            note("location", f"{' '.join(lines_of(given['location']))}; {named}", "in two countries")
        )
        return
    if named and not country_code(named):
        notes.append(note("location.country", named))
    if (
        country
        and not city
        and "location" in given
        and not (location.get("city") and location.get("country"))
    ):
        location.pop("city", None)
        city = _one(given["location"])  # Leeds, West Yorkshire: a city, once the country is known
        city = city if places.is_one_option(city) else ""
    if city or country:
        read = places.locality(city, region, country)
        location |= read.location.model_dump(exclude_none=True) if read.location else {}
        _at(read.workplace, found)
        whole &= read.whole
        if city and not read.whole and (named_city or not read.location):
            notes.append(note("location.city", city))
    point: Mapping[str, Any] | None = _point(given, location, notes)
    if point or (whole and (point := _point_of_city(location.get("city"), location.get("country")))):
        location |= point
    if location:
        found["location"] = location


def _at(workplace: Workplace | None, found: dict[str, Any]) -> None:
    if workplace:
        found.setdefault("workplace", workplace)


def _point(given: Raw, location: Mapping[str, Any], notes: list[Note]) -> dict[str, float] | None:
    texts = [_one(given.get(f"location.{end}")).replace(",", ".") for end in ("lat", "lon")]
    if not any(texts):
        return None
    try:
        lat, lon = map(float, texts)
    except ValueError:
        notes.append(note("location.lat", " ".join(texts).strip(), "no pair of coordinates"))
        return None
    if wrong := wrong_point(location, lat, lon):
        notes.append(note("location.lat", f"{lat} {lon}", wrong))
        return None
    return {"lat": lat, "lon": lon}


@lru_cache(16_384)
def _point_of_city(city: str | None, country: str | None) -> Mapping[str, Any] | None:
    """Of a city that has its name alone in its country; other places of the name may be parts of it."""
    known = cities_in(city, country) if city and country else ()
    if not known or any(distance_km(known[0][3:5], each[3:5]) > CITY_KM for each in known):
        return None
    return {"lat": known[0].lat, "lon": known[0].lon, "point_from": "city"}


def wrong_point(location: Mapping[str, Any], lat: float, lon: float) -> str | None:
    """Why coordinates cannot be those of the location: 0/0, out of range, or far from its city or country."""
    if max(abs(lat), abs(lon)) < 0.01 or not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return "no place on land"
    city, country = location.get("city", ""), location.get("country")
    known = [each for each in cities(city) if country in (None, each.country)]
    if known and any(distance_km((each.lat, each.lon), (lat, lon)) <= FAR_KM for each in known):
        return None
    if known or (country and not near_country(country, lat, lon, FAR_KM)):
        return f"not in {city or country}; are latitude and longitude swapped"
    return None


def _pay(raw: Raw, given: Raw, found: dict[str, Any], notes: list[Note]) -> None:
    """All or nothing: amounts, their currency and their period. A year, where the feed has no period at
    all."""
    ends = [field for field in ("salary", "salary.min", "salary.max") if field in given]
    if not ends:
        return
    read = {field: pay.pay(_one(given[field])) for field in ends}
    country = found.get("location", {}).get("country")
    signs = {part.currency for part in read.values() if part and part.currency}
    signs |= {_one(given["salary.currency"])} if "salary.currency" in given else set()
    currency = pay.one_currency(signs, country)
    units: set[Period | None] = {part.period for part in read.values() if part and part.period}
    units |= {words.period(_one(given["salary.period"]))} if "salary.period" in given else set()
    salary = None
    if None not in read.values() and len(units) < 2 and (units or "salary.period" not in raw):
        per = units.pop() if units else None
        low = read.get("salary.min") or read.get("salary")
        high = read.get("salary.max") or read.get("salary")
        if per or "salary.period" not in raw:
            least, most = (low.least if low else None), (high.most if high else None)
            salary = pay.salary(least, most, currency, per)
    if salary:
        found["salary"] = salary
    else:
        notes.append(note("salary", {field: given[field] for field in _PAY if field in given}))

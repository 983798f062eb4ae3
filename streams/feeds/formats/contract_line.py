"""Records that already have the fields of our contracts, as JSON: checked by the contract, mended where it
is certain."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel

from rolecall.schemas.common import Location, Salary
from rolecall.schemas.match import Side
from rolecall.schemas.topics import CONTRACT_OF
from rolecall.streams.feeds.fields import wrong_point
from rolecall.streams.feeds.notes import Note, note
from rolecall.streams.feeds.parsed import FeedEvent, event
from rolecall.streams.feeds.values import dates, pay, places
from rolecall.streams.feeds.values.json_values import Json
from rolecall.streams.feeds.values.text import one_line, plain_text, title

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d(:?\d\d)?)")
_WRITTEN = re.compile(r"[<&]|Ã|Â")


def _letters(name: str) -> str:
    """`skill`, `Skills` and `skills_` are the same."""
    return re.sub(r"[^a-z]", "", name.casefold()).removesuffix("s")


@cache
def _by_letters(contract: type[BaseModel]) -> dict[str, str]:
    return {_letters(name): name for name in contract.model_fields}


_INSIDE: Mapping[str, type[BaseModel]] = {"location": Location, "salary": Salary}


def contract_event(item: Json, side: Side) -> FeedEvent:
    """null means unknown, as everywhere. ValueError if the contract refuses the record."""
    notes: list[Note] = []
    data = {name: value for name, value in item.items() if value is not None}
    _name_near_misses(data, CONTRACT_OF[side], notes)
    for field, contract in _INSIDE.items():
        if isinstance(data.get(field), dict):
            _name_near_misses(data[field], contract, notes, f"{field}.")
    _texts(data)
    for field in ("expires_at", "available_from"):
        if field in data:
            _time(data, field, notes)
    if "salary" in data:
        _salary(data, notes)
    if isinstance(data.get("location"), dict):
        _location(data, notes)
    return event(data, side, notes)


def _name_near_misses(data: Json, contract: type[BaseModel], notes: list[Note], prefix: str = "") -> None:
    for name in data.keys() - contract.model_fields.keys():
        if near := _by_letters(contract).get(_letters(name)):
            notes.append(note(prefix + name, data[name], f"no field of the contract; is it {prefix}{near}"))


def _texts(data: Json) -> None:
    """Titles that say nothing and markup are no contract's business, but a pair's."""
    if isinstance(given := data.get("title"), str):
        data["title"] = title(given)
        if given.strip() and not data["title"]:
            raise ValueError(f"title: {given[:60]!r} says nothing; give the vacancy a title")
    if isinstance(given := data.get("titles"), list) and all(isinstance(each, str) for each in given):
        data["titles"] = [found for each in given if (found := title(each))]
        if given and not data["titles"]:
            raise ValueError(f"titles: {given[:3]!r} say nothing; give the candidate a title")
    for field in ("description", "summary"):
        if isinstance(data.get(field), str) and _WRITTEN.search(data[field]):
            data[field] = plain_text(data[field])
    if isinstance(data.get("employer"), str) and "&" in data["employer"]:
        data["employer"] = one_line(data["employer"])
    if isinstance(data.get("skills"), list) and all(isinstance(each, str) for each in data["skills"]):
        data["skills"] = [one_line(each) if _WRITTEN.search(each) else each for each in data["skills"]]


def _time(data: Json, field: str, notes: list[Note]) -> None:
    value = data[field]
    if isinstance(value, str) and _TIME.fullmatch(value.strip()) and not value.startswith("0"):
        read = dates.moment(value)
        if read is None:
            notes.append(note(field, data.pop(field), "no certain time"))
        elif re.search(r"[Tt ]24:", value):
            data[field] = read.at  # the contract knows the hours 0 to 23
        return
    found = dates.moment(value, last_of_day=field == "expires_at") if isinstance(value, str) else None
    if found is None:
        notes.append(note(field, data.pop(field), "no certain time; write 2026-11-28T15:17:27Z"))
    else:
        data[field] = found.at


def _salary(data: Json, notes: list[Note]) -> None:
    salary = data["salary"]
    if not isinstance(salary, dict):
        notes.append(note("salary", data.pop("salary"), "no object of min, max, currency and period"))
        return
    given = {name: value for name, value in salary.items() if value is not None}
    data["salary"] = given
    code = given.get("currency")
    if isinstance(code, str):
        country = data["location"].get("country") if isinstance(data.get("location"), dict) else None
        read = pay.currency_code(code, country if isinstance(country, str) else None)
        if read is None:
            notes.append(note("salary", data.pop("salary"), f"in no currency that is known ({code[:20]})"))
        else:
            given["currency"] = read


def _location(data: Json, notes: list[Note]) -> None:
    location = {name: value for name, value in data["location"].items() if value is not None}
    data["location"] = location
    city: Any = location.get("city")
    if isinstance(city, str) and not places.is_one_name(city):
        country = location.get("country")
        read = places.locality(city, "", country if isinstance(country, str) else None)
        del location["city"]
        location |= read.location.model_dump(exclude_none=True) if read.location else {}
        if not read.whole:
            notes.append(note("location.city", city))
    lat, lon = location.get("lat"), location.get("lon")
    if isinstance(lat, int | float) and isinstance(lon, int | float):
        known = {name: location[name] for name in ("city", "country") if isinstance(location.get(name), str)}
        if -90 <= lat <= 90 and (wrong := wrong_point(known, lat, lon)):
            del location["lat"], location["lon"]
            notes.append(note("location.lat", f"{lat} {lon}", wrong))

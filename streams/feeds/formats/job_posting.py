"""schema.org JobPosting: where its values are. https://schema.org/JobPosting."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from rolecall.streams.feeds.values.countries import country_code
from rolecall.streams.feeds.values.json_values import Json, many, one, text
from rolecall.streams.feeds.values.phrases import says_nothing
from rolecall.streams.feeds.values.places import read_place
from rolecall.streams.feeds.values.text import one_line
from rolecall.streams.feeds.values.words import workplace

_ABOUT = (
    "title",
    "name",
    "url",
    "hiringOrganization",
    "jobLocation",
    "description",
    "responsibilities",
    "qualifications",
    "skills",
    "employmentType",
    "baseSalary",
)
# A number in an address, but no year alone.
_NUMBERED = re.compile(r"(?<!\d)(?!(?:19|20)\d\d(?!\d))\d")
_HOLDERS = ("@graph", "itemListElement", "item", "mainEntity", "mainEntityOfPage", "hasPart", "about")
_HOLDING = frozenset(("@type", *_HOLDERS))


def is_posting(item: Any) -> bool:
    return isinstance(item, dict) and any(
        re.split(r"[/#:]", str(kind))[-1] == "JobPosting" for kind in many(item.get("@type"))
    )


def postings(document: Any, known: Mapping[str, Json] | None = None) -> list[Json]:
    """Every posting in a document: graphs, lists of items, pages; references to other nodes are followed.

    `known`: nodes outside the document, by their @id.
    """
    if isinstance(document, dict) and _HOLDING.isdisjoint(document):
        return []
    nodes = dict(known or {})
    found: list[Json] = []
    left, seen = [document], 0
    while left and seen < 1_000_000:
        item, seen = left.pop(0), seen + 1
        if isinstance(item, list):
            left = item + left
        elif isinstance(item, dict):
            if isinstance(item.get("@id"), str) and len(item) > 1:
                nodes.setdefault(item["@id"], item)
            if is_posting(item):
                found.append(item)
            else:
                left = [item[name] for name in _HOLDERS if name in item] + left
    return [{name: _followed(value, nodes) for name, value in posting.items()} for posting in found]


def _followed(value: Any, nodes: dict[str, Json], depth: int = 4) -> Any:
    """Also in what a reference leads to: a place whose address is another node."""
    if isinstance(value, list):
        return [_followed(each, nodes, depth) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) <= {"@id", "@type"} and value.get("@id") in nodes:
        value = nodes[value["@id"]]
    if depth == 0:
        return value
    return {name: _followed(each, nodes, depth - 1) for name, each in value.items()}


def raw_vacancy(item: Json) -> Json:
    """The raw fields of a Vacancy.

    The revision is `dateModified`, not `datePosted`: an edited posting keeps its `datePosted` and must still
    replace the old one.
    """
    where = _workplace(item)
    remote = where == "remote"
    raw = {
        "id": _id(item),
        "occurred_at": _first(item.get("datePosted")),
        "revision": _first(item.get("dateModified")),
        "expires_at": _first(item.get("validThrough")),
        "title": text(_single(item.get("title"))) or text(item.get("name")),
        "description": [
            text(value)
            for name in ("description", "responsibilities", "qualifications")
            for value in many(item.get(name))
        ],
        "employer": _employer(item),
        "skills": [text(skill) for skill in many(item.get("skills"))],
        "workplace": where,
        "employment_types": [
            text(kind) for kind in many(item.get("employmentType")) if text(kind).upper() != "OTHER"
        ],
    }
    open_to = many(item.get("applicantLocationRequirements"))
    raw |= _open_to(open_to) if remote and open_to else _location(many(item.get("jobLocation")))
    return raw | _salary(item)


def _single(value: Any) -> Any:
    """The value, or the only member of a list."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _first(value: Any) -> str:
    return text(_single(value))


def _employer(item: Json) -> str:
    value = item.get("hiringOrganization")
    return one_line(text(value if isinstance(value, str) else one(value)))


def _id(item: Json) -> str:
    """Unique across employers: an identifier is a number of one employer. Without one, the address of the
    posting
    where it looks like its own, else a hash of what the posting says."""
    identifier, employer = item.get("identifier"), _employer(item)
    named = one(identifier)
    value = text(named.get("value")) if named else text(_first(identifier))
    if (
        value != "0"
        and not says_nothing(value)
        and value.casefold() not in (employer.casefold(), text(named.get("name")).casefold())
    ):
        owner = employer or text(named.get("name")) or urlsplit(text(item.get("url"))).netloc
        return (
            f"{owner}/{value}"
            if owner and not value.startswith(("http://", "https://", f"{owner}/"))
            else value
        )
    for address in (text(item.get("url")), text(item.get("@id"))):
        if _NUMBERED.search(urlsplit(address).path + urlsplit(address).query) or address.startswith("#"):
            return address
    about = [item.get(name) for name in _ABOUT]
    return "posting-" + hashlib.sha256(orjson.dumps(about, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _workplace(item: Json) -> str:
    """`remote`, or what `jobLocationType` says instead of TELECOMMUTE."""
    named = _first(item.get("jobLocationType")).rsplit("/", 1)[-1]
    return workplace(named) or named


def _open_to(areas: list[Any]) -> Json:
    """The one country that remote work is open to. A State is never taken for a country of its name."""
    countries = {_country_of(area) for area in areas}
    if len(countries) == 1 and None not in countries:
        return {"location.country": countries.pop()}
    return {"location": "; ".join(map(text, areas))}


def _country_of(area: Any) -> str | None:
    kind = str(area.get("@type", "")) if isinstance(area, dict) else ""
    name = text(area)
    if kind in ("", "Country") and (code := country_code(name)):
        return code
    found, _ = read = read_place(name)[:2]
    return found.country if found and read else None


def _location(places: list[Any]) -> Json:
    """Where the job is. Of several places, the country that they share."""
    found = [raw for raw in map(_one_place, places) if raw]
    if len(found) < 2:
        return found[0] if found else {}
    named = {_country_of_place(raw) for raw in found}
    if len(named) == 1 and None not in named:
        return {"location.country": named.pop()}
    return {"location": "; ".join(", ".join(raw.values()) for raw in found)}


def _country_of_place(raw: Json) -> str | None:
    if "location" in raw:
        found = read_place(raw["location"]).location
        return found.country if found else None
    return country_code(raw.get("location.country", ""))


def _one_place(value: Any) -> Json:
    if isinstance(value, str):
        return {"location": value}
    if not isinstance(value, dict):
        return {}
    address = value.get("address", value)
    if isinstance(address, str):
        return {"location": address}
    address = one(address)
    geo = one(value.get("geo")) or value
    raw = {
        "location.city": text(_single(address.get("addressLocality"))),
        "location.region": text(_single(address.get("addressRegion"))),
        "location.country": text(_single(address.get("addressCountry"))),
        "location.lat": text(geo.get("latitude")),
        "location.lon": text(geo.get("longitude")),
    }
    raw = {field: found for field, found in raw.items() if found}
    if not raw and isinstance(value.get("name"), str):
        return {"location": value["name"]}
    return raw


def _salary(item: Json) -> Json:
    """Without a unit there is no pay: a guessed one would exclude wrongly."""
    base = item.get("baseSalary")
    if not base:
        return {}
    if isinstance(base, list):
        if len(base) > 1:
            return {"salary": orjson.dumps(base).decode()}  # which one? It is noted
        base = base[0]
    if not isinstance(base, dict):
        return {"salary": base, "salary.currency": text(item.get("salaryCurrency")), "salary.period": ""}
    value = one(base.get("value")) or {"value": base.get("value")}
    exact = next((each for each in (value.get("value"), base.get("price")) if each not in (None, "")), "")
    low, high = (value.get(name, base.get(name)) for name in ("minValue", "maxValue"))
    units = value.get("unitText") or base.get("unitText") or value.get("unitCode") or ""
    amounts = {"salary.min": low, "salary.max": high} if low or high else {"salary": exact}
    if exact and (low or high) and not (low and high):
        amounts = {"salary.min": low or exact, "salary.max": high or exact}
    currency = base.get("currency") or base.get("priceCurrency") or item.get("salaryCurrency")
    return {**amounts, "salary.currency": text(currency), "salary.period": text(units)}

"""HR Open (HR-XML): position openings of versions 2 (XML), 3 (XML) and 4 (JSON). https://www.hropenstandards.org.

The versions nest and capitalize differently, but their names agree: values are found by name, at any depth.
"""

from collections.abc import Iterator
from typing import Any

from rolecall.streams.feeds.values.json_values import Json, text

OPENING = "positionopening"
OPENINGS = frozenset([OPENING, "jobpositionposting", "positionopenings"])
_INSIDE = frozenset(["positionprofile", "positionprofiles", "jobpositioninformation"])
_TITLES = ("positiontitle", "jobpositiontitle")


def openings(document: Any) -> list[Json]:
    """Every position opening in a document; empty if it is none of HR Open."""
    found = [node for node in _nodes(document, OPENINGS) if _texts(node, *_TITLES)]
    if not found and _INSIDE & {name for name, _ in _fields(document)} and _texts(document, *_TITLES):
        return [document]  # the root of an XML file
    return found


def raw_opening(item: Json) -> Json:
    """The raw fields of a Vacancy. Several places, types or descriptions are lists."""
    pay = _pay(item)
    employer = _first(item, "hiringorgname", "organizationname", "legalname", "organizationlegalname")
    number = _first(item, "documentid", "jobpositionpostingid", "positionid", "id")
    countries = sorted({found.upper() for found in _texts(item, "countrycode")})
    cities = list(dict.fromkeys(_texts(item, "cityname", "municipality", "city")))
    return {
        "id": f"{employer}/{number}" if employer and number else number,
        "title": _first(item, *_TITLES),
        "employer": employer,
        "description": _texts(item, "content", "jobpositiondescription", "jobpositionpurpose", "summarytext"),
        "location.city": cities[0] if len(cities) == 1 and len(countries) < 2 else "",
        "location.country": countries[0] if len(countries) == 1 else "",
        "location": "; ".join([*cities, *countries]) if len(countries) > 1 else "",
        "employment_types": _texts(
            item, "positionscheduletypecode", "positionscheduletypecodes", "classification"
        ),
        "occurred_at": _first(item, "postdate", "postingdate", "startdate"),
        "expires_at": _first(item, "applicationclosedate", "expirationdate", "enddate"),
        "status": _first(item, "positionopeningstatuscode"),
        **pay,
    }


def _pay(item: Json) -> Json:
    low, high = _amounts(item, "minimumamount"), _amounts(item, "maximumamount")
    if len(low) > 1 or len(high) > 1 or not low + high:
        return {}
    currencies = {each[1] for each in low + high if each[1]}
    periods = _texts(item, "basiscode", "intervalcode", "rateintervalcode")
    return {
        "salary.min": low[0][0] if low else "",
        "salary.max": high[0][0] if high else "",
        "salary.currency": currencies.pop() if len(currencies) == 1 else "",
        "salary.period": periods[0] if len(set(periods)) == 1 else "",
    }


def _amounts(item: Json, name: str) -> list[tuple[str, str]]:
    """Amount and currency of every value of this name."""
    return [
        (text(value), next((text(each) for key, each in _fields(value) if key.startswith("currency")), ""))
        for value in _values(item, name)
    ]


def _first(item: Json, *names: str) -> str:
    return next((found for name in names for found in _texts(item, name)), "")


def _texts(item: Json, *names: str) -> list[str]:
    found = (text(value) for name in names for value in _values(item, name))
    return [each for each in found if each]


def _values(item: Any, name: str) -> Iterator[Any]:
    """In the order of the document; a list gives its members."""
    for key, value in _fields(item):
        for each in value if isinstance(value, list) else [value]:
            if key == name:
                yield each
            else:
                yield from _values(each, name)


def _nodes(item: Any, names: frozenset[str]) -> Iterator[Json]:
    if isinstance(item, list):
        for each in item:
            yield from _nodes(each, names)
    for key, value in _fields(item):
        for each in value if isinstance(value, list) else [value]:
            if key in names and isinstance(each, dict):
                yield each
            else:
                yield from _nodes(each, names)


def _fields(item: Any) -> Iterator[tuple[str, Any]]:
    return ((name.casefold(), value) for name, value in item.items()) if isinstance(item, dict) else iter(())

"""schema.org JobPosting into our vacancy: https://schema.org/JobPosting."""

import hashlib
import re
from datetime import datetime
from typing import Any

import orjson

from rolecall.schemas.common import milliseconds
from rolecall.streams.feeds.json_values import many, one, text
from rolecall.streams.feeds.places import country_code, place
from rolecall.streams.feeds.words import employment_types, moment, number, period, plain_text

_CURRENCY_SIGNS = {"€": "EUR", "£": "GBP", "₹": "INR"}


def is_posting(item: dict[str, Any]) -> bool:
    return any(str(kind).rsplit("/", 1)[-1] == "JobPosting" for kind in many(item.get("@type")))


def vacancy_from(item: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The fields of a Vacancy. ValueError names the field and value that cannot be read.

    The revision is `dateModified` or now, not `datePosted`: an edited posting keeps its `datePosted` and must
    still replace the old one.
    """
    posted, modified, until = (item.get(name) for name in ("datePosted", "dateModified", "validThrough"))
    texts = (item.get(name) for name in ("description", "responsibilities", "qualifications"))
    vacancy = {
        "id": _id(item),
        "occurred_at": moment(posted, field="datePosted") if posted else now,
        "revision": milliseconds(moment(modified, field="dateModified") if modified else now),
        "title": plain_text(text(item.get("title")) or text(item.get("name"))),
        "description": "\n".join(
            part for value in texts for part in map(plain_text, map(text, many(value))) if part
        ),
        "employer": text(one(item.get("hiringOrganization")))[:200],
        "skills": _skills(item.get("skills")),
        "location": _location(item),
        "workplace": "remote" if _is_remote(item) else None,
        "employment_types": sorted(
            {kind for word in many(item.get("employmentType")) for kind in employment_types(str(word))}
        ),
        "salary": _salary(item),
        "expires_at": moment(until, field="validThrough", last_of_day=True) if until else None,
    }
    return {name: value for name, value in vacancy.items() if value not in (None, [], "")}


def _id(item: dict[str, Any]) -> str:
    """Identifiers are unique to an employer, so its name goes in front."""
    identifier = item.get("identifier")
    if isinstance(identifier, dict):
        employer, value = text(identifier.get("name")), text(identifier.get("value"))
        found = f"{employer}/{value}" if employer and value else value
    else:
        found = text(identifier)
    found = found or text(item.get("url")) or text(item.get("@id"))
    if 0 < len(found) <= 200:
        return found
    same = (
        [found]
        if found
        else [item.get(k) for k in ("title", "hiringOrganization", "jobLocation", "datePosted")]
    )
    return "posting-" + hashlib.sha256(orjson.dumps(same, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _skills(value: Any) -> list[str]:
    """A list of texts or DefinedTerms, or one text with separators."""
    values = [plain_text(text(skill)) for skill in many(value)]
    if len(values) == 1:
        separator = r"[;\n•]" if re.search(r"[;\n•]", values[0]) else ","
        values = [part.strip() for part in re.split(separator, values[0])]
    return [skill for skill in dict.fromkeys(values) if skill and len(skill) <= 200]


def _is_remote(item: dict[str, Any]) -> bool:
    return any("TELECOMMUTE" in str(kind).upper() for kind in many(item.get("jobLocationType")))


def _location(item: dict[str, Any]) -> dict[str, Any] | None:
    """Where the job is; for remote work, the country it is open to. Of several places, what they share."""
    if _is_remote(item) and (required := many(item.get("applicantLocationRequirements"))):
        countries = {country_code(text(area)) or _country_of(text(area)) for area in required}
        country = countries.pop() if len(countries) == 1 else None
        return {"country": country} if country else None
    places = [found for found in map(_one_place, many(item.get("jobLocation"))) if found]
    if len(places) < 2:
        return places[0] if places else None
    countries = {found.get("country") for found in places}
    return {"country": countries.pop()} if len(countries) == 1 and None not in countries else None


def _one_place(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        found, _ = place(value)
        return found.model_dump(exclude_none=True) if found else {}
    if not isinstance(value, dict):
        return {}
    address = value.get("address", value)
    if isinstance(address, str) or not one(address):
        return _one_place(address) if isinstance(address, str) else {}
    address, geo = one(address), one(value.get("geo"))
    location = {
        "country": country_code(text(address.get("addressCountry"))),
        "city": text(address.get("addressLocality")),
        "lat": geo.get("latitude"),
        "lon": geo.get("longitude"),
    }
    return {name: found for name, found in location.items() if found not in (None, "")}


def _country_of(name: str) -> str | None:
    found, _ = place(name)
    return found.country if found else None


def _salary(item: dict[str, Any]) -> dict[str, Any] | None:
    """None unless amount, currency and unit are all known: a guessed unit would exclude wrongly."""
    base = one(item.get("baseSalary"))
    value = one(base.get("value")) or base
    unit = period(text(value.get("unitText") or base.get("unitText")))
    currency = text(base.get("currency") or item.get("salaryCurrency"))
    exact = value.get("value") if not isinstance(value.get("value"), dict | list) else None
    low, high = (
        value[name] if value.get(name) not in (None, "") else exact for name in ("minValue", "maxValue")
    )
    ends = {
        "min": None if low is None else number(low, field="baseSalary.minValue"),
        "max": None if high is None else number(high, field="baseSalary.maxValue"),
    }
    amounts = {name: amount for name, amount in ends.items() if amount}
    if not (amounts and currency and unit):
        return None
    return {**amounts, "currency": _CURRENCY_SIGNS.get(currency, currency.upper()), "period": unit}

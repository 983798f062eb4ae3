"""JSON Resume into our candidate: https://jsonresume.org/schema.

Nothing that names or reaches a person passes: no name, e-mail, phone, address, link, profile, employer.
"""

import hashlib
import re
from datetime import date, datetime
from itertools import chain
from typing import Any

import orjson

from rolecall.streams.feeds.json_values import many, text
from rolecall.streams.feeds.places import country_code
from rolecall.streams.feeds.words import fluency, language_code, moment, plain_text

_REACHABLE = re.compile(
    r"\S+@\S+|(?:https?://|www\.)\S+|\b(?:[\w-]+\.)+(?:com|org|net|io|dev|me|edu)(?:/\S*)?\b", re.I
)
_ONGOING = re.compile(r"present|current|now|today|ongoing", re.I)
_PHONE = re.compile(r"(?<!\w)[+(]?\d[\d\s()./-]{7,}\d(?!\w)")


def is_resume(item: dict[str, Any]) -> bool:
    return "basics" in item or ("work" in item and "titles" not in item)


def candidate_from(item: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The fields of a Candidate. ValueError names the field and value that cannot be read."""
    basics, meta = _object(item.get("basics")), _object(item.get("meta"))
    work = sorted(
        _objects(item.get("work")), key=lambda job: text(job.get("endDate")) or "9999", reverse=True
    )
    personal = _personal(basics)
    titles = [text(basics.get("label")), *(text(job.get("position")) for job in work)]
    passages = [basics.get("summary")]
    for job in work:
        passages += [job.get("summary"), *many(job.get("highlights"))]
    skills = chain.from_iterable(
        (s.get("name"), *many(s.get("keywords"))) for s in _objects(item.get("skills"))
    )
    modified = text(meta.get("lastModified"))
    candidate = {
        "id": text(item.get("id")) or text(meta.get("id")) or _fingerprint(item),
        "occurred_at": moment(modified, field="meta.lastModified") if modified else now,
        "titles": _distinct(titles, personal)[:50],
        "summary": "\n".join(_distinct(passages, personal | _name_parts(basics))),
        "skills": [skill for skill in _distinct(skills, personal) if len(skill) <= 200][:500],
        "languages": _languages(item.get("languages")),
        "location": _location(_object(basics.get("location"))),
        "experience_years": _experience_years(work, now.date()),
    }
    return {name: value for name, value in candidate.items() if value not in (None, [], "")}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [part for part in many(value) if isinstance(part, dict)]


def _fingerprint(item: dict[str, Any]) -> str:
    """A hash of the whole document. A hash of the e-mail alone would survive edits, but whoever has a list of
    addresses could tell from a match event whose it is."""
    return "resume-" + hashlib.sha256(orjson.dumps(item, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _personal(basics: dict[str, Any]) -> frozenset[str]:
    values = [basics.get(name) for name in ("name", "email", "phone", "url", "website", "image", "picture")]
    for profile in _objects(basics.get("profiles")):
        values += [profile.get("username"), profile.get("url")]
    values += [_object(basics.get("location")).get(name) for name in ("address", "postalCode")]
    return frozenset(found for value in values if len(found := text(value)) > 2)


def _name_parts(basics: dict[str, Any]) -> frozenset[str]:
    """Only for running text: in a title, `Cook` is more likely a cook."""
    return frozenset(part for part in text(basics.get("name")).split() if len(part) > 2)


def _without(personal: frozenset[str], value: str) -> str:
    for word in sorted(personal, key=len, reverse=True):
        value = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", " ", value, flags=re.I)
    value = _REACHABLE.sub(" ", value)
    value = _PHONE.sub(lambda found: " " if sum(map(str.isdigit, found[0])) > 8 else found[0], value)
    return "\n".join(" ".join(line.split()) for line in value.splitlines())


def _distinct(values: Any, personal: frozenset[str]) -> list[str]:
    cleaned = (_without(personal, plain_text(text(value))).strip() for value in values)
    return [value for value in dict.fromkeys(cleaned) if re.search(r"\w", value)]


def _languages(value: Any) -> list[dict[str, Any]]:
    levels = {}
    for language in _objects(value):
        if code := language_code(text(language.get("language"))):
            levels[code] = fluency(text(language.get("fluency")))
    return [{"code": code, "level": level} if level else {"code": code} for code, level in levels.items()]


def _location(location: dict[str, Any]) -> dict[str, str] | None:
    found = {"country": country_code(text(location.get("countryCode"))), "city": text(location.get("city"))}
    return {name: value for name, value in found.items() if value} or None


def _experience_years(work: list[dict[str, Any]], today: date) -> float | None:
    """Time in work; jobs held at the same time count once."""
    spans = []
    for job in work:
        start = _day(job.get("startDate"))
        ended = text(job.get("endDate"))
        end = today if not ended or _ONGOING.match(ended) else _day(ended)
        if start and end and start < min(end, today):
            spans.append((start, min(end, today)))
    days, reached = 0, date.min
    for start, end in sorted(spans):
        days += max(0, (end - max(start, reached)).days)
        reached = max(reached, end)
    return min(round(days / 365.25, 1), 100) if spans else None


def _day(value: Any) -> date | None:
    """`2014`, `2014-06` and `2014-06-29`."""
    parts = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:T.*)?", text(value))
    if not parts:
        return None
    try:
        return date(int(parts[1]), int(parts[2] or 1), int(parts[3] or 1))
    except ValueError:
        return None

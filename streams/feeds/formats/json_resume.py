"""JSON Resume, 0.x to 1.x, and Reactive Resume: where their values are. https://jsonresume.org/schema.

Nothing that names or reaches a person passes: no name, e-mail, phone, address, link, profile, employer.
"""

import hashlib
import re
from datetime import date, datetime
from typing import Any

import orjson

from rolecall.streams.feeds.fields import split
from rolecall.streams.feeds.values.dates import span
from rolecall.streams.feeds.values.json_values import Json, many, objects, one, text
from rolecall.streams.feeds.values.languages import fluency
from rolecall.streams.feeds.values.text import plain_text

_REACHABLE = re.compile(
    r"\S+@\S+|(?:https?://|www\.)\S+|\b(?:[\w-]+\.)+(?:com|org|net|io|dev|me|edu)(?:/\S*)?\b", re.I
)
_ONGOING = re.compile(
    r"(till |until |to )?(present|current|currently|now|today|ongoing|"
    r"to date|heute|jetzt|laufend|aujourd'hui|"
    r"présent|actuel|en cours|actualidad|actual|presente|hoy|oggi|in corso|attuale|heden|nu|"
    r"obecnie|teraz|atual|hoje)",
    re.I,
)
_DENIED = re.compile(
    r"\b(?:no|none|not|nil|zero|0|learning|kein\w*|nicht|lerne|aucun\w*|pas|ningun\w*|ningún|nessun\w*|non|geen|niet|"
    r"brak|nie|nenhum\w*|não)\b",
    re.I,
)
_PHONE = re.compile(r"(?<!\w)[+(]?\d[\d\s()./-]{7,}\d(?!\w)")


def is_resume(item: dict[str, Any]) -> bool:
    if "titles" in item or "title" in item:
        return False
    return "basics" in item or "work" in item or {"education", "skills"} <= set(item)


def raw_candidate(item: Json, now: datetime) -> Json:
    """The raw fields of a Candidate. ValueError if it has no title at all."""
    item = _plain_form(item)
    basics, meta = one(item.get("basics")), one(item.get("meta"))
    work = sorted(objects(item.get("work")), key=_ended, reverse=True)
    personal = _personal(basics)
    titles = [text(basics.get("label")), text(basics.get("headline"))]
    titles += [text(job.get("position")) for job in work]
    passages = [basics.get("summary")]
    for job in work:
        passages += [job.get("summary"), *many(job.get("highlights"))]
    if not _distinct(titles, personal):
        raise ValueError("the resume has no title: give basics.label, basics.headline or work[].position")
    modified = text(meta.get("lastModified"))
    skills = _skills(item.get("skills"))
    return {
        "id": text(item.get("id")) or text(meta.get("id")) or _fingerprint(item),
        "occurred_at": modified,
        "revision": modified,
        "titles": _distinct(titles, personal)[:50],
        "summary": _distinct(passages, personal | _name_parts(basics)),
        "skills": _distinct(skills, personal) + [each for each in skills if isinstance(each, dict)],
        "languages": [_language(each) for each in many(item.get("languages"))],
        **_location(basics.get("location")),
        "experience_years": _experience_years(work, now.date()),
    }


def _plain_form(item: Json) -> Json:
    """Reactive Resume keeps the same parts as sections of items."""
    sections = one(item.get("sections"))
    if not sections:
        return item
    parts = {"work": "experience", "skills": "skills", "languages": "languages", "education": "education"}
    return item | {
        name: [each for each in objects(one(sections.get(section)).get("items")) if each.get("visible", True)]
        for name, section in parts.items()
    }


def _ended(job: Json) -> date:
    if found := _dates(job):
        return found[1]
    started = span(job.get("startDate"))
    return started[1] if started else date.min


def _skills(value: Any) -> list[Any]:
    """Names and keywords; of lists under headings, their members. An object of another shape stays one."""
    found: list[Any] = []
    for skill in many(value):
        if isinstance(skill, list):
            found += _skills(skill)
        elif not isinstance(skill, dict):
            found.append(skill)
        elif not skill.keys().isdisjoint(("name", "keywords")):
            keywords = skill.get("keywords")
            found += [skill.get("name"), *(split(keywords) if isinstance(keywords, str) else many(keywords))]
        elif all(isinstance(each, list) for each in skill.values()):
            found += _skills(list(skill.values()))
        else:
            found.append(skill)
    return found


def _language(value: Any) -> str:
    """`German (C2)`; a fluency that is not understood leaves the language without a level.

    A denied one, such as `none` or `learning`, stays in the text, which is then not understood.
    """
    if not isinstance(value, dict):
        return text(value)
    name = text(value.get("language")) or text(value.get("name")) or orjson.dumps(value).decode()
    said = text(value.get("fluency")) or text(value.get("level")) or text(value.get("description"))
    level = fluency(said)
    if _DENIED.search(said):
        return f"{name} ({said})"
    return f"{name} ({level})" if level else name


def _fingerprint(item: dict[str, Any]) -> str:
    """A hash of the whole document. A hash of the e-mail alone would survive edits, but whoever has a list of
    addresses could tell from a match event whose it is."""
    return "resume-" + hashlib.sha256(orjson.dumps(item, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _personal(basics: dict[str, Any]) -> frozenset[str]:
    values = [basics.get(name) for name in ("name", "email", "phone", "url", "website", "image", "picture")]
    for profile in objects(basics.get("profiles")):
        values += [profile.get("username"), profile.get("url")]
    values += [one(basics.get("location")).get(name) for name in ("address", "postalCode")]
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


def _location(value: Any) -> Json:
    if isinstance(value, str):
        return {"location": value}
    found = one(value)
    country = text(found.get("countryCode")) or text(found.get("country"))
    return {
        "location.country": country,
        "location.city": text(found.get("city")),
        "location.region": text(found.get("region")),
    }


def _experience_years(work: list[Json], today: date) -> float | str | None:
    """Time in work; jobs held at the same time count once. Text where the dates of a job are not
    understood."""
    spans = []
    for job in work:
        found = _dates(job)
        if (found is None or found[1] < found[0]) and any(
            job.get(name) for name in ("startDate", "endDate", "date")
        ):
            return f"{job.get('startDate') or job.get('date')} to {job.get('endDate', '')}"
        if found and found[0] < min(found[1], today):
            spans.append((found[0], min(found[1], today)))
    days, reached = 0, date.min
    for start, end in sorted(spans):
        days += max(0, (end - max(start, reached)).days)
        reached = max(reached, end)
    return min(round(days / 365.25, 1), 100) if spans else None


def _dates(job: Json) -> tuple[date, date] | None:
    """Start and end; a job without an end goes on, one with an empty end may. None where one of them is not
    understood."""
    start, end = text(job.get("startDate")), text(job.get("endDate"))
    whole = start or text(job.get("date"))
    if parts := re.fullmatch(r"(.+?)\s+(?:-|–|—|to|bis)\s+(.+)", whole):
        start, end = parts[1], end or parts[2]
    elif (whole and not start) or job.get("endDate") == "":
        return None
    first = span(start)
    last = (date.max, date.max) if not end or _ONGOING.fullmatch(end) else span(end)
    return (first[0], last[0]) if first and last else None

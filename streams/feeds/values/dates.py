"""Dates and times as feeds write them. One reading or none: `05/06/2026` is none, `31/12/2026` is one."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

import ciso8601
from babel import Locale

from rolecall.streams.feeds.values.phrases import EIGHT, words

_EARLIEST, _LATEST = 1990, 2200  # before: the zero of a clock, such as Go's year 1
_ZONES = {"UTC": 0, "GMT": 0, "Z": 0, "CET": 60, "CEST": 120}  # others are ambiguous: IST has three meanings
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|CES?T|[+-]\d\d(?::?\d\d)?)?"
_ISO_DATE = re.compile(rf"(?:\d{{4}}-\d\d-\d\d|\d{{8}}){_ZONE}", re.I)
_ISO_TIME = re.compile(
    rf"(?P<day>\d{{4}}-\d\d-\d\d|\d{{8}})[T\s](?P<clock>\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?){_ZONE}", re.I
)
_STAMP = re.compile(r"(20\d{6})(\d{4}|\d{6})")
_SECONDS = re.compile(r"(\d{9,10})(?:\.(\d+))?")
_HOUR = re.compile(r"20\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])")  # or seconds: two readings
_MILLISECONDS = re.compile(r"(\d{12,13})(?:\.0*)?")
_EXPONENT = re.compile(r"\d\.\d+E\+?(9|12)", re.I)
_NUMERIC = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_RFC = re.compile(r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(:\d\d)? (GMT|UTC|[+-]\d{4})")


class Moment(NamedTuple):
    at: datetime  # with a zone
    zoned: bool  # whether the text had one; without, UTC is assumed


@lru_cache(16_384)
def moment(text: str, *, last_of_day: bool = False) -> Moment | None:
    """None where the text has no certain reading.

    last_of_day: a date, a month, a week or a year alone means its end, and so does midnight without a zone.
    """
    text = text.strip()
    try:
        found = _iso(text, last_of_day) or _epoch(text) or _day_or_more(text, last_of_day)
    except (ValueError, OverflowError):
        return None
    return found if found and _EARLIEST <= found.at.year < _LATEST else None


def _epoch(text: str) -> Moment | None:
    if _HOUR.fullmatch(text):
        return None
    if found := _SECONDS.fullmatch(text):
        return Moment(datetime.fromtimestamp(float(text), UTC), True)
    if found := _MILLISECONDS.fullmatch(text):
        return Moment(datetime.fromtimestamp(int(found[1]) / 1000, UTC), True)
    if found := _EXPONENT.fullmatch(text):
        return Moment(datetime.fromtimestamp(float(text) / (1000 if found[1] == "12" else 1), UTC), True)
    return None


def _iso(text: str, last_of_day: bool) -> Moment | None:
    if stamp := _STAMP.fullmatch(text):
        text = f"{stamp[1]}T{stamp[2]}"
    found = _ISO_TIME.fullmatch(text)
    if found is None:
        return None
    clock = found["clock"].replace(",", ".")
    if "." in clock:
        clock = clock[: clock.index(".") + 7]  # ciso8601 reads nanoseconds, but a datetime has microseconds
    at = ciso8601.parse_datetime(f"{found['day']}T{clock}")
    zone = found["zone"]
    if zone is None and last_of_day and at.time() == time(0) and not clock.startswith("24"):
        return _end(at.date(), UTC, zoned=False)
    return Moment(at.replace(tzinfo=_zone(zone)), zone is not None)


def _day_or_more(text: str, last_of_day: bool) -> Moment | None:
    if _RFC.fullmatch(text):
        return Moment(parsedate_to_datetime(text).astimezone(UTC), True)
    zone = None
    if found := _ISO_DATE.fullmatch(text):
        zone = found["zone"]
        first = last = ciso8601.parse_datetime(text[: 10 if "-" in text[:8] else 8]).date()
    elif span := _span(text):
        first, last = span
    else:
        return None
    if last_of_day:
        return _end(last, _zone(zone), zoned=zone is not None)
    return Moment(datetime.combine(first, time(0), _zone(zone)), zone is not None)


def _end(day: date, zone: timezone, *, zoned: bool) -> Moment:
    return Moment(datetime.combine(day, time(23, 59, 59), zone), zoned)


def _zone(text: str | None) -> timezone:
    if text is None or text.upper() in _ZONES:
        return timezone(timedelta(minutes=_ZONES[text.upper() if text else "Z"]))
    hours, minutes = int(text[1:3]), int(text[3:].strip(":") or 0)
    if hours > 14 or minutes > 59:
        raise ValueError(f"{text} is no zone")
    return timezone((1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


@lru_cache(4096)
def _span(text: str) -> tuple[date, date] | None:
    """The first and last day of a day, week, month or year in words or numbers. ValueError: not in the
    calendar."""
    text = text.strip()
    if found := _NUMERIC.fullmatch(text):
        a, b, year = int(found[1]), int(found[3]), int(found[4])
        if found[2] == "." or a > 12 or a == b:
            return (date(year, b, a),) * 2
        return (date(year, a, b),) * 2 if b > 12 else None
    if found := re.fullmatch(r"(\d{4})/(\d\d?)/(\d\d?)", text):
        return (date(*map(int, found.groups())),) * 2
    if week := re.fullmatch(r"(\d{4})-?W(\d\d)", text):
        monday = date.fromisocalendar(int(week[1]), int(week[2]), 1)
        return monday, monday + timedelta(days=6)
    if found := re.fullmatch(r"(\d{4})-(\d\d)|(?:(\d\d)[./](\d{4}))", text):
        return _month(int(found[1] or found[4]), int(found[2] or found[3]))
    if re.fullmatch(r"(19|20)\d\d", text):
        return date(int(text), 1, 1), date(int(text), 12, 31)
    return _named(text)


def _named(text: str) -> tuple[date, date] | None:
    """`Nov 20, 2026`, `20. November 2026`, `20 de noviembre de 2026`, `May 2014`."""
    parts = [
        word for word in words(re.sub(r"(\d)(st|nd|rd|th|º|er)\b", r"\1", text)) if word not in ("de", "of")
    ]
    months = [_month_names()[word] for word in parts if word in _month_names()]
    numbers = [word for word in parts if word.isdecimal()]
    if len(months) != 1 or len(months) + len(numbers) != len(parts) or len(parts) > 3:
        return None
    years, days = [n for n in numbers if len(n) == 4], [n for n in numbers if len(n) < 3]
    if len(years) != 1 or len(days) > 1 or len(years) + len(days) != len(numbers):
        return None
    if not days:
        return _month(int(years[0]), months[0])
    return (date(int(years[0]), months[0], int(days[0])),) * 2


def _month(year: int, month: int) -> tuple[date, date]:
    first = date(year, month, 1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


@cache
def _month_names() -> dict[str, int]:
    found: dict[str, set[int]] = {"sept": {9}}
    for tag in EIGHT:
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in Locale(tag).months[context][width].items():
                    for word in words(name):
                        found.setdefault(word, set()).add(number)
    return {name: numbers.pop() for name, numbers in found.items() if len(numbers) == 1}


def span(value: Any) -> tuple[date, date] | None:
    """First and last day of a date as resumes write it: `2014`, `2014-06`, `May 2014`, `06.2019`, a whole
    date."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    try:
        if found := re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:T.*)?", text):
            return (date.fromisoformat(found[1]),) * 2
        return _span(text)
    except ValueError:
        return None

"""The words of feeds into ours. What is not recognised is left out: missing data never excludes."""

import re
from datetime import UTC, datetime, time
from functools import cache, lru_cache
from html.parser import HTMLParser
from typing import Any, TypeVar

import pycountry

from rolecall.schemas.common import Cefr, EmploymentType, Period, Seniority, Workplace

T = TypeVar("T")

_EMPLOYMENT_TYPES = (
    (r"fulltime|vollzeit", EmploymentType.FULL_TIME),
    (r"parttime|teilzeit", EmploymentType.PART_TIME),
    (r"contract|freelance", EmploymentType.CONTRACT),
    (r"temp(orary|$|fulltime|parttime)|fixedterm|seasonal|perdiem|casual", EmploymentType.TEMPORARY),
    (r"intern(s|ship)?$|trainee|apprentice|praktik", EmploymentType.INTERNSHIP),
    (r"volunt", EmploymentType.VOLUNTEER),
)
_SENIORITIES = (
    (r"intern\b|trainee|apprentice|student", Seniority.INTERN),
    (r"chief|c-level|\bvp\b|vice president|executive|director", Seniority.EXECUTIVE),
    (r"lead|principal|staff|head|manager", Seniority.LEAD),
    (r"\bmid|intermediate", Seniority.MID),
    (r"senior|\bsr\b|experienced", Seniority.SENIOR),
    (r"junior|\bjr\b|entry|graduate|associate", Seniority.JUNIOR),
)
_FLUENCIES = (
    (r"native|mother|bilingual|muttersprach|matern", Cefr.C2),
    (r"full professional|fluent|proficient|excellent|flie(ß|ss)end", Cefr.C1),
    (r"professional|upper|advanced|very good|business", Cefr.B2),
    (r"limited|intermediate|conversation|working|good", Cefr.B1),
    (r"elementary|basic|pre-?intermediate", Cefr.A2),
    (r"beginner", Cefr.A1),
)
_PERIODS = (
    (r"hour|stunde|/h|\bhr", Period.HOUR),
    (r"\bda(y|ily)", Period.DAY),
    (r"week", Period.WEEK),
    (r"month", Period.MONTH),
    (r"year|ann|\bp\.?a\b", Period.YEAR),
)
_WORKPLACES = (
    (r"hybrid", Workplace.HYBRID),
    (r"\bon-?\s?site|in[- ]?(office|person)", Workplace.ONSITE),
    (r"^(true|yes|1)$|\bremote|telecommute|distributed|work from home|anywhere|virtual", Workplace.REMOTE),
)
_LANGUAGE_ALIASES = {
    "chinese": "zh",
    "mandarin": "zh",
    "cantonese": "zh",
    "greek": "el",
    "farsi": "fa",
    "punjabi": "pa",
    "deutsch": "de",
    "français": "fr",
    "francais": "fr",
    "español": "es",
    "castellano": "es",
    "italiano": "it",
    "português": "pt",
    "nederlands": "nl",
    "polski": "pl",
    "svenska": "sv",
    "dansk": "da",
    "norsk": "no",
    "suomi": "fi",
    "čeština": "cs",
    "türkçe": "tr",
    "русский": "ru",
    "українська": "uk",
    "日本語": "ja",
    "中文": "zh",
    "한국어": "ko",
    "العربية": "ar",
}


@lru_cache(4096)
def employment_types(text: str) -> tuple[EmploymentType, ...]:
    """`Full-time`, `FULL_TIME`, `fulltime_permanent`, `Temp Part-time`: every type the text names."""
    letters = re.sub(r"[^a-z]", "", text.casefold())
    found = tuple(kind for pattern, kind in _EMPLOYMENT_TYPES if re.search(pattern, letters))
    if not found and "permanent" in letters:
        return (EmploymentType.FULL_TIME,)
    return found


@lru_cache(4096)
def seniority(text: str) -> Seniority | None:
    return _first(_SENIORITIES, text)


@lru_cache(4096)
def period(text: str) -> Period | None:
    return _first(_PERIODS, text)


@lru_cache(4096)
def workplace(text: str) -> Workplace | None:
    return _first(_WORKPLACES, text)


@lru_cache(4096)
def fluency(text: str) -> Cefr | None:
    """`B2`, `C1 (advanced)`, `Native speaker`."""
    if code := re.search(r"\b([ABC][12])\b", text.upper()):
        return Cefr(code[1])
    return _first(_FLUENCIES, text)


@cache
def _language_codes() -> dict[str, str]:
    codes = dict(_LANGUAGE_ALIASES)
    for language in pycountry.languages:
        if two := getattr(language, "alpha_2", None):
            codes |= {language.name.casefold(): two, two: two, language.alpha_3: two}
    return codes


@lru_cache(4096)
def language_code(text: str) -> str | None:
    """ISO 639-1 of `German`, `de`, `deu`, `de-AT`, `English (US)`."""
    name = text.casefold().strip()
    return _language_codes().get(name) or _language_codes().get(re.split(r"[-_ (,]", name, maxsplit=1)[0])


def moment(value: Any, *, field: str, last_of_day: bool = False) -> datetime:
    """ISO 8601 or seconds or milliseconds since the epoch. Without a zone: UTC. `last_of_day`: a date alone
    means its end."""
    text = re.sub(r"\s*(UTC|GMT)$", "Z", str(value).strip())
    try:
        if re.fullmatch(r"\d{9,11}(\.\d+)?|\d{12,14}", text):
            return datetime.fromtimestamp(float(text) / (1000 if len(text.split(".")[0]) > 11 else 1), UTC)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{field}: {text[:60]!r} is not a date; write ISO 8601, such as 2026-11-30T09:00:00Z"
        ) from None
    if last_of_day and re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        parsed = datetime.combine(parsed.date(), time(23, 59, 59))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def number(value: Any, *, field: str) -> float | None:
    """`52000`, `52,000.00`, `52 000`, `€52.5k`; empty is None."""
    text = re.sub(r"[\s$€£\u00a0'’]|,(?=\d{3}(\D|$))", "", str(value))
    if not text:
        return None
    try:
        return float(text[:-1]) * 1000 if text[-1] in "kK" else float(text)
    except ValueError:
        raise ValueError(f"{field}: {str(value)[:60]!r} is not a number; write 52000 or 52,000.50") from None


class _Text(HTMLParser):
    _BREAKS = frozenset({"article", "br", "div", "li", "ol", "p", "section", "table", "tr", "ul"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in ("script", "style")
        if tag in self._BREAKS or re.fullmatch(r"h\d", tag):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        if tag in self._BREAKS or re.fullmatch(r"h\d", tag):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain_text(html: str) -> str:
    """HTML without its tags, one block a line; escaped HTML (`&lt;p&gt;`) as well."""
    if "<" not in html:
        html = html.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    parser = _Text()
    parser.feed(html.replace("<!", "&lt;!"))  # the parser raises AssertionError on some declarations
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).splitlines())
    return "\n".join(line for line in lines if line)


def _first(table: tuple[tuple[str, T], ...], text: str) -> T | None:
    folded = text.casefold().strip()
    return next((meaning for pattern, meaning in table if re.search(pattern, folded)), None)

"""Names and codes of languages, with levels. Names come from the Unicode CLDR (Babel), codes from ISO 639."""

import re
from functools import cache, lru_cache
from typing import Any

import pycountry
from babel import Locale

from rolecall.schemas.common import Cefr
from rolecall.streams.feeds.values.phrases import EUROPEAN, only, table, understood, words

NAMED_IN = [*EUROPEAN, *["el", "ru", "uk", "bg", "hr", "sl", "lt", "lv", "et", "ja", "zh", "ko", "ar"]]
# Languages without a code of two letters, under the macro-language that has one.
_MEMBERS = {"cmn": "zh", "yue": "zh", "fil": "tl", "arb": "ar", "pes": "fa", "zsm": "ms", "nob": "nb"}
_ALSO = {
    "zh": "mandarin|putonghua|mandarin chinese|cantonese",
    "es": "castellano|castilian|castellan",
    "fr": "francais",
    "es ": "espanol",
    "pt": "portugues|brasilianisches portugiesisch",
    "fa": "farsi",
    "nl": "flemish|vlaams|flämisch|flamand",
    "nb": "bokmål|bokmal|norwegian bokmal",
    "nn": "nynorsk",
    "el": "modern greek",
}
_LEVELS = table(
    {
        Cefr.A1: "a1|beginner|anfänger|débutant|principiante|principiant|beginner level|początkujący|"
        "iniciante",
        Cefr.A2: "a2|elementary|elementary proficiency|basic|basics|pre intermediate|grundkenntnisse|"
        "grundlagen|"
        "notions|notions de base|básico|elemental|elementare|base|basis|basiskennis|podstawowy|podstawowa|"
        "scolaire",
        Cefr.B1: "b1|intermediate|limited working proficiency|limited working|conversational|mittelstufe|"
        "intermédiaire|intermedio|gemiddeld|średniozaawansowany|intermediário",
        Cefr.B2: "b2|upper intermediate|professional working proficiency|professional working|"
        "professional proficiency|advanced|avancé|"
        "avanzado|"
        "avanzato|gevorderd|zaawansowany|avançado",
        Cefr.C1: "c1|fluent|fluently|"
        "full professional|full professional proficiency|proficient|fließend|"
        "fliessend|courant|couramment|bilingue courant|fluido|con fluidez|fluente|fluentemente|vloeiend|"
        "biegle|biegły|płynnie|excellent",
        Cefr.C2: "c2|native|native speaker|native or bilingual|native or bilingual proficiency|mother tongue|"
        "first language|bilingual|muttersprache|muttersprachler|muttersprachlich|muttersprachniveau|"
        "langue maternelle|bilingue|maternelle|nativo|nativa|lengua materna|lengua nativa|madrelingua|"
        "lingua madre|"
        "moedertaal|ojczysty|język ojczysty|native level|língua materna",
    }
)
_FILLERS = frozenset(
    [
        "level",
        "niveau",
        "sprache",
        "language",
        "langue",
        "idioma",
        "lingua",
        "taal",
        "język",
        "nivel",
        "livello",
        "poziom",
    ]
)
# Variants of a language, and words for a level that different people set at different levels.
_VARIANTS = table(
    {
        None: "good|very good|gut|sehr gut|gute kenntnisse|sehr gute kenntnisse|bon niveau|buono|goed|"
        "verhandlungssicher|business fluent|"
        "us|usa|uk|gb|united states|united kingdom|american|british|brazil|brazilian|brasil|portugal|"
        "mexico|"
        "latin america|latam|simplified|traditional|international|austria|switzerland|canada"
    }
)
_MANY = re.compile(r"[;|\n]")
# In `de en fr`, en is a code.
_SOME = re.compile(r"[,&+]|(?<!\b[A-Za-z]{2})\s(?:and|AND|und|UND|et|y|e|i|en)\s")
# Codes that feeds also write for the language of the country with this code: Swedish, Estonian, Slovenian, …
_ALSO_COUNTRIES = frozenset(["se", "ee", "si", "kr", "ch"])


@cache
def _codes() -> dict[tuple[str, ...], str]:
    """Names and codes to ISO 639-1; a name that two languages have is left out."""
    meanings: dict[tuple[str, ...], set[str]] = {}
    for code in pycountry.languages:
        if two := getattr(code, "alpha_2", None):
            spelled = {two, code.alpha_3, getattr(code, "bibliographic", two), code.name}
            for name in spelled:
                meanings.setdefault(words(name), set()).add(two)
    two_letters = set().union(*meanings.values())
    natives = {tag: Locale(tag) for tag in NAMED_IN}
    for locale in natives.values():
        for tag, name in locale.languages.items():
            base = tag.split("_")[0]
            code_ = _MEMBERS.get(base, base)
            if code_ in two_letters:
                meanings.setdefault(words(name), set()).add(code_)
    for code_, names in _ALSO.items():
        for name in names.split("|"):
            meanings[words(name)] = {code_.strip()}
    return {name: codes.pop() for name, codes in meanings.items() if name and len(codes) == 1}


@cache
def _named() -> dict[tuple[str, ...], str | None]:
    return {**_codes(), **_VARIANTS}


@lru_cache(4096)
def language_code(text: str) -> str | None:
    """ISO 639-1 of `German`, `Niemiecki`, `deu`, `de-AT`, `English (US)`."""
    if tag := re.fullmatch(r"\s*([A-Za-z]{2,3})[-_]([A-Za-z]{4}|[A-Za-z]{2}|\d{3})\s*", text):
        return _codes().get(words(tag[1]))
    found = understood(text, _named())
    return only([code for code in found if code]) if found else None


@lru_cache(4096)
def fluency(text: str) -> Cefr | None:
    """`B2`, `C1 (advanced)`, `Native speaker`."""
    code = re.fullmatch(r"\s*([ABC][12])\s*\(([^()\d]*)\)\s*", text, re.I)
    if code and understood(code[2], _LEVELS, _FILLERS) is not None:
        return Cefr(code[1].upper())
    return only(understood(text, _LEVELS, _FILLERS))


@lru_cache(4096)
def languages(text: str) -> tuple[dict[str, Any], ...] | None:
    """`German: B2; en`, `French native, English`. None unless the whole list is understood.

    A list that is read in part would exclude by what it lacks; one with `or` or `a plus` in it is no list.
    """
    parts = [part for part in _MANY.split(text) if words(part)]
    if len(parts) == 1:
        parts = [part for part in _SOME.split(text) if words(part)]
    if ("no",) in map(words, parts) and not (
        len(parts) > 1 and all(len(part.strip()) == 2 for part in parts)
    ):
        return None  # Norwegian, or a negation
    found = {}
    if any(name == (code,) for name in map(words, parts) for code in _ALSO_COUNTRIES):
        return None
    for part in parts:
        read = _language(part)
        if read is None:
            return None
        code, level = read
        if code in found:
            return None  # twice, with two levels or in two forms
        found[code] = {"code": code, "level": level} if level else {"code": code}
    return tuple(found.values()) or None


def _language(text: str) -> tuple[str, Cefr | None] | None:
    name, bracket, rest = re.fullmatch(r"(?s)([^(:]*)([(:]?)(.*?)\)?\s*", text).groups()  # type: ignore[union-attr]
    if bracket and language_code(name):
        if not words(rest):
            return None
        if level := fluency(rest):
            return str(language_code(name)), level
        return (str(language_code(text)), None) if language_code(text) else None
    phrases: dict[tuple[str, ...], Any] = _phrases()
    if code := language_code(text):
        return code, None
    found = understood(text, phrases, _FILLERS)
    codes = [each for each in found or () if isinstance(each, str) and not isinstance(each, Cefr)]
    levels = [each for each in found or () if isinstance(each, Cefr)]
    return (codes[0], levels[0]) if len(codes) == 1 and len(levels) == 1 else None


@cache
def _phrases() -> dict[tuple[str, ...], Any]:
    """Names and levels: a level never hides a name, for no language is called like a level."""
    return {**_codes(), **_LEVELS}

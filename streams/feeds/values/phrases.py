"""Texts that are understood as a whole: every word belongs to a known phrase, or nothing is read."""

import re
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from typing import TypeVar
from unicodedata import normalize

T = TypeVar("T")

EIGHT = ["en", "de", "fr", "es", "it", "nl", "pl", "pt"]  # the languages whose words are understood
EUROPEAN = [*EIGHT, *["sv", "da", "nb", "fi", "cs", "sk", "hu", "ro", "tr"]]

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_NOTHING = frozenset(
    [
        "n a",
        "na",
        "none",
        "null",
        "nil",
        "nan",
        "unknown",
        "unbekannt",
        "not specified",
        "not available",
        "not applicable",
        "not provided",
        "tbd",
        "tba",
        "k a",
        "keine angabe",
        "keine angaben",
        "inconnu",
        "non renseigné",
        "non spécifié",
        "desconocido",
        "no especificado",
        "sconosciuto",
        "non specificato",
        "onbekend",
        "niet opgegeven",
        "nieznany",
        "brak",
        "desconhecido",
        "não informado",
        "undefined",
        "unspecified",
        "any",
        "other",
        "sonstige",
        "autre",
        "otro",
        "otros",
        "altro",
        "anders",
        "inne",
        "inny",
        "outro",
        "outros",
    ]
)

LONGEST_NOTHING = 60  # a longer text says something
_OF_EXPORTS = frozenset({"\\N", "#REF!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!", "#DIV/0!"})


def words(text: str) -> tuple[str, ...]:
    """`FullTime`, `FULL_TIME` and `full-time` are the same two words."""
    return tuple(_WORD.findall(_CAMEL.sub(" ", normalize("NFKC", text)).casefold()))


def says_nothing(text: str) -> bool:
    """`N/A`, `-`, `unbekannt`, `#REF!`, `\\N`: no value, and nothing to tell about."""
    return len(text) <= LONGEST_NOTHING and _says_nothing(text)


@lru_cache(16_384)
def _says_nothing(text: str) -> bool:
    found = words(text)
    return not found or " ".join(found) in _NOTHING or text.strip() in _OF_EXPORTS


def table(spelled: Mapping[T, str]) -> dict[tuple[str, ...], T]:
    """Phrases separated by `|`, to what they mean."""
    return {words(phrase): meaning for meaning, text in spelled.items() for phrase in text.split("|")}


def understood(
    text: str, phrases: Mapping[tuple[str, ...], T], fillers: Collection[str] = ()
) -> list[T] | None:
    """What the phrases of the text mean, in order and once each. None if any word belongs to no phrase, and
    for a text with a question mark or a comparison."""
    if re.search(r"[?<>≤≥]", text):
        return None
    left, found = words(text), []
    longest = max(map(len, phrases))
    while left:
        for length in range(min(longest, len(left)), 0, -1):
            if left[:length] in phrases:
                found.append(phrases[left[:length]])
                left = left[length:]
                break
        else:
            if left[0] not in fillers:
                return None
            left = left[1:]
    return list(dict.fromkeys(found))


def only(found: list[T] | None) -> T | None:
    """The one meaning; None for no meaning or several."""
    return found[0] if found and len(found) == 1 else None


@cache
def conjunctions() -> frozenset[str]:
    """`and` and `or`, in eight languages: for lists in which every member counts."""
    return frozenset(
        ["and", "or", "und", "oder", "et", "ou", "y", "o", "e", "i", "u", "en", "of", "lub", "oraz", "bzw"]
    )

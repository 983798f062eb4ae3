"""Which vacancies are duplicates: one job that was published under several ids, often by several agencies.

Duplicates have the same key, so the key alone says who they are, whatever came first. It is made of the title
(without gender markers and reference numbers), the place, and the text. Small changes of the text rarely
change the key: it has the six smallest of the text's hashed pieces of 16 letters, each by another order. Two
texts that share a part J of their pieces have the same six with probability J^6.

A vacancy with hardly any text could be any job of that title. So there the employer, the city or point, and
everything else that it says must be the same. Without employer, or without city and point, it has no key.
"""

import re
from hashlib import blake2b
from random import Random
from unicodedata import normalize

import numpy as np
import numpy.typing as npt

from rolecall.schemas.common import Location
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.city_names import cities_named
from rolecall.streams.matching.hard_rules import city_key

FEWEST_LETTERS = 300  # of a text that tells one job from another
SAID = {"employer", "skills", "workplace", "languages", "seniority", "employment_types", "salary"}

_GENDERS = re.compile(r"\b[mfwdhxi](\s*[/|*,]\s*[mfwdhxi])+\b|\b(all|alle) (genders?|geschlechter)\b")
_REFERENCE = re.compile(r"(\b(ref|reference|req|job|id|nr|no|number)\b\W*)*\b[\w-]*\d{5,}[\w-]*")
_TITLE_WORD = re.compile(r"[\w+#]+")  # C++ and C# are not C
_DASHES_AND_QUOTES = "–—‘’“”„•·…"  # each is three bytes in UTF-8
_LETTERS = np.array([byte if byte >= 128 or chr(byte).isalpha() else 0 for byte in range(256)], np.uint8)
_chance = Random(1)
_STEPS = {width: np.uint64(_chance.getrandbits(64) | 1) for width in (1, 2, 4, 8)}
_ORDERS = np.array([[_chance.getrandbits(64) | 1] for _ in range(6)], np.uint64)

Letters = npt.NDArray[np.uint8]


def duplicate_key(vacancy: Vacancy) -> str | None:
    """None: nothing is known to be a duplicate of it."""
    where, letters = vacancy.location, _letters(vacancy.description)
    if len(letters) >= FEWEST_LETTERS:
        said = _sketch(letters)
    elif vacancy.employer is not None and where is not None and (where.city or where.point):
        said = f"{letters.tobytes().decode()} {vacancy.model_dump_json(include=SAID)}"
    else:
        return None
    title = _REFERENCE.sub(" ", _GENDERS.sub(" ", _folded(vacancy.title)))
    key = f"{_TITLE_WORD.findall(title)}\n{_place(where)}\n{said}"
    return blake2b(key.encode(), digest_size=8).hexdigest()


def _folded(text: str) -> str:
    return normalize("NFKC", text).casefold()


def _place(location: Location | None) -> str:
    """`München` and `Munich` are one. Coordinates count without a city only, to some 10 km."""
    if location is None:
        return ""
    if location.city:
        key = city_key(location.city)
        return f"{location.country} {sorted(cities_named(key, location.country)) or key}"
    return f"{location.country} {[round(each, 1) for each in location.point or ()]}"


def _letters(text: str) -> Letters:
    """(letters,): in UTF-8, without spaces, digits and punctuation."""
    text = _folded(text)
    for each in _DASHES_AND_QUOTES:
        text = text.replace(each, " ")
    found = _LETTERS[np.frombuffer(text.encode(), np.uint8)]
    return found[found > 0]


def _sketch(letters: Letters) -> str:
    hashes = letters.astype(np.uint64)
    for width, step in _STEPS.items():
        hashes = hashes[:-width] * step + hashes[width:]  # of twice as many letters
    return str((hashes * _ORDERS).min(axis=1).tolist())  # (orders, pieces) -> (orders,)

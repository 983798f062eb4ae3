"""Fields of text -> token ids: WordPiece over whole words, with every word's pieces remembered.

Real text repeats its words, so a dictionary look-up replaces the search for pieces almost always; that makes
reading several times faster than a general tokenizer. Punctuation is dropped: a bag has no use for it.
A word that has a character without a piece is dropped too. It has no token of its own: two texts that cannot
be read must not have anything in common.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from rolecall.encoder.document import FIELDS, Document, Field

# Letters and digits; "c++", "c#" and "non-clinical" are words of their own.
WORD = re.compile(r"(?:non-)?[^\W_]+[+#]*")
# What a title or a skill says that the work is not: "taxi driver, no trucks".
DENIED = re.compile(
    r"(?:^|[,;:|/(\u2013\u2014]|\s-\s)\s*(?:no|not|without|kein\w*|nicht|ohne|sans|sin|senza|geen|zonder|bez|ikke|inte"
    r"|uden|utan)\s[^,;:|/)\u2013\u2014]*",
    re.IGNORECASE,
)
MAX_WORD_CHARS = 100
MAX_REMEMBERED_WORDS = 200_000
# Cut before anything else looks at the text: a description of 100,000 words costs what one of 500 costs.
# Letters that Unicode does not take apart into a base letter and a mark.
LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"}
)
MAX_CHARS: dict[Field, int] = {"title": 300, "skills": 2_000, "text": 3_000}


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids of many documents. Bag `d * len(FIELDS) + f` is field f of document d."""

    ids: torch.Tensor  # (tokens,) int64
    offsets: torch.Tensor  # (documents * fields,) int64, where each bag starts

    @property
    def documents(self) -> int:
        return len(self.offsets) // len(FIELDS)

    def counts(self) -> torch.Tensor:
        """Tokens of each field. (documents, fields)"""
        ends = torch.cat([self.offsets[1:], torch.tensor([len(self.ids)], device=self.offsets.device)])
        return (ends - self.offsets).view(-1, len(FIELDS))

    def part(self, start: int, stop: int) -> "Tokens":
        """Documents from start to stop, at least one."""
        offsets = self.offsets[start * len(FIELDS) : stop * len(FIELDS)]
        after = self.offsets[stop * len(FIELDS) :]
        first = int(offsets[0])
        last = int(after[0]) if len(after) else len(self.ids)
        return Tokens(self.ids[first:last], offsets - first)

    @classmethod
    def joined(cls, parts: Sequence["Tokens"]) -> "Tokens":
        """The documents of all parts, one after another."""
        starts = np.cumsum([0, *(len(part.ids) for part in parts[:-1])])
        return cls(
            torch.cat([part.ids for part in parts]),
            torch.cat([part.offsets + int(start) for part, start in zip(parts, starts, strict=True)]),
        )

    def to(self, device: torch.device) -> "Tokens":
        return Tokens(self.ids.to(device), self.offsets.to(device))


class Vocabulary:
    """Token names by id. `##x` continues a word, as in BERT's WordPiece."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        self._pieces = _Pieces(self.ids)

    def __len__(self) -> int:
        return len(self.tokens)

    def read(self, text: str) -> list[int]:
        return list(self._read(text))

    def _read(self, text: str) -> Iterator[int]:
        return chain.from_iterable(map(self._pieces.__getitem__, WORD.findall(plain(text))))

    def tokens_of(self, documents: Sequence[Document]) -> Tokens:
        ids: list[int] = []
        offsets: list[int] = []
        for document in documents:
            for field in FIELDS:
                offsets.append(len(ids))
                if text := _field_text(document, field):
                    ids.extend(self._read(text))
        return Tokens(
            torch.from_numpy(np.array(ids, np.int64)), torch.from_numpy(np.array(offsets, np.int64))
        )


def plain(text: str) -> str:
    """Lower case without accents and ligatures: `Schweißer` is `schweisser`.

    Invisible characters (category Cf, for instance soft hyphens) are removed, because texts that differ
    only in these look the same.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold().translate(LETTERS)
    decomposed = unicodedata.normalize("NFD", folded)
    return "".join(char for char in decomposed if unicodedata.category(char) not in {"Mn", "Mc", "Me", "Cf"})


def _field_text(document: Document, field: Field) -> str:
    limit = MAX_CHARS[field]
    if field == "text":
        return document.text[:limit]
    if field == "title":
        return DENIED.sub(" ", document.title[:limit])
    if not document.skills:
        return ""
    return " ".join(DENIED.sub(" ", skill) for skill in _within(document.skills, limit))[:limit]


def _within(parts: Iterable[str], limit: int) -> Iterator[str]:
    """The parts that begin within the first `limit` characters."""
    room = limit
    for part in parts:
        if room <= 0:
            return
        yield part[:room]
        room -= len(part) + 1


class _Pieces(dict[str, tuple[int, ...]]):
    """Word -> ids of its pieces; finds and remembers those it has not seen."""

    def __init__(self, ids: dict[str, int]) -> None:
        super().__init__()
        self._ids = ids

    def __missing__(self, word: str) -> tuple[int, ...]:
        pieces = tuple(_split(word, self._ids))
        if len(self) < MAX_REMEMBERED_WORDS:
            self[word] = pieces
        return pieces


def _split(word: str, ids: dict[str, int]) -> list[int]:
    """Greedy longest match first (Wu et al. 2016, "Google's Neural Machine Translation System").

    Empty when a character has no piece.
    """
    word = word[:MAX_WORD_CHARS].replace("-", "")
    pieces: list[int] = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            if (piece := ids.get(prefix + word[start:end])) is not None:
                pieces.append(piece)
                start = end
                break
        else:
            return []
    return pieces

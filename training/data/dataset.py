"""Occupations -> token arrays, from which batches are cut."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rolecall.encoder.tokens import Tokens, Vocabulary
from rolecall.training.data import noise
from rolecall.training.data.ontology import Occupation, ancestors, key

Ints = NDArray[np.int64]
LEVELS = 4  # of groups above an occupation


class TextStore:
    """Token ids of many texts, one after another; texts are named by their number."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._numbers: dict[str, int] = {}
        self._lengths: list[int] = []
        self._parts: list[int] = []
        self._ids: Ints = np.empty(0, np.int64)
        self._ends: Ints = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def texts(self) -> list[str]:
        """By number."""
        return list(self._numbers)

    def add(self, text: str) -> int:
        number = self._numbers.setdefault(text, len(self._numbers))
        if number == len(self._lengths):
            ids = self._vocabulary.read(text)
            self._parts += ids
            self._lengths.append(len(ids))
        return number

    def add_all(self, texts: Sequence[str]) -> Ints:
        return np.array([self.add(text) for text in texts], np.int64)

    def frequencies(self) -> NDArray[np.float64]:
        """Share of each token in all texts. (vocabulary,)"""
        return np.bincount(self._parts, minlength=len(self._vocabulary)) / max(1, len(self._parts))

    def tokens(self, texts: Ints, bags: Ints, keep: float, rng: np.random.Generator) -> Tokens:
        """Bag k holds the next bags[k] of `texts`. Every token stays with probability `keep`."""
        if len(self._ends) < len(self):
            self._ids, self._ends = np.array(self._parts, np.int64), np.cumsum(self._lengths)
        ends = self._ends[texts]
        lengths = ends - np.where(texts > 0, self._ends[texts - 1], 0)
        stops = np.cumsum(lengths)
        ids = self._ids[np.repeat(ends - stops, lengths) + np.arange(lengths.sum())]
        bag_of_token = np.repeat(np.repeat(np.arange(len(bags)), bags), lengths)
        if keep < 1:
            kept = rng.random(len(ids)) < keep
            # A bag that would lose all tokens keeps all of them.
            kept |= np.bincount(bag_of_token[kept], minlength=len(bags))[bag_of_token] == 0
            ids, bag_of_token = ids[kept], bag_of_token[kept]
        counts = np.bincount(bag_of_token, minlength=len(bags))
        return Tokens(torch.from_numpy(ids), torch.from_numpy(np.cumsum(counts) - counts))


@dataclass(frozen=True, slots=True)
class Views:
    """Numbers of an occupation's texts in a TextStore."""

    titles: Ints  # in all languages; English first, and there the preferred one first
    languages: Ints  # (titles,) numbers of languages; 0: English
    variants: Ints  # (titles,) each title as someone else would write it
    keys: Ints  # (titles,) equal for titles that are nearly the same string
    texts: Ints
    tasks: Ints
    skills: Ints


@dataclass(frozen=True, slots=True)
class Dataset:
    store: TextStore
    views: tuple[Views, ...]
    sources: Ints  # (views,) 0: occupations as they are judged; 1, 2, ...: each source of what stands aside
    ancestors: Ints  # (occupations, 4) numbers of the groups it is in, widest first; -1 - occupation for none
    skills: NDArray[np.bool_]  # (views,) whether titles are names of a skill, which stand among skills too
    surroundings: Ints  # texts to stand beside a title
    boilerplate: Ints  # texts to stand beside a text
    torn: Ints  # what a résumé parser leaves among skills
    garbage: Ints  # texts that mean nothing
    vacancies: Ints  # titles without a known occupation
    readable: int  # titles of occupations and vacancies are the first so many texts: what a teacher reads


def build(
    occupations: Sequence[Occupation],
    vocabulary: Vocabulary,
    *,
    seed: int,
    aside: Sequence[Occupation] = (),
    unlabelled: Sequence[str] = (),
) -> Dataset:
    rng = random.Random(seed)
    groups = [*occupations, *aside]
    others = sorted({o.source for o in aside})
    store = TextStore(vocabulary)
    store.add_all([title for o in occupations for title in o.titles])
    vacancies, readable = store.add_all(unlabelled), len(store)
    codes = sorted({code for o in groups for code, _ in o.translations})
    numbers = {code: number for number, code in enumerate(codes, 1)}
    keys: dict[str, int] = {}
    views = tuple(
        Views(
            titles=store.add_all(o.names),
            languages=np.array(
                [0] * len(o.titles) + [numbers[code] for code, each in o.translations for _ in each], np.int64
            ),
            variants=store.add_all(
                [noise.variant(title, rng) for title in o.titles]
                + [noise.slip(title, rng) for title in o.names[len(o.titles) :]]
            ),
            keys=np.array([keys.setdefault(key(title), len(keys)) for title in o.names], np.int64),
            texts=store.add_all(o.texts),
            tasks=store.add_all(o.tasks),
            skills=store.add_all(o.skills),
        )
        for o in groups
    )
    words = sorted(
        {word for o in occupations for text in (*o.texts, *o.tasks, *o.titles) for word in text.split()}
    )
    foreign = [_words_of(groups, code) for code in codes]
    return Dataset(
        store=store,
        views=views,
        sources=np.array([0] * len(occupations) + [1 + others.index(o.source) for o in aside], np.int64),
        ancestors=_ancestors(groups),
        skills=np.array([o.source == "skill" for o in groups], np.bool_),
        surroundings=store.add_all([noise.surroundings(rng) for _ in range(4_000)]),
        boilerplate=store.add_all(noise.BOILERPLATE),
        torn=store.add_all([noise.torn(rng, words) for _ in range(4_000)]),
        garbage=store.add_all(
            [noise.garbage(rng, rng.choice([words, words, *foreign])) for _ in range(60_000)]
        ),
        vacancies=vacancies,
        readable=readable,
    )


def _words_of(occupations: Sequence[Occupation], language: str) -> list[str]:
    """The words of all titles in this language, each once."""
    translated = (some for o in occupations for code, some in o.translations if code == language)
    return sorted({word for titles in translated for title in titles for word in title.split()})


def _ancestors(occupations: Sequence[Occupation]) -> Ints:
    numbers: dict[str, int] = {}
    table = np.repeat(-1 - np.arange(len(occupations))[:, None], LEVELS, axis=1)
    for row, occupation in zip(table, occupations, strict=True):
        groups = ancestors(occupation)
        row[: len(groups)] = [numbers.setdefault(group, len(numbers)) for group in groups]
    return table

"""Validation figures that decide when a run stops: retrieval, fast enough for every epoch."""

import random
from collections.abc import Sequence

import numpy as np
import torch

from rolecall.encoder.document import Document
from rolecall.encoder.model import Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.training.data import noise
from rolecall.training.data.ontology import Split
from rolecall.training.data.sources import SourceError
from rolecall.training.fit import loop
from rolecall.training.judge import metrics, presence
from rolecall.training.judge.evaluate import Floats

DISTRACTORS = 20_000
MOST_QUERIES = 1_500
ROWS = 1024


class Validation:
    """Titles look for titles of their occupation, titles as recruiters write them for the preferred one.

    So do titles in other languages. Vacancies look for candidates, with `documents`, whatever either leaves
    out. Raises SourceError when there is nothing to look for.
    """

    def __init__(
        self, split: Split, vocabulary: Vocabulary, *, documents: bool = True, seed: int = 7
    ) -> None:
        rng = random.Random(seed)
        self._vocabulary = vocabulary
        pairs = [(title, number) for number, o in enumerate(split.validation) for title in o.titles]
        others = [title for o in split.train for title in o.titles]
        others = rng.sample(others, min(len(others), DISTRACTORS))
        self._titles = [title for title, _ in pairs] + others
        self._owners = np.array([number for _, number in pairs] + [-1] * len(others))
        several = [n for n, (_, o) in enumerate(pairs) if len(split.validation[o].titles) > 1]
        if not several:
            raise SourceError(
                f"none of the {len(split.validation)} occupations held out for validation has two titles; it "
                f"takes some hundred occupations to have one, and here are {len(split.train)} others"
            )
        self._queries = np.array(sorted(rng.sample(several, min(len(several), MOST_QUERIES))), np.int64)
        self._preferred = [o.titles[0] if o.titles else "" for o in [*split.validation, *split.train]]
        written = [
            (_written(title, rng), n) for n, o in enumerate(split.validation) for title in o.titles[1:6]
        ]
        self._written = [text for text, _ in written]
        self._meant = np.array([number for _, number in written], np.int64)
        self._market = presence.market(split.validation, split.train)
        self._documents = documents and len(self._market.vacancies) > 0
        names = [
            (title, n) for n, o in enumerate(split.validation) for _, each in o.translations for title in each
        ]
        self._foreign = rng.sample(names, min(len(names), MOST_QUERIES))

    def __call__(self, network: Network) -> dict[str, float]:
        rows = self._encode(network, self._titles)
        scores = rows[self._queries] @ rows.T
        relevant = self._owners[self._queries][:, None] == self._owners
        here = np.arange(len(self._queries))
        scores[here, self._queries], relevant[here, self._queries] = -np.inf, False
        recall = float(metrics.recall_at(scores, relevant, 10).mean())
        preferred_rows = self._encode(network, self._preferred)
        scores = self._encode(network, self._written) @ preferred_rows.T
        relevant = np.arange(len(self._preferred)) == self._meant[:, None]
        preferred = metrics.mean_reciprocal_rank(metrics.first_ranks(scores, relevant))
        figures = {"recall10": recall, "preferred_mrr": preferred}
        if self._documents:
            cells = presence.recalls(
                lambda documents: encode(network, self._vocabulary, documents), self._market
            )
            figures["presence10"] = float(np.mean(list(cells.values())))
        if self._foreign:
            names, meant = zip(*self._foreign, strict=True)
            scores = self._encode(network, names) @ preferred_rows.T
            relevant = np.arange(len(self._preferred)) == np.array(meant)[:, None]
            figures["foreign_mrr"] = metrics.mean_reciprocal_rank(metrics.first_ranks(scores, relevant))
        return {"score": float(np.mean(list(figures.values())))} | figures

    def _encode(self, network: Network, titles: Sequence[str]) -> Floats:
        return encode(network, self._vocabulary, [Document(title) for title in titles])


@torch.inference_mode()
def encode(network: Network, vocabulary: Vocabulary, documents: Sequence[Document]) -> Floats:
    """(documents, dims)"""
    parts = [
        loop.embed(network, vocabulary.tokens_of(documents[start : start + ROWS]))
        for start in range(0, len(documents), ROWS)
    ]
    rows: Floats = torch.cat(parts).cpu().numpy()
    return rows


def _written(title: str, rng: random.Random) -> str:
    """As a recruiter might: sometimes abbreviated or mistyped, often with a place or a term."""
    title = noise.variant(title, rng) if rng.random() < 0.4 else title
    beside = noise.surroundings(rng) if rng.random() < 0.6 else ""
    return f"{title} {beside}" if rng.random() < 0.6 else f"{beside} {title}"

"""Published benchmarks, read from disk and ranked as their papers do: the whole corpus for every query."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.document import Document
from rolecall.training.judge import metrics
from rolecall.training.judge.evaluate import System, dense_scores

csv.field_size_limit(1 << 24)
ROWS = 512


@dataclass(frozen=True, slots=True)
class Ranking:
    """Queries, the labels they are to find, and the concept of each label."""

    queries: list[Document]
    wanted: list[set[int]]  # concepts that are right for a query
    labels: list[Document]
    concepts: NDArray[np.int64]  # of the labels, ascending


def melo(folder: Path) -> Ranking:
    """MELO (Retyk et al. 2024): occupation titles of one taxonomy, labels of another.

    A label counts as right by itself: its number is its concept.
    """
    queries = dict(_table(folder / "queries.tsv"))
    labels = dict(_table(folder / "corpus_elements.tsv"))
    place = {name: number for number, name in enumerate(labels)}
    wanted: dict[str, set[int]] = {name: set() for name in queries}
    for query, _, label, _ in _table(folder / "annotations.tsv"):
        wanted[query].add(place[label])
    return Ranking(
        [Document(query) for query in queries.values()],
        list(wanted.values()),
        [Document(label) for label in labels.values()],
        np.arange(len(labels)),
    )


def jobbert(titles: Path, esco: Path, *, preferred_only: bool) -> Ranking:
    """JobBERT (Decorte et al. 2021): vacancy titles, occupations of ESCO v1.0."""
    with esco.open(encoding="utf-8", newline="") as lines:
        occupations = list(csv.DictReader(lines))
    number = {row["conceptUri"]: n for n, row in enumerate(occupations)}
    pairs = [
        (label, n)
        for n, row in enumerate(occupations)
        for label in [row["preferredLabel"], *([] if preferred_only else row["altLabels"].split("\n"))]
        if label
    ]
    with titles.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return Ranking(
        [Document(row["vacancyTitle"]) for row in rows],
        [{number[row["conceptUri"]]} for row in rows],
        [Document(label) for label, _ in pairs],
        np.array([n for _, n in pairs]),
    )


def ranks(system: System, ranking: Ranking) -> NDArray[np.int64]:
    """Rank of the first right concept for every query; a concept scores what its best label scores."""
    rows = system([*ranking.queries, *ranking.labels])
    queries, labels = rows[: len(ranking.queries)], rows[len(ranking.queries) :]
    starts = np.flatnonzero(np.diff(ranking.concepts, prepend=-1))
    found = []
    for start in range(0, len(ranking.queries), ROWS):
        scores = dense_scores(queries[start : start + ROWS], labels)
        scores = np.maximum.reduceat(scores, starts, axis=1)  # (queries, concepts)
        relevant = np.zeros(scores.shape, bool)
        for row, wanted in enumerate(ranking.wanted[start : start + ROWS]):
            relevant[row, list(wanted)] = True
        found.append(metrics.first_ranks(scores, relevant))
    return np.concatenate(found)


def reciprocal_rank(system: System, ranking: Ranking) -> float:
    """The mean over the queries."""
    return metrics.mean_reciprocal_rank(ranks(system, ranking))


def _table(file: Path) -> Sequence[list[str]]:
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]

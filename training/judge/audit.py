"""Differences in matches and confidence between groups of people, and between gendered titles. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Match

Floats = NDArray[np.float64]
Interval = tuple[float, float]
Z = 1.959964  # standard deviations of a 95 % interval
SAMPLES = 2_000
NEAREST = 10


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    people: int
    matched: int  # people with at least one match
    rate: float
    rate_interval: Interval
    ratio: float | None  # this group's rate divided by the highest rate of a group
    confidence: float | None  # mean over matched people of their mean confidence
    confidence_interval: Interval | None


@dataclass(frozen=True, slots=True)
class TitlePair:
    one: str
    other: str
    similarity: float
    confidence: float  # confidence that the two name one job
    mean_difference: float  # mean absolute difference of the two similarities to an occupation
    largest_difference: float  # similarity of `one` minus that of `other`
    where: str  # the occupation with the largest difference
    same_nearest: int  # how many of the ten nearest occupations both share


@dataclass(frozen=True, slots=True)
class Titles:
    pairs: tuple[TitlePair, ...]
    similarity: float
    similarity_interval: Interval
    mean_difference: float
    mean_difference_interval: Interval


def by_group(matches: Iterable[Match], group_of: Mapping[str, str]) -> list[Group]:
    """Groups sorted by size. group_of: candidate or vacancy id -> group. People without a match count too."""
    confidences: dict[str, dict[str, float]] = {}
    for match in matches:
        for id in (match.vacancy_id, match.candidate_id):
            if id in group_of:
                confidences.setdefault(id, {})[f"{match.vacancy_id}\n{match.candidate_id}"] = match.confidence
    members: dict[str, list[str]] = {}
    for id, name in group_of.items():
        members.setdefault(name, []).append(id)
    counts = {name: sum(id in confidences for id in ids) for name, ids in members.items()}
    highest = max((counts[name] / len(ids) for name, ids in members.items()), default=0.0)
    return [
        _group(name, ids, confidences, highest)
        for name, ids in sorted(members.items(), key=lambda each: (-len(each[1]), each[0]))
    ]


def _group(
    name: str, ids: list[str], confidences: Mapping[str, Mapping[str, float]], highest: float
) -> Group:
    means = np.array([np.mean(list(confidences[id].values())) for id in ids if id in confidences])
    rate = len(means) / len(ids)
    return Group(
        name=name,
        people=len(ids),
        matched=len(means),
        rate=rate,
        rate_interval=wilson(len(means), len(ids)),
        ratio=rate / highest if highest else None,
        confidence=float(means.mean()) if len(means) else None,
        confidence_interval=bootstrap(means) if len(means) else None,
    )


def title_pairs(encoder: Encoder, pairs: Sequence[tuple[str, str]], occupations: Sequence[str]) -> Titles:
    """Similarity of each pair, and how much the similarities of its two titles to all occupations differ."""
    one, other = (encoder.encode([Document(pair[side]) for pair in pairs]) for side in (0, 1))
    references = encoder.encode([Document(title) for title in occupations]).vectors
    similar = (one.vectors * other.vectors).sum(1)
    confidence = encoder.confidence(similar.clip(0, 1), one.certainty, other.certainty)
    to_one, to_other = one.vectors @ references.T, other.vectors @ references.T  # (pairs, occupations)
    apart = to_one - to_other
    found = []
    for number, (left, right) in enumerate(pairs):
        at = int(np.abs(apart[number]).argmax())
        nearest = (set(np.argsort(-side[number], kind="stable")[:NEAREST]) for side in (to_one, to_other))
        found.append(
            TitlePair(
                left,
                right,
                similarity=float(similar[number]),
                confidence=float(confidence[number]),
                mean_difference=float(np.abs(apart[number]).mean()),
                largest_difference=float(apart[number, at]),
                where=occupations[at],
                same_nearest=len(set.intersection(*nearest)),
            )
        )
    similarities = np.array([pair.similarity for pair in found])
    differences = np.array([pair.mean_difference for pair in found])
    return Titles(
        tuple(found),
        float(similarities.mean()),
        bootstrap(similarities),
        float(differences.mean()),
        bootstrap(differences),
    )


def wilson(successes: int, trials: int) -> Interval:
    """95 % interval of a share (Wilson 1927). It holds for few people and for shares near 0 and 1."""
    share, square = successes / trials, Z * Z / trials
    middle = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * np.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def bootstrap(values: Floats, seed: int = 0) -> Interval:
    """95 % interval of the mean."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(SAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)

"""What a model makes of what it cannot read, in 21 languages: random pairs that it matches, and garbage."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.wild import splits
from bench.wild.splits import Labels
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.data.ontology import Occupation
from rolecall.training.judge import evaluate, metrics
from rolecall.training.judge.evaluate import Encode

PAIRS = 5_000  # of a language
ALIKE = 0.2  # confidence from which two different jobs count as confused
GARBAGE = 400  # texts of each kind and language
BOILERPLATE = Path(__file__).parent / "boilerplate.tsv"


def confused_share(
    encoder: Encoder, labels: Labels, groups: Mapping[str, str], part: str, *, seed: int = 0
) -> float:
    """Share of random label pairs of different ISCO minor groups that reach a confidence of .2.

    groups: concept id -> minor group. Strings that both groups have are no pair.
    """
    rng = random.Random(seed)
    texts = [
        (label, groups[concept])
        for concept, found in sorted(labels.items())
        if splits.part_of(concept) == part and concept in groups
        for label in found
    ]
    owners: dict[str, set[str]] = {}
    for label, group in texts:
        owners.setdefault(label.casefold(), set()).add(group)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < PAIRS:
        a, b = rng.choice(texts)[0], rng.choice(texts)[0]
        if not owners[a.casefold()] & owners[b.casefold()]:
            pairs.append((a, b))
    return float((confidences(encoder, pairs) >= ALIKE).mean())


def confidences(encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> evaluate.Floats:
    """Of pairs of titles. (pairs,)"""
    a, b = (encoder.encode([Document(pair[side]) for pair in pairs]) for side in (0, 1))
    score: evaluate.Floats = (a.vectors * b.vectors).sum(1)
    return encoder.confidence(score, a.certainty, b.certainty)


def garbage_auroc(
    encode: Encode, labels: Labels, language: str, part: str, *, seed: int = 0
) -> dict[str, float]:
    """How surely certainty tells held-out labels of a language from each kind of garbage, and their mean."""
    judged = [
        Occupation(concept, "", found)
        for concept, found in sorted(labels.items())
        if splits.part_of(concept) == part
    ]
    real = encode(evaluate.titles_of(judged).documents).certainty
    areas: dict[str, float] = {}
    for kind, documents in garbage(judged, language, seed=seed).items():
        junk = encode(documents).certainty
        scores = np.concatenate([real, junk])
        areas[kind] = metrics.area_under_roc(scores, np.arange(len(scores)) < len(real))
    return areas | {"mean": float(np.mean(list(areas.values())))}


def garbage(judged: Sequence[Occupation], language: str, *, seed: int = 0) -> dict[str, list[Document]]:
    """As for English, but random words come from three to five different titles: there are no tasks."""
    rng = random.Random(seed)
    titles = [title for o in judged for title in o.titles]
    words = [
        " ".join(rng.choice(title.split()) for title in rng.sample(titles, rng.randrange(3, 6)))
        for _ in range(GARBAGE)
    ]
    sentences = boilerplate()[language]
    return evaluate.garbage_of(judged, count=GARBAGE, seed=seed) | {
        "random words": [Document(text) for text in words],
        "boilerplate": [Document(text) for text in sentences for _ in range(GARBAGE // len(sentences))],
    }


def boilerplate() -> dict[str, list[str]]:
    """Language -> sentences of job boards and websites. Ours; a model must not have seen them."""
    found: dict[str, list[str]] = {}
    for line in BOILERPLATE.read_text(encoding="utf-8").splitlines():
        language, _, sentence = line.partition("\t")
        found.setdefault(language, []).append(sentence)
    return found

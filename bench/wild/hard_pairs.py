"""Pairs of texts that look alike and are different jobs, or look different and are one job.

`tests/encoder/hard_pairs.tsv`: text_a, text_b, expected ("match" or "differ"), kind. Skills follow " | ".
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.judge.evaluate import levels

FILE = Path(__file__).parents[2] / "tests" / "encoder" / "hard_pairs.tsv"
MATCH_FROM = 0.5  # least confidence of a pair that must match
DIFFER_TO = 0.2  # most confidence of a pair that must not


@dataclass(frozen=True, slots=True)
class HardPair:
    a: Document
    b: Document
    match: bool
    kind: str


def read(file: Path = FILE) -> list[HardPair]:
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            HardPair(
                _document(row["text_a"]), _document(row["text_b"]), row["expected"] == "match", row["kind"]
            )
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def right(encoder: Encoder, pairs: Sequence[HardPair]) -> NDArray[np.bool_]:
    """Which pairs are on their side with the margin: .5 or more for a match, .2 or less without. (pairs,)"""
    confidence = confidences(encoder, pairs)
    must = np.array([pair.match for pair in pairs])
    found: NDArray[np.bool_] = np.where(must, confidence >= MATCH_FROM, confidence <= DIFFER_TO)
    return found


def confidences(encoder: Encoder, pairs: Sequence[HardPair]) -> NDArray[np.float32]:
    """(pairs,)"""
    a, b = encoder.encode([pair.a for pair in pairs]), encoder.encode([pair.b for pair in pairs])
    score: NDArray[np.float32] = (a.vectors * b.vectors).sum(1)
    told_a, told_b = (levels([getattr(pair, side) for pair in pairs]) for side in "ab")
    return encoder.confidence(score, a.certainty, b.certainty, told_a, told_b)


def _document(text: str) -> Document:
    title, _, skills = text.partition(" | ")
    return Document(title.strip(), tuple(skill.strip() for skill in skills.split(",") if skill.strip()))

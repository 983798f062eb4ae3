"""Texts that look alike and are different jobs, or look different and are one job."""

import pytest

from bench.wild import hard_pairs
from bench.wild.hard_pairs import HardPair
from rolecall import Document, Encoder

LEAST_SHARE = 0.9  # of the pairs that are on their side with the margin


@pytest.fixture(scope="module")
def pairs() -> list[HardPair]:
    return hard_pairs.read()


@pytest.mark.xfail(reason="the bundled model has 64 % of them right: docs/encoder-quality.md", strict=True)
def test_nine_of_ten_hard_pairs_are_on_their_side_with_a_margin(pairs: list[HardPair]) -> None:
    right = hard_pairs.right(Encoder.load(device="cpu"), pairs)
    wrong: dict[str, int] = {}
    for pair, good in zip(pairs, right, strict=True):
        wrong[pair.kind] = wrong.get(pair.kind, 0) + (not good)
    assert right.mean() >= LEAST_SHARE, f"wrong pairs by kind: {wrong}"


def test_half_of_the_200_pairs_must_match(pairs: list[HardPair]) -> None:
    assert len({(pair.a, pair.b) for pair in pairs}) == 200
    assert sum(pair.match for pair in pairs) == 100


def test_skills_follow_a_bar(pairs: list[HardPair]) -> None:
    told = next(pair for pair in pairs if pair.a == Document("ML Engineer"))
    assert told.b == Document("ML Engineer", ("Python", "PyTorch"))

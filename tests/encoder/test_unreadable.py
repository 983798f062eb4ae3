"""What cannot be read matches nothing, and how a word is encoded in Unicode does not matter."""

import csv
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from bench.wild.splits import LANGUAGES
from rolecall import Document, Encoder

FILE = Path(__file__).with_name("titles_by_language.tsv")  # fifteen different jobs in each language
CONFUSED = 0.2  # confidence from which two different jobs count as confused
MOST_CONFUSED = 0.01  # share of the pairs of a language
WITHOUT_WORDS = ["", "★★★", "●●●", "–––", "🙂🙂", "\u00ad\u200b"]
FEW_OR_NO_KNOWN_WORDS = [
    ("看護師", "トラック運転手"),
    ("护士", "卡车司机"),
    ("간호사", "트럭 운전사"),
    ("ექთანი", "შემდუღებელი"),
    ("พยาบาล", "ช่างเชื่อม"),
    ("ممرضة", "لحام"),
]
SAME_WORDS = [
    ("soft\u00adware develop\u00ader", "software developer"),  # soft hyphens
    ("soft\u200bware developer", "software developer"),  # a zero-width space
    ("\ufeffnurse", "nurse"),  # a byte order mark
    ("truck\u00a0driver", "truck driver"),  # a no-break space
    ("Ｎｕｒｓｅ", "Nurse"),  # full-width letters
    ("infirmie\u0300re", "infirmi\u00e8re"),  # an accent apart
    ("Schweißer", "SCHWEISSER"),
    ("ofﬁce clerk", "office clerk"),  # a ligature
    ("Kørelærer", "kørelærer".upper()),
    ("ŁOWCA", "łowca"),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(device="cpu")


def confidences(
    encoder: Encoder, pairs: list[tuple[str, str]]
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    a, b = (encoder.encode([Document(pair[side]) for pair in pairs]) for side in (0, 1))
    return encoder.confidence((a.vectors * b.vectors).sum(1), a.certainty, b.certainty)


def titles_by_language() -> dict[str, list[str]]:
    with FILE.open(encoding="utf-8", newline="") as lines:
        return {language: titles for language, *titles in list(csv.reader(lines, delimiter="\t"))[1:]}


def test_every_language_of_the_bench_has_fifteen_jobs() -> None:
    assert {language: len(titles) for language, titles in titles_by_language().items()} == dict.fromkeys(
        LANGUAGES, 15
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_different_jobs_of_a_language_do_not_match(encoder: Encoder, language: str) -> None:
    pairs = list(combinations(titles_by_language()[language], 2))
    found = confidences(encoder, pairs)
    confused = [pair for pair, confidence in zip(pairs, found, strict=True) if confidence >= CONFUSED]
    assert len(confused) / len(pairs) <= MOST_CONFUSED, confused


@pytest.mark.parametrize("text", WITHOUT_WORDS)
def test_a_text_without_words_matches_nothing(encoder: Encoder, text: str) -> None:
    assert encoder.encode([Document(text)]).certainty[0] == 0
    others = [*WITHOUT_WORDS, "nurse", "software developer"]
    np.testing.assert_array_equal(confidences(encoder, [(text, other) for other in others]), 0)


@pytest.mark.parametrize("pair", FEW_OR_NO_KNOWN_WORDS)
def test_jobs_in_an_alphabet_that_was_not_learned_do_not_match(
    encoder: Encoder, pair: tuple[str, str]
) -> None:
    assert confidences(encoder, [pair])[0] < CONFUSED


@pytest.mark.parametrize(("written", "plain"), SAME_WORDS)
def test_how_unicode_writes_a_word_does_not_matter(encoder: Encoder, written: str, plain: str) -> None:
    a, b = encoder.encode([Document(written), Document(plain)]).vectors
    np.testing.assert_array_equal(a, b)


def test_a_title_surely_matches_itself(encoder: Encoder) -> None:
    titles = titles_by_language()["en"]
    assert confidences(encoder, [(title, title) for title in titles]).min() >= 0.9


def test_confidence_rises_with_either_certainty(encoder: Encoder) -> None:
    certainties = np.linspace(0, 1, 21, dtype=np.float32)
    for score in np.linspace(0, 1, 11, dtype=np.float32):
        for other in certainties[::5]:
            rising = encoder.confidence(np.full(21, score), certainties, np.full(21, other))
            assert (np.diff(rising) >= 0).all(), (score, other)

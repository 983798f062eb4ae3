"""The pairs that confidence is calibrated on: what searches of every kind return on validation occupations.

Every cell of the presence table counts the same, so that a confidence means the same whatever a document
leaves out. Beside these stand titles alone in every language and across languages, the same title on both
sides with skills on one of them, and garbage, which matches nothing, not even itself.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.document import Document
from rolecall.training.data.ontology import Occupation, Split
from rolecall.training.judge import evaluate, presence
from rolecall.training.judge.evaluate import Corpus, Encode, Pairs

DRAWS = 3  # of titles, skills and tasks for the presence table
LEAST = 0.02  # share of titles that are less certain than what counts as read in full
# Weights of the kinds of pairs.
CELLS, ENGLISH, FOREIGN, ACROSS, SAME, ITSELF, GARBAGE = 9.0, 0.5, 0.5, 0.25, 0.8, 1.0, 0.5

Weighted = tuple[Pairs, float]


def pairs(encode: Encode, split: Split, garbage: Sequence[Document]) -> tuple[Pairs, NDArray[np.float64]]:
    """The pairs and how much each counts. (pairs,)"""
    kinds = [part for part in _kinds(encode, split, garbage) if len(part[0].match)]
    weights = [np.full(len(part.match), weight / len(part.match)) for part, weight in kinds]
    return joined([part for part, _ in kinds]), np.concatenate(weights)


def least_certainty(encode: Encode, split: Split) -> float:
    """Of nearly all titles in all languages."""
    titles = [Document(name) for o in split.validation for name in o.names]
    return float(np.quantile(encode(titles).certainty, LEAST))


def joined(parts: Sequence[Pairs]) -> Pairs:
    names = ("score", "certainty_a", "certainty_b", "match")
    return Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _kinds(encode: Encode, split: Split, garbage: Sequence[Document]) -> Iterator[Weighted]:
    judged, others = split.validation, [*split.train, *split.test]
    markets = [presence.market(judged, others, seed=draw) for draw in range(DRAWS)]
    for cell in product(presence.TELLS, presence.TELLS):
        if len(markets[0].vacancies):
            yield presence.pairs_of(encode, markets, cell), CELLS / 9
    yield presence.same_titles(encode, judged), SAME
    sources = sorted({o.source for o in judged})
    for source in sources:
        mine, rest = ([o for o in each if o.source == source] for each in (judged, others))
        corpus = evaluate.titles_of([*mine, *rest])
        yield evaluate.retrieved_pairs(encode, evaluate.titles_of(mine), corpus), ENGLISH / len(sources)
        nothing = Corpus(list(garbage), np.full(len(garbage), -1, np.int64))
        yield evaluate.retrieved_pairs(encode, nothing, corpus), GARBAGE / len(sources) / 2
    yield _with_itself(encode, garbage, match=False), GARBAGE / 2
    names = [Document(name) for o in judged for name in o.names]
    yield _with_itself(encode, names, match=True), ITSELF
    yield from _languages(encode, judged, others)


def _with_itself(encode: Encode, documents: Sequence[Document], *, match: bool) -> Pairs:
    certainty = encode(documents).certainty
    return Pairs(np.ones_like(certainty), certainty, certainty, np.full(len(certainty), match))


def _languages(
    encode: Encode, judged: Sequence[Occupation], others: Sequence[Occupation]
) -> Iterator[Weighted]:
    codes = sorted({code for o in judged for code, _ in o.translations})
    known = [o for o in [*judged, *others] if o.translations]
    english = _named(known, lambda o: o.titles[:1])
    for code in codes:
        corpus = _named(known, partial(_in_language, code))
        mine = corpus.occupations < sum(1 for o in judged if o.translations)
        queries = Corpus(
            [d for d, here in zip(corpus.documents, mine, strict=True) if here], corpus.occupations[mine]
        )
        if len(queries) and len(corpus) > evaluate.TOP:
            yield evaluate.retrieved_pairs(encode, queries, corpus), FOREIGN / len(codes)
            yield evaluate.retrieved_pairs(encode, queries, english), ACROSS / len(codes)


def _in_language(code: str, occupation: Occupation) -> Sequence[str]:
    return dict(occupation.translations).get(code, ())


def _named(occupations: Sequence[Occupation], names: Callable[[Occupation], Sequence[str]]) -> Corpus:
    pairs = [(Document(name), n) for n, o in enumerate(occupations) for name in names(o)]
    return Corpus([document for document, _ in pairs], np.array([n for _, n in pairs], np.int64))

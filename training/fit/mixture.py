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
from rolecall.encoder.model import Embeddings
from rolecall.training.data.ontology import Occupation, Split
from rolecall.training.judge import evaluate, presence
from rolecall.training.judge.evaluate import Corpus, Encode, Pairs

DRAWS = 3  # of titles, skills and tasks for the presence table
LEAST = 0.02  # share of titles that are less certain than what counts as read in full
# Weights of the kinds of pairs.
CELLS, ENGLISH, FOREIGN, ACROSS, SAME, ITSELF, GARBAGE = 9.0, 1.2, 0.5, 0.25, 0.25, 1.0, 0.5
MORE, OLDER = 3.5, 1.5  # the seven cells in which a side has a text and no skills; `evaluate.matching`
TEXT = "title, text"

Weighted = tuple[Pairs, float]


def pairs(encode: Encode, split: Split, garbage: Sequence[Document]) -> tuple[Pairs, NDArray[np.float64]]:
    """The pairs and how much each counts. (pairs,)"""
    kinds = [part for part in _kinds(encode, split, garbage) if len(part[0].match)]
    weights = [np.full(len(part.match), weight / len(part.match)) for part, weight in kinds]
    return Pairs.joined([part for part, _ in kinds]), np.concatenate(weights)


def least_certainty(encode: Encode, split: Split) -> float:
    """Of nearly all titles in all languages."""
    titles = [Document(name) for o in split.validation for name in o.names]
    return float(np.quantile(encode(titles).certainty, LEAST))


def _kinds(encode: Encode, split: Split, garbage: Sequence[Document]) -> Iterator[Weighted]:
    judged, others = split.validation, [*split.train, *split.test]
    markets = [presence.market(judged, others, seed=draw) for draw in range(DRAWS)]
    remembering = _remembering(encode)
    tells = (*presence.TELLS, TEXT)
    for cell in product(tells, tells):
        if len(markets[0].vacancies):
            weight = MORE / 7 if TEXT in cell else CELLS / 9
            yield presence.pairs_of(remembering, markets, cell), weight
    yield presence.same_titles(encode, judged), SAME
    sources = sorted({o.source for o in judged})
    for source in sources:
        mine, rest = ([o for o in each if o.source == source] for each in (judged, others))
        corpus = evaluate.titles_of([*mine, *rest])
        yield evaluate.retrieved_pairs(encode, evaluate.titles_of(mine), corpus), ENGLISH / len(sources)
        if len((task := evaluate.matching(mine, rest)).vacancies):
            yield evaluate.retrieved_pairs(encode, task.vacancies, task.candidates), OLDER
        nothing = Corpus(list(garbage), np.full(len(garbage), -1, np.int64))
        yield evaluate.retrieved_pairs(encode, nothing, corpus), GARBAGE / len(sources) / 2
    yield _with_itself(encode, garbage, match=False), GARBAGE / 2
    names = [Document(name) for o in judged for name in o.names]
    yield _with_itself(encode, names, match=True), ITSELF
    yield from _languages(encode, judged, others)


def _remembering(encode: Encode) -> Encode:
    """The same, and encodes no list of documents twice: every corpus is in several cells."""
    known: dict[tuple[Document, ...], Embeddings] = {}

    def encoded(documents: Sequence[Document]) -> Embeddings:
        if (key := tuple(documents)) not in known:
            known[key] = encode(documents)
        return known[key]

    return encoded


def _with_itself(encode: Encode, documents: Sequence[Document], *, match: bool) -> Pairs:
    certainty, told = encode(documents).certainty, evaluate.levels(documents)
    outcome = np.full(len(certainty), match)
    return Pairs(np.ones_like(certainty), certainty, certainty, told, told, outcome)


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

"""Figures of a model on occupations that it was not trained on: retrieval, calibration, certainty.

Each figure is computed from a `System`, so that baselines go through the same code as the encoder.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.calibration import Calibration
from rolecall.encoder.document import Document, told
from rolecall.encoder.model import Embeddings
from rolecall.training.data.ontology import Occupation, Split
from rolecall.training.judge import metrics

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Encode = Callable[[Sequence[Document]], Embeddings]
System = Callable[[Sequence[Document]], Floats]  # documents -> rows whose dot products are scores
ROWS = 512  # queries scored at once, to bound memory
TOP = 10

LOREM = (
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et "
    "dolore magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea "
    "commodo consequat duis aute irure in reprehenderit voluptate velit esse cillum eu fugiat nulla pariatur "
    "excepteur sint occaecat cupidatat non proident sunt culpa qui officia deserunt mollit anim id est"
)
# Not the sentences of training/data/noise.py, because the model was trained with those.
BOILERPLATE = (
    "We are an Equal Employment Opportunity company",
    "By submitting this form you agree to be contacted",
    "Do you want to be part of our story",
    "This website stores cookies on your computer",
    "Thank you for your interest",
    "What's in it for you",
    "Candidates must have the right to work in the country",
    "Share this opening with a friend",
    "Reasonable accommodation may be made upon request",
    "Please check your inbox and spam folder",
    "Your browser is out of date",
    "Pension scheme, gym membership and cycle allowance",
    "We celebrate difference and are committed to inclusion",
    "Page 2 of 17",
    "All rights reserved",
    "Error 404",
    "Subscribe to our newsletter",
    "Salary depending on skills",
    "Closing date for applications is Friday",
    "Lots of perks",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents, and for each the number of its occupation."""

    documents: list[Document]
    occupations: Ints

    def __len__(self) -> int:
        return len(self.documents)


def titles_of(occupations: Sequence[Occupation]) -> Corpus:
    return _corpus([(Document(title), number) for number, o in enumerate(occupations) for title in o.titles])


def title_recall(system: System, split: Split) -> float:
    return float(title_recalls(system, split).mean())


def title_recalls(system: System, split: Split) -> Floats:
    """Recall@10: each title of a test occupation searches its other titles among all titles of all splits.

    (queries,)
    """
    corpus = titles_of([*split.test, *split.validation, *split.train])
    rows = system(corpus.documents)
    counts = np.bincount(corpus.occupations)
    queries = np.flatnonzero((corpus.occupations < len(split.test)) & (counts[corpus.occupations] > 1))
    found = []
    for part in _parts(queries):
        scores = dense_scores(rows[part], rows)
        relevant = corpus.occupations[part][:, None] == corpus.occupations
        scores[np.arange(len(part)), part] = -np.inf
        relevant[np.arange(len(part)), part] = False
        found.append(metrics.recall_at(scores, relevant, TOP))
    return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class Matching:
    """Vacancies with one half of an occupation's tasks; candidates with another title and the other half."""

    vacancies: Corpus
    candidates: Corpus


def matching(
    judged: Sequence[Occupation],
    others: Sequence[Occupation],
    *,
    candidates: int = 5_000,
    each: int = 5,
    seed: int = 0,
) -> Matching:
    """Vacancies of the judged occupations. Candidates of these and of other occupations, up to the limit."""
    rng = random.Random(seed)
    wanted, offered = [], []
    for number, occupation in enumerate([*judged, *others]):
        if len(occupation.tasks) < 4 or len(occupation.titles) < 2:
            continue
        titles = rng.sample(occupation.titles, min(len(occupation.titles), 2 * each + 1))
        tasks = rng.sample(occupation.tasks, len(occupation.tasks))
        half = len(titles) // 2
        if number < len(judged):
            wanted += [(Document(title, text=" ".join(tasks[0::2])), number) for title in titles[:half]]
        offered += [(Document(title, text=" ".join(tasks[1::2])), number) for title in titles[half:]]
    return Matching(_corpus(wanted), _corpus(offered[:candidates]))


def _corpus(pairs: Sequence[tuple[Document, int]]) -> Corpus:
    return Corpus([document for document, _ in pairs], np.array([number for _, number in pairs], np.int64))


def match_recall(system: System, task: Matching) -> float:
    return float(match_recalls(system, task).mean())


def match_recalls(system: System, task: Matching) -> Floats:
    """Recall@10 of the candidates of the vacancy's occupation. (vacancies,)"""
    vacancies, candidates = system(task.vacancies.documents), system(task.candidates.documents)
    found = [
        metrics.recall_at(
            dense_scores(vacancies[part], candidates),
            task.vacancies.occupations[part][:, None] == task.candidates.occupations,
            TOP,
        )
        for part in _parts(np.arange(len(task.vacancies)))
    ]
    return np.concatenate(found)


def held_out(system: System, split: Split) -> dict[str, float]:
    """Retrieval figures on test occupations. Without tasks in the ontologies there is no matching figure."""
    figures = {"title recall@10": title_recall(system, split)}
    task = matching(split.test, [*split.train, *split.validation])
    if len(task.vacancies):
        figures["match recall@10"] = match_recall(system, task)
    return figures


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs that a search returns, and whether each is a match."""

    score: Floats
    certainty_a: Floats
    certainty_b: Floats
    told_a: NDArray[np.int8]  # how much each side tells: `document.told`
    told_b: NDArray[np.int8]
    match: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence["Pairs"]) -> "Pairs":
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def confidence(self, calibration: Calibration) -> Floats:
        """(pairs,)"""
        return calibration.confidence(
            self.score, self.certainty_a, self.certainty_b, self.told_a, self.told_b
        )


def levels(documents: Sequence[Document]) -> NDArray[np.int8]:
    """How much each of them tells. (documents,)"""
    return np.array([told(document) for document in documents], np.int8)


def retrieved_pairs(encode: Encode, queries: Corpus, corpus: Corpus) -> Pairs:
    """The ten best hits of every query, without the query itself (same document and same occupation)."""
    a, b = encode(queries.documents), encode(corpus.documents)
    index = {
        (d, int(o)): n for n, (d, o) in enumerate(zip(corpus.documents, corpus.occupations, strict=True))
    }
    itself = np.array(
        [index.get((d, int(o)), -1) for d, o in zip(queries.documents, queries.occupations, strict=True)]
    )
    rows, hits, found = [], [], []
    for part in _parts(np.arange(len(queries))):
        scores = dense_scores(a.vectors[part], b.vectors)
        inside = itself[part] >= 0
        scores[np.flatnonzero(inside), itself[part][inside]] = -np.inf
        top = np.argpartition(-scores, TOP - 1, axis=1)[:, :TOP]
        rows.append(np.repeat(part, TOP))
        hits.append(top.ravel())
        found.append(np.take_along_axis(scores, top, 1).ravel())
    row, hit = np.concatenate(rows), np.concatenate(hits)
    return Pairs(
        score=np.concatenate(found),
        certainty_a=a.certainty[row],
        certainty_b=b.certainty[hit],
        told_a=levels(queries.documents)[row],
        told_b=levels(corpus.documents)[hit],
        match=queries.occupations[row] == corpus.occupations[hit],
    )


def held_out_pairs(
    encode: Encode, judged: Sequence[Occupation], split: Split, *, garbage: Sequence[Document] = ()
) -> Pairs:
    """Hits of titles and vacancies of the judged occupations, searched within their own ontology only.

    An equivalent occupation of another ontology would be a match without a label.
    garbage: documents that are queries too, and match nothing.
    """
    known = {o.id for o in judged}
    parts = []
    for source in sorted({o.source for o in judged}):
        mine = [o for o in judged if o.source == source]
        others = [
            o
            for o in [*split.train, *split.validation, *split.test]
            if o.source == source and o.id not in known
        ]
        corpus = titles_of([*mine, *others])
        parts.append(retrieved_pairs(encode, titles_of(mine), corpus))
        if len((task := matching(mine, others)).vacancies):
            parts.append(retrieved_pairs(encode, task.vacancies, task.candidates))
        if garbage:
            nothing = Corpus(list(garbage), np.full(len(garbage), -1, np.int64))
            parts.append(retrieved_pairs(encode, nothing, corpus))
    return Pairs.joined(parts)


def calibration_error(calibration: Calibration, pairs: Pairs) -> float:
    return metrics.expected_calibration_error(pairs.confidence(calibration), pairs.match)


def garbage_of(
    occupations: Sequence[Occupation], *, count: int = 400, seed: int = 0
) -> dict[str, list[Document]]:
    """Four kinds of text that are not titles, made from titles and tasks of the occupations."""
    rng = random.Random(seed)
    titles = [title for o in occupations for title in o.titles]
    words = sorted(
        {
            word.strip(".,;()").lower()
            for o in occupations
            for task in o.tasks or o.titles
            for word in task.split()
        }
    )
    return {
        "shuffled characters": [Document(_shuffled(rng.choice(titles), rng)) for _ in range(count)],
        "random words": [Document(" ".join(rng.choices(words, k=rng.randrange(2, 6)))) for _ in range(count)],
        "lorem ipsum": [
            Document(" ".join(rng.choices(LOREM.split(), k=rng.randrange(2, 8)))) for _ in range(count)
        ],
        "boilerplate": [Document(text) for text in BOILERPLATE for _ in range(count // len(BOILERPLATE))],
    }


def garbage_auroc(encode: Encode, occupations: Sequence[Occupation], *, seed: int = 0) -> dict[str, float]:
    """AUROC of certainty for titles against each kind of garbage, and the mean of these."""
    real = encode(titles_of(occupations).documents).certainty
    areas = {}
    for kind, documents in garbage_of(occupations, seed=seed).items():
        junk = encode(documents).certainty
        scores = np.concatenate([real, junk])
        areas[kind] = metrics.area_under_roc(scores, np.arange(len(scores)) < len(real))
    return areas | {"mean": float(np.mean(list(areas.values())))}


def _shuffled(title: str, rng: random.Random) -> str:
    letters = [char for char in title if not char.isspace()]
    rng.shuffle(letters)
    text = "".join(letters)
    cut = max(1, len(text) // 2)
    return f"{text[:cut]} {text[cut:]}"


def _parts(queries: Ints) -> Iterator[Ints]:
    for start in range(0, len(queries), ROWS):
        yield queries[start : start + ROWS]


def dense_scores(queries: Floats, rows: Floats) -> Floats:
    """queries @ rows.T as a dense array, whether the rows are dense or sparse."""
    scores = queries @ rows.T
    dense: Floats = np.asarray(scores.todense() if hasattr(scores, "todense") else scores, np.float32)
    return dense

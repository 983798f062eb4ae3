"""What a document leaves out: every combination of the fields that a vacancy and a candidate tell.

Nine cells: title | title, skills | title, skills, text on either side. In the column "mixed" every candidate
tells one of the three, drawn by chance.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from rolecall.encoder.calibration import Calibration
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.data.ontology import Occupation
from rolecall.training.judge import evaluate, metrics
from rolecall.training.judge.evaluate import Corpus, Encode, Floats, Pairs, System

TELLS = ("title", "title, skills", "title, skills, text")
MIXED = "mixed"
VACANCIES, CANDIDATES = 3, 4  # of an occupation: titles
FEWEST_SKILLS, MOST_SKILLS = 3, 8  # of a document, as far as half of the occupation's go
ONE_SIDE = 3  # skills
TOP = 10

Cell = tuple[str, str]  # what the vacancy tells, what the candidate tells


@dataclass(frozen=True, slots=True)
class Market:
    """Full documents: an occupation's titles, and half of its skills and tasks for either side."""

    vacancies: Corpus
    candidates: Corpus
    mixed: tuple[str, ...]  # (candidates,) what each tells in the column "mixed"


def market(judged: Sequence[Occupation], others: Sequence[Occupation], *, seed: int = 0) -> Market:
    """Vacancies of the judged occupations of O*NET, candidates of all.

    An occupation's vacancies have other titles, skills and tasks than its candidates.
    """
    rng = random.Random(seed)
    wanted: list[tuple[Document, int]] = []
    offered: list[tuple[Document, int]] = []
    for number, occupation in enumerate([*judged, *others]):
        if not _is_full(occupation):
            continue
        titles = rng.sample(occupation.titles, min(len(occupation.titles), VACANCIES + CANDIDATES))
        tasks = rng.sample(occupation.tasks, len(occupation.tasks))
        skills = rng.sample(sorted(set(occupation.skills)), len(set(occupation.skills)))
        half = len(titles) // 2
        for place, title in enumerate(titles):
            side = 0 if place < half else 1
            document = Document(title, _some(skills[side::2], rng), " ".join(tasks[side::2]))
            if side:
                offered.append((document, number))
            elif number < len(judged):
                wanted.append((document, number))
    return Market(_corpus(wanted), _corpus(offered), tuple(rng.choices(TELLS, k=len(offered))))


def recalls(system: System, task: Market) -> dict[Cell, float]:
    """Recall@10 of the candidates of the vacancy's occupation, in each of the twelve cells."""
    return {cell: float(each.mean()) for cell, each in vacancy_recalls(system, task).items()}


def vacancy_recalls(system: System, task: Market) -> dict[Cell, Floats]:
    """The same of every vacancy. (vacancies,)"""
    vacancies = {tells: system(told(task.vacancies, tells).documents) for tells in TELLS}
    candidates = {tells: system(told(task.candidates, tells).documents) for tells in TELLS}
    relevant = task.vacancies.occupations[:, None] == task.candidates.occupations
    found: dict[Cell, Floats] = {}
    for tells, rows in vacancies.items():
        scores = {other: evaluate.dense_scores(rows, candidates[other]) for other in TELLS}
        column = np.array([TELLS.index(other) for other in task.mixed])
        scores[MIXED] = np.choose(column[None, :], [scores[other] for other in TELLS])
        for other, seen in scores.items():
            found[tells, other] = metrics.recall_at(seen, relevant, TOP)
    return found


def calibration_errors(
    encode: Encode, calibration: Calibration, tasks: Sequence[Market]
) -> dict[Cell, float]:
    """Expected calibration error of the ten best hits of every vacancy, in each of the nine cells."""
    return {
        cell: evaluate.calibration_error(calibration, pairs_of(encode, tasks, cell))
        for cell in product(TELLS, TELLS)
    }


def pairs_of(encode: Encode, tasks: Sequence[Market], cell: Cell) -> Pairs:
    """What searches of one cell return. For calibration too: never that of the test occupations."""
    parts = [
        evaluate.retrieved_pairs(encode, told(task.vacancies, cell[0]), told(task.candidates, cell[1]))
        for task in tasks
    ]
    return Pairs.joined(parts)


def same_titles(encode: Encode, judged: Sequence[Occupation], *, seed: int = 0) -> Pairs:
    """Each title with itself, where one side adds three skills of its occupation."""
    rng = random.Random(seed)
    full = [(title, o) for o in judged if _is_full(o) for title in o.titles]
    titles = [Document(title) for title, _ in full]
    skilled = [Document(title, tuple(rng.sample(sorted(set(o.skills)), ONE_SIDE))) for title, o in full]
    alone, beside = encode(titles), encode(skilled)
    return Pairs(
        score=(alone.vectors * beside.vectors).sum(1),
        certainty_a=alone.certainty,
        certainty_b=beside.certainty,
        told_a=evaluate.levels(titles),
        told_b=evaluate.levels(skilled),
        match=np.ones(len(full), np.bool_),
    )


def same_title_one_side_skills(encoder: Encoder, judged: Sequence[Occupation], *, seed: int = 0) -> float:
    """The median confidence of these."""
    pairs = same_titles(encoder.encode, judged, seed=seed)
    return float(np.median(pairs.confidence(encoder.calibration)))


def figures(cells: Mapping[Cell, float]) -> dict[str, float]:
    nine = [cells[cell] for cell in product(TELLS, TELLS)]
    return {
        "presence_worst": min(nine),
        "presence_mean": float(np.mean(nine)),
        "presence_mixed_mean": float(np.mean([cells[tells, MIXED] for tells in TELLS])),
    }


def mean_of(tables: Sequence[Mapping[Cell, float]]) -> dict[Cell, float]:
    return {cell: float(np.mean([table[cell] for table in tables])) for cell in tables[0]}


def told(corpus: Corpus, tells: str) -> Corpus:
    """The documents with only the fields that are told."""
    cut: Callable[[Document], Document] = {
        "title": lambda document: Document(document.title),
        "title, skills": lambda document: Document(document.title, document.skills),
        "title, text": lambda document: Document(document.title, text=document.text),
        "title, skills, text": lambda document: document,
    }[tells]
    return Corpus([cut(document) for document in corpus.documents], corpus.occupations)


def _is_full(occupation: Occupation) -> bool:
    """Two titles, and two tasks and two skills for either side."""
    return (
        occupation.source == "onet"
        and len(occupation.titles) > 1
        and len(occupation.tasks) > 3
        and len(set(occupation.skills)) > 3
    )


def _some(skills: Sequence[str], rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.sample(skills, min(len(skills), rng.randint(FEWEST_SKILLS, MOST_SKILLS))))


def _corpus(pairs: Sequence[tuple[Document, int]]) -> Corpus:
    return Corpus([document for document, _ in pairs], np.array([number for _, number in pairs], np.int64))

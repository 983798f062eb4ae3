"""All measures of the encoder in the wild, over one part of the split, and two baselines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.rig import benchmarks
from bench.rig.benchmarks import Ranking
from bench.wild import rankings, splits, unreadable
from bench.wild.splits import Labels
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.data import skills, sources
from rolecall.training.data.ontology import Occupation
from rolecall.training.judge import baselines, presence
from rolecall.training.judge.evaluate import Floats, System
from rolecall.training.judge.presence import MIXED, TELLS, Cell, Market

DRAWS = 3  # of titles, skills and tasks: 42 occupations are few

Ranked = Mapping[str, Mapping[str, float]]  # figure -> language or kind of query -> mean reciprocal rank


@dataclass(frozen=True, slots=True)
class Held:
    """What was held out, and what it is judged among."""

    part: str  # "validation" or "test"
    judged: Sequence[Occupation]
    markets: tuple[Market, ...]  # draws
    labels: Mapping[str, Labels]  # by language
    groups: Mapping[str, str]  # concept id -> ISCO minor group
    rankings: Mapping[str, Mapping[str, Ranking]]  # figure -> language or kind of query


def read(data: Path, part: str) -> Held:
    """part: "validation" or "test"."""
    split = sources.read(data).split()
    judged, other = (split.test, split.validation)[:: 1 if part == "test" else -1]
    others = [*split.train, *other]
    labels = {language: splits.read_labels(data / "esco_labels", language) for language in splits.LANGUAGES}
    esco = [o for o in [*judged, *others] if o.source == "esco"]
    english = {o.id: o.titles[0] for o in esco}
    judged_labels = {language: labels[language] for language in rankings.JUDGED_LANGUAGES}
    return Held(
        part=part,
        judged=judged,
        markets=tuple(presence.market(judged, others, seed=seed) for seed in range(DRAWS)),
        labels=labels,
        groups={o.id: o.branch[:3] for o in esco},
        rankings={
            "description_to_title_mrr": {"en": rankings.descriptions(judged, others, named=True)},
            "unnamed_description_to_title_mrr": {"en": rankings.descriptions(judged, others, named=False)},
            "skill_mrr": rankings.skills(skills.read(data / "esco_skills"), part),
            "multilingual_mrr": {
                code: rankings.alternatives(mine, part) for code, mine in judged_labels.items()
            },
            "cross_language_mrr": {
                code: rankings.across(mine, english, part) for code, mine in judged_labels.items()
            },
        },
    )


@dataclass(frozen=True, slots=True)
class Found:
    recalls: Mapping[Cell, float]  # the mean of the draws
    errors: Mapping[Cell, float]  # of calibration
    same_title_one_side_skills: float
    ranked: Ranked
    confused: Mapping[str, float]  # by language
    garbage: Mapping[str, Mapping[str, float]]  # by language and kind

    @property
    def figures(self) -> dict[str, float]:
        """The keys of the last line."""
        return {
            **presence.figures(self.recalls),
            "same_title_one_side_skills": self.same_title_one_side_skills,
            **means(self.ranked),
            "ece_worst_cell": max(self.errors.values()),
            "unreadable_share_worst": max(self.confused.values()),
            "garbage_auroc": float(np.mean([areas["mean"] for areas in self.garbage.values()])),
            "garbage_auroc_worst_language": min(areas["mean"] for areas in self.garbage.values()),
        }


def judge(encoder: Encoder, held: Held) -> Found:
    def system(documents: Sequence[Document]) -> Floats:
        return encoder.encode(documents).vectors

    return Found(
        recalls=presence.mean_of([presence.recalls(system, market) for market in held.markets]),
        errors=presence.calibration_errors(encoder.encode, encoder.calibration, held.markets),
        same_title_one_side_skills=presence.same_title_one_side_skills(encoder, held.judged),
        ranked=ranked(system, held.rankings),
        confused={
            language: unreadable.confused_share(encoder, labels, held.groups, held.part)
            for language, labels in held.labels.items()
        },
        garbage={
            language: unreadable.garbage_auroc(encoder.encode, labels, language, held.part)
            for language, labels in held.labels.items()
        },
    )


@dataclass(frozen=True, slots=True)
class Beside:
    """What MiniLM as it comes reaches, and character TF-IDF in seven languages."""

    recalls: Mapping[Cell, float]  # of the first draw: MiniLM reads a dozen full documents a second
    minilm: Ranked
    tfidf: Mapping[str, float]  # multilingual_mrr by language

    @property
    def figures(self) -> dict[str, float]:
        return {
            **{f"{name}_minilm": value for name, value in presence.figures(self.recalls).items()},
            **{f"{name}_minilm": value for name, value in means(self.minilm).items()},
            "multilingual_mrr_tfidf": float(np.mean(list(self.tfidf.values()))),
        }


def beside(minilm: System, held: Held) -> Beside:
    return Beside(
        recalls=presence.recalls(minilm, held.markets[0]),
        minilm=ranked(minilm, held.rankings),
        tfidf={
            language: benchmarks.reciprocal_rank(_tfidf(held.labels[language]), ranking)
            for language, ranking in held.rankings["multilingual_mrr"].items()
        },
    )


def ranked(system: System, tasks: Mapping[str, Mapping[str, Ranking]]) -> Ranked:
    return {
        figure: {kind: benchmarks.reciprocal_rank(system, ranking) for kind, ranking in kinds.items()}
        for figure, kinds in tasks.items()
    }


def means(found: Ranked) -> dict[str, float]:
    return {figure: float(np.mean(list(kinds.values()))) for figure, kinds in found.items()}


def remembering(system: System) -> System:
    """The same, and reads no document twice. For dense rows."""
    known: dict[Document, Floats] = {}

    def rows(documents: Sequence[Document]) -> Floats:
        if new := [document for document in dict.fromkeys(documents) if document not in known]:
            known.update(zip(new, system(new), strict=True))
        return np.stack([known[document] for document in documents])

    return rows


def _tfidf(labels: Labels) -> System:
    return baselines.char_tfidf(
        label for concept, found in labels.items() if splits.part_of(concept) == "train" for label in found
    )


def lines(found: Found, other: Beside | None = None) -> Iterator[str]:
    """What a person reads."""
    yield from _table(
        "recall@10; rows: what the vacancy tells, columns: what the candidate tells", found.recalls
    )
    if other:
        yield from _table("recall@10 of MiniLM, the first of three draws", other.recalls)
    yield from _table("expected calibration error", found.errors)
    for figure, kinds in found.ranked.items():
        for kind, value in kinds.items():
            more = f"  MiniLM {other.minilm[figure][kind]:.3f}" if other else ""
            if other and figure == "multilingual_mrr":
                more += f"  char TF-IDF {other.tfidf[kind]:.3f}"
            yield f"{figure + ', ' + kind:42}{value:.3f}{more}"
    for language, share in found.confused.items():
        areas = "  ".join(f"{kind} {area:.3f}" for kind, area in found.garbage[language].items())
        yield f"{language}: random pairs from .2 {share:.4f}; certainty against garbage, AUROC: {areas}"


def _table(name: str, cells: Mapping[Cell, float]) -> Iterator[str]:
    columns = [tells for tells in (*TELLS, MIXED) if (TELLS[0], tells) in cells]
    yield name
    yield f"{'':22}" + "".join(f"{tells:>22}" for tells in columns)
    for tells in TELLS:
        yield f"{tells:22}" + "".join(f"{cells[tells, other]:22.3f}" for other in columns)

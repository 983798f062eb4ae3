"""All measures of the encoder in the wild, over one part of the split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import benchmarks
from bench.benchmarks import Ranking
from bench.wild import presence, rankings, splits, unreadable
from bench.wild.presence import MIXED, TELLS, Cell, Market
from bench.wild.splits import Labels
from encoder.document import Document
from encoder.model import Encoder
from training import evaluate, skills, sources
from training.evaluate import System
from training.ontology import Occupation

DRAWS = 3  # of titles, skills and tasks: 42 occupations are few


@dataclass(frozen=True, slots=True)
class Held:
    """What was held out, and what it is judged among."""

    part: str  # "validation" or "test"
    judged: Sequence[Occupation]
    markets: tuple[Market, ...]  # draws
    labels: Mapping[str, Labels]  # by language
    groups: Mapping[str, str]  # concept id -> ISCO minor group
    rankings: Mapping[str, Ranking]  # by measure

    @classmethod
    def read(cls, data: Path, part: str) -> "Held":
        split = sources.read(data).split()
        judged, other = (split.test, split.validation)[:: 1 if part == "test" else -1]
        others = [*split.train, *other]
        labels = {
            language: splits.read_labels(data / "esco_labels", language) for language in splits.LANGUAGES
        }
        esco = [o for o in [*judged, *others] if o.source == "esco"]
        english = {o.id: o.titles[0] for o in esco}
        return cls(
            part=part,
            judged=judged,
            markets=tuple(presence.market(judged, others, seed=seed) for seed in range(DRAWS)),
            labels=labels,
            groups={o.id: o.branch[:3] for o in esco},
            rankings={
                "description to title": rankings.descriptions(judged, others),
                **rankings.skills(skills.read(data / "esco_skills"), part),
                **{
                    f"alternative to preferred, {language}": rankings.alternatives(labels[language], part)
                    for language in rankings.JUDGED_LANGUAGES
                },
                **{
                    f"{language} to English": rankings.across(labels[language], english, part)
                    for language in rankings.JUDGED_LANGUAGES
                },
            },
        )


@dataclass(frozen=True, slots=True)
class Found:
    figures: Mapping[str, float]  # the keys of the last line
    recalls: Mapping[Cell, float]
    errors: Mapping[Cell, float]  # of calibration
    ranked: Mapping[str, float]  # by measure
    confused: Mapping[str, float]  # by language
    garbage: Mapping[str, Mapping[str, float]]  # by language and kind


def judge(encoder: Encoder, held: Held) -> Found:
    def system(documents: Sequence[Document]) -> evaluate.Floats:
        return encoder.encode(documents).vectors

    recalls = presence.mean_of([presence.recalls(system, market) for market in held.markets])
    errors = presence.calibration_errors(encoder.encode, encoder.calibration, held.markets)
    ranked = ranks(system, held.rankings)
    confused = {
        language: unreadable.confused_share(encoder, labels, held.groups, held.part)
        for language, labels in held.labels.items()
    }
    garbage = {
        language: unreadable.garbage_auroc(encoder.encode, labels, language, held.part)
        for language, labels in held.labels.items()
    }
    figures = {
        **presence.figures(recalls),
        "same_title_one_side_skills": presence.same_title_one_side_skills(encoder, held.judged),
        **ranking_figures(ranked),
        "ece_worst_cell": max(errors.values()),
        "unreadable_share_worst": max(confused.values()),
        "garbage_auroc": float(np.mean([areas["mean"] for areas in garbage.values()])),
        "garbage_auroc_worst": min(areas["mean"] for areas in garbage.values()),
    }
    return Found(figures, recalls, errors, ranked, confused, garbage)


def ranks(system: System, tasks: Mapping[str, Ranking]) -> dict[str, float]:
    return {name: benchmarks.reciprocal_rank(system, ranking) for name, ranking in tasks.items()}


def ranking_figures(ranked: Mapping[str, float]) -> dict[str, float]:
    def mean(names: Iterator[str]) -> float:
        return float(np.mean([ranked[name] for name in names]))

    return {
        "description_to_title_mrr": ranked["description to title"],
        "skill_mrr": mean(name for name in ranked if name.startswith("skill by")),
        "multilingual_mrr": mean(name for name in ranked if name.startswith("alternative")),
        "cross_language_mrr": mean(name for name in ranked if name.endswith("to English")),
    }


def lines(found: Found) -> Iterator[str]:
    """What a person reads."""
    yield from table("recall@10 (rows: what the vacancy tells; columns: the candidate)", found.recalls)
    yield from table("expected calibration error", found.errors)
    for name, value in found.ranked.items():
        yield f"{name:40}MRR {value:.3f}"
    for language, share in found.confused.items():
        areas = "  ".join(f"{kind} {area:.3f}" for kind, area in found.garbage[language].items())
        yield f"{language}: random pairs from .2 {share:.3f}; certainty against garbage, AUROC: {areas}"


def table(name: str, cells: Mapping[Cell, float]) -> Iterator[str]:
    columns = [tells for tells in (*TELLS, MIXED) if (TELLS[0], tells) in cells]
    yield name
    yield f"{'':22}" + "".join(f"{tells:>22}" for tells in columns)
    for tells in TELLS:
        yield f"{tells:22}" + "".join(f"{cells[tells, other]:22.3f}" for other in columns)

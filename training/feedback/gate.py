"""Whether a new model may serve: not worse on occupations, better on later feedback, and sure of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.training.data.ontology import Split
from rolecall.training.feedback.config import GateConfig
from rolecall.training.feedback.finetune import Judged
from rolecall.training.feedback.pairs import Pair
from rolecall.training.judge import evaluate, presence
from rolecall.training.judge.evaluate import Floats
from rolecall.training.judge.presence import Cell

SAMPLES = 2_000  # of the bootstrap
EACH = 20  # titles of an occupation that become vacancies of the benchmark
TOP = 10
ENDS = (0.05, 0.95)  # of an interval
ENOUGH = 30  # verdicts after a no, to speak of a share of them


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    before: float
    after: float
    low: float  # 90 % interval of what changed: each end is passed by chance once in 20
    high: float
    passed: bool
    reason: str  # why it did not pass


@dataclass(frozen=True, slots=True)
class Decision:
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> list[str]:
        return [check.reason for check in self.checks if not check.passed]

    @property
    def promoted(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of a model on held-out occupations: recall@10 of every query."""

    titles: Floats
    matches: Floats  # empty where the ontologies bring no tasks
    cells: Mapping[Cell, Floats]  # by what the vacancy and the candidate tell; empty where there are no tasks


def ontology_scores(encoder: Encoder, split: Split) -> Scores:
    def system(documents: Sequence[Document]) -> Floats:
        return encoder.encode(documents).vectors

    task = evaluate.matching(split.test, [*split.train, *split.validation], each=EACH)
    market = presence.market(split.test, [*split.train, *split.validation])
    none = np.empty(0, np.float32)
    return Scores(
        evaluate.title_recalls(system, split),
        evaluate.match_recalls(system, task) if len(task.vacancies) else none,
        presence.vacancy_recalls(system, market) if len(market.vacancies) else {},
    )


def ontology_checks(base: Scores, new: Scores, config: GateConfig) -> list[Check]:
    """Not worse: with 95 % certainty, less than the margin was lost. Of the worst cell, the mean counts."""
    return [
        not_worse("title recall@10", base.titles, new.titles, config.title_margin),
        *(
            [not_worse("match recall@10", base.matches, new.matches, config.match_margin)]
            if len(base.matches)
            else []
        ),
        *([_cells(base.cells, new.cells, config)] if base.cells else []),
    ]


def _cells(base: Mapping[Cell, Floats], new: Mapping[Cell, Floats], config: GateConfig) -> Check:
    """Of all combinations of fields that the two sides tell: the one that lost most."""
    vacancy, candidate = cell = max(base, key=lambda cell: float(base[cell].mean() - new[cell].mean()))
    before, after = float(base[cell].mean()), float(new[cell].mean())
    low, high = difference(base[cell], new[cell], np.ones_like(base[cell]))
    return Check(
        "worst cell recall@10", before, after, low, high,
        passed=before - after <= config.cell_margin,
        reason=f"held-out occupations: recall@10 of vacancies that tell {vacancy} and candidates that tell "
        f"{candidate} fell from {before:.3f} to {after:.3f}, more than {config.cell_margin:g}",
    )  # fmt: skip


def not_worse(name: str, before: Floats, after: Floats, margin: float) -> Check:
    low, high = difference(before, after, np.ones_like(before))
    return Check(
        name,
        float(before.mean()),
        float(after.mean()),
        low,
        high,
        passed=low >= -margin,
        reason=f"held-out occupations: {name} may have fallen by {-low:.3f}, more than {margin:g}",
    )


def feedback_checks(
    serving: Encoder, new: Encoder, judged: Judged, later: Sequence[Pair], config: GateConfig
) -> list[Check]:
    """judged: what the new model learned from. later: what came after.

    If there are enough later pairs that no list had shown, only these count. Pairs of a list were found by
    the serving model, so it has them among its ten best, and the comparison would be unfair.
    """
    unled = [pair for pair in later if not pair.shown]
    if len(unled) >= config.least_pairs:
        later = unled
    if len(later) < config.least_pairs or not any(pair.matched for pair in later):
        few = f"{len(later)} later pairs of feedback are too few to judge by; {config.least_pairs} are needed"
        return [Check("later pairs", 0, len(later), 0, 0, passed=False, reason=few)]
    recall = _recall(serving, new, judged, later)
    auc = _auc(serving, new, judged, later, config.least_auc)
    return [recall, auc, _surely_better(recall, auc), _consistent(judged, config.most_second_thoughts)]


def _recall(serving: Encoder, new: Encoder, judged: Judged, later: Sequence[Pair]) -> Check:
    before, weights = later_recalls(serving, judged, later)
    after, _ = later_recalls(new, judged, later)
    old, now = (float(np.average(recalls, weights=weights)) for recalls in (before, after))
    low, high = difference(before, after, weights)
    reason = f"later feedback: recall@10 fell from {old:.3f} to {now:.3f}"
    return Check("later recall@10", old, now, low, high, passed=high >= 0, reason=reason)


def _auc(serving: Encoder, new: Encoder, judged: Judged, later: Sequence[Pair], least: float) -> Check:
    """AUC of yes against no. No model can predict random verdicts."""
    clear = [pair for pair in later if pair.matched or pair.grade < 0]
    liked = np.array([pair.matched for pair in clear])
    weights = np.array([pair.weight for pair in clear])
    scores = [pair_scores(encoder, judged, clear) for encoder in (serving, new)]
    before, after = (weighted_auc(each, liked, weights) for each in scores)
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(SAMPLES // 4):
        n = rng.integers(0, len(clear), len(clear))
        old, now = (weighted_auc(each[n], liked[n], weights[n]) for each in scores)
        gains.append(now - old)
    low, high = map(float, np.quantile(gains, ENDS))
    fell = f"later feedback: AUC of yes against no fell from {before:.3f} to {after:.3f}"
    random = (
        f"later feedback: the new model tells yes from no with AUC {after:.3f}, less than {least:g}: "
        "the verdicts do not go by what the texts say"
    )
    return Check(
        "later AUC", before, after, low, high,
        passed=high >= 0 and after >= least, reason=fell if after >= least else random,
    )  # fmt: skip


def _surely_better(recall: Check, auc: Check) -> Check:
    said = "; ".join(
        f"{check.name} {check.before:.3f} to {check.after:.3f} ({check.low:+.3f} to {check.high:+.3f})"
        for check in (recall, auc)
    )
    best = max(recall, auc, key=lambda check: check.low)
    return Check(
        "better", best.before, best.after, best.low, best.high,
        passed=best.low > 0, reason=f"later feedback: no gain that may not be chance: {said}",
    )  # fmt: skip


def _consistent(judged: Judged, most: float) -> Check:
    after_no, yes = judged.second_thoughts
    share = yes / after_no if after_no else 0.0
    return Check(
        "second thoughts", most, share, 0, 0, passed=after_no < ENOUGH or share <= most,
        reason=f"feedback: {yes} of {after_no} verdicts that follow a no on the same pair say yes: "
        "they contradict each other",
    )  # fmt: skip


def later_recalls(
    encoder: Encoder, judged: Judged, later: Sequence[Pair]
) -> tuple[Floats, NDArray[np.float64]]:
    """By vacancy: the weighted share of its later matches among its ten best candidates, and their weight.

    Best of the candidates that the later pairs are about: they were on the market then. Not among those that
    the vacancy had matched before.
    """
    wanted = [pair for pair in later if pair.matched]
    jobs = sorted({pair.vacancy_id for pair in wanted})
    people = sorted({pair.candidate_id for pair in later})
    place = {id: number for number, id in enumerate(people)}
    row = {id: number for number, id in enumerate(jobs)}
    vacancies = encoder.encode([judged.documents[Side.VACANCY, id] for id in jobs]).vectors
    candidates = encoder.encode([judged.documents[Side.CANDIDATE, id] for id in people]).vectors
    scores = evaluate.dense_scores(vacancies, candidates)  # (vacancies, candidates)
    for pair in judged.pairs:
        if pair.matched and pair.vacancy_id in row and pair.candidate_id in place:
            scores[row[pair.vacancy_id], place[pair.candidate_id]] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    found, weights = np.zeros(len(jobs)), np.zeros(len(jobs))
    for pair in wanted:
        number = row[pair.vacancy_id]
        found[number] += pair.weight * (place[pair.candidate_id] in best[number])
        weights[number] += pair.weight
    return (found / weights).astype(np.float32), weights


def pair_scores(encoder: Encoder, judged: Judged, pairs: Sequence[Pair]) -> Floats:
    vacancies, candidates = (encoder.encode(judged.texts(side, pairs)).vectors for side in Side)
    scores: Floats = (vacancies * candidates).sum(1)
    return scores


def difference(
    before: Floats, after: Floats, weights: NDArray[np.floating], seed: int = 0
) -> tuple[float, float]:
    """90 % interval of the weighted mean of after - before, by a paired bootstrap over the queries."""
    rng = np.random.default_rng(seed)
    gains, weights = (after - before).astype(np.float64), np.asarray(weights, np.float64)
    means = []
    for _ in range(SAMPLES):
        drawn = rng.integers(0, len(gains), len(gains))
        means.append(float(np.average(gains[drawn], weights=weights[drawn])))
    low, high = np.quantile(means, ENDS)
    return float(low), float(high)


def weighted_auc(scores: Floats, positive: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """Probability that a positive scores above a negative, both drawn by weight; ties count half."""
    _, place = np.unique(scores, return_inverse=True)
    up, down = np.bincount(place, weights * positive), np.bincount(place, weights * ~positive)
    below = np.cumsum(down) - down
    total = up.sum() * down.sum()
    return float((up * (below + down / 2)).sum() / total) if total else 0.5

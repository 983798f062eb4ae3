"""Calibrate scores to confidence, and name the values of the groups."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.calibration import CELLS, Calibration, cells, inputs
from rolecall.encoder.document import Document
from rolecall.encoder.model import Embeddings
from rolecall.encoder.usage import Usage, usage
from rolecall.training.data.ontology import Occupation
from rolecall.training.data.sources import SourceError
from rolecall.training.judge.evaluate import Encode, Pairs

KNOTS = 24
MOST_TITLES = 3  # that name a value
TYPICAL = 6  # titles of a value that have to be of one kind
PURITY = 0.8  # share of them that is


@dataclass(frozen=True, slots=True)
class Titles:
    """Titles with their occupation and its ISCO minor group."""

    vectors: NDArray[np.float32]  # (titles, groups * size)
    names: Sequence[str]
    occupations: Sequence[str]
    kinds: Sequence[str]

    @classmethod
    def read(cls, encode: Encode, occupations: Sequence[Occupation]) -> "Titles":
        """English titles of the occupations that have an ISCO group."""
        rows = [(title, o.id, o.branch[:3]) for o in occupations if o.source == "esco" for title in o.titles]
        names, ids, kinds = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(encode([Document(name) for name in names]).vectors, names, ids, kinds)


def fit(pairs: Pairs, *, certain: float, weights: NDArray[np.float64] | None = None) -> Calibration:
    """Logistic curves over score and certainties, then isotonic over their output, on the same pairs.

    pairs: of held-out occupations.

    The staircase is kept as `KNOTS` points between which confidence runs in straight lines.
    certain: the least certainty of a document that is read in full. weights: (pairs,) how much each counts.
    Raises SourceError when the pairs are all matches, or none is.
    """
    if not 0 < pairs.match.sum() < len(pairs.match):
        raise SourceError(
            f"{pairs.match.sum():,} of {len(pairs.match):,} held-out pairs are matches, so nothing tells "
            "what a score is worth; it takes more occupations with several titles each, or more steps"
        )
    from sklearn.isotonic import IsotonicRegression  # a second that only training has to spend

    counts = np.ones(len(pairs.match)) if weights is None else weights
    near, *sure = inputs(pairs.score, pairs.certainty_a, pairs.certainty_b).T
    cell = cells(pairs.told_a, pairs.told_b)[:, None] == np.arange(CELLS)  # (pairs, cells)
    seen = np.concatenate([cell * near[:, None], np.stack(sure, 1), cell], axis=1)
    point = _rising_logistic(seen, pairs.match.astype(np.float64), counts)
    slopes, certainties, biases = np.split(point, [CELLS, CELLS + 2])
    raw = 1 / (1 + np.exp(-(seen @ point)))
    order = np.argsort(raw, kind="stable")
    rising = IsotonicRegression(y_min=0, y_max=1).fit(raw, pairs.match, sample_weight=counts)
    # Knots where equal shares of the weight lie between, and more of them at the sure end.
    reached = np.cumsum(counts[order]) / counts.sum()
    marks = np.concatenate([np.linspace(0, 0.95, KNOTS), 1 - np.geomspace(0.04, 1e-4, KNOTS // 2)])
    edges = np.unique(raw[order][np.minimum(np.searchsorted(reached, marks), len(raw) - 1)])
    middles, means = _means_between(edges, raw, rising.predict(raw), counts)
    return Calibration(
        slopes=tuple(map(float, slopes)),
        biases=tuple(map(float, biases)),
        certainties=(float(certainties[0]), float(certainties[1])),
        knots=tuple(map(float, middles)),
        values=tuple(map(float, np.maximum.accumulate(means))),
        certain=certain,
    )


def _rising_logistic(
    seen: NDArray[np.float64], outcome: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Slopes of the cells and weights of the certainties, none negative; then the biases of the cells.

    seen: (pairs, cells + 2 + cells), what each of these is multiplied with. A cell without a pair gets
    the mean of the others.
    """
    from scipy.optimize import minimize

    curves = (slice(0, CELLS), slice(CELLS + 2, None))

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logit = seen @ point
        wrong = counts * (1 / (1 + np.exp(-logit)) - outcome) / counts.sum()
        value = (counts * (np.logaddexp(0, logit) - outcome * logit)).sum() / counts.sum()
        small = 1e-6 * point
        for each in curves:
            small[each] += 1e-4 * (point[each] - point[each].mean())
        return value + 0.5 * float(small @ point), seen.T @ wrong + small

    start = np.concatenate([np.ones(CELLS + 2), np.full(CELLS, -2.0)])
    bounds = [(0, None)] * (CELLS + 2) + [(None, None)] * CELLS
    found: NDArray[np.float64] = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def _means_between(
    edges: NDArray[np.float64],
    raw: NDArray[np.float64],
    fitted: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean place and mean fitted probability of the pairs between each two edges."""
    place = np.clip(np.searchsorted(edges, raw, side="right") - 1, 0, len(edges) - 1)
    weight = np.bincount(place, counts, minlength=len(edges))
    kept = weight > 0
    middles = np.bincount(place, counts * raw, minlength=len(edges))[kept] / weight[kept]
    means = np.bincount(place, counts * fitted, minlength=len(edges))[kept] / weight[kept]
    return middles, means


def usage_of_titles(titles: Embeddings, *, groups: int) -> Usage:
    """What drift is measured against: titles alone, each once. Whole documents are surer and more mixed."""
    return usage(titles.vectors, titles.certainty, groups, "titles of the occupations trained on, each once")


def name_values(known: Titles, held_out: Titles, *, groups: int) -> tuple[tuple[str, ...], ...]:
    """The titles that put most weight on each value, joined with " · "; "" for a value of no clear kind.

    A value has a kind if its most typical titles, of one occupation each, are of one ISCO minor group, and
    if the held-out titles that choose it as firmly are of that group too.
    """
    chosen, firm = (
        each.vectors.reshape(len(each.names), groups, each.vectors.shape[-1] // groups)
        for each in (known, held_out)
    )
    first, firsts = chosen.argmax(2), firm.argmax(2)  # (titles, groups)
    names: list[tuple[str, ...]] = []
    for group in range(groups):
        row: list[str] = []
        for value in range(chosen.shape[2]):
            weights = np.where(first[:, group] == value, chosen[:, group, value], 0)
            typical = _typical(weights, known)
            others = np.where(firsts[:, group] == value, firm[:, group, value], 0)
            row.append(_name(typical, weights, known, others, held_out))
        names.append(tuple(row))
    return tuple(names)


def _typical(weights: NDArray[np.float32], titles: "Titles") -> list[int]:
    """Numbers of the titles with most weight, one of each occupation."""
    found: dict[str, int] = {}
    chosen = np.flatnonzero(weights)
    for index in chosen[np.argsort(-weights[chosen], kind="stable")].tolist():
        found.setdefault(titles.occupations[index], index)
        if len(found) == TYPICAL:
            break
    return list(found.values())


def _name(
    typical: Sequence[int],
    weights: NDArray[np.float32],
    known: "Titles",
    others: NDArray[np.float32],
    held_out: "Titles",
) -> str:
    if len(typical) < MOST_TITLES:
        return ""
    kind, count = Counter(known.kinds[index] for index in typical).most_common(1)[0]
    as_firm = np.flatnonzero(others >= weights[typical[-1]]).tolist()
    agreeing = sum(held_out.kinds[index] == kind for index in as_firm)
    if count < PURITY * len(typical) or agreeing < PURITY * len(as_firm):
        return ""
    return " · ".join([known.names[i] for i in typical if known.kinds[i] == kind][:MOST_TITLES])

"""Which views of which occupations meet in a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.tokens import Tokens
from rolecall.training.config import TrainConfig
from rolecall.training.data.dataset import Dataset, Ints, Views

MOST_PARTS = 8  # tasks, and skills, in one view


@dataclass(frozen=True, slots=True)
class Side:
    tokens: Tokens
    titles: Ints  # (n,) numbers of the titles without their noise
    keys: Ints  # (n,) equal for nearly equal titles


@dataclass(frozen=True, slots=True)
class Batch:
    a: Side
    b: Side
    occupations: Ints  # (n,)
    ancestors: Ints  # (n, levels)
    bare: NDArray[np.bool_]  # (n,) pairs of titles alone, of occupations: what a teacher has an opinion about
    garbage: Tokens
    vacancies: Side  # real titles that have no label: what a teacher has an opinion about too

    def __len__(self) -> int:
        return len(self.occupations)


@dataclass(frozen=True, slots=True)
class _View:
    """Numbers of the texts of one document."""

    title: Sequence[int]
    skills: Sequence[int] = ()
    text: Sequence[int] = ()


class PairSampler:
    """Every title of every occupation meets another title of it, once an epoch.

    With `balance`, titles of small occupations more often and of large ones less: an occupation of n titles
    is drawn in proportion to n to the power of 1 - balance (Conneau & Lample 2019, 3.1). With `aside`, pairs
    of the sources that stand aside are added to make that share of all, each source as many.
    """

    def __init__(self, data: Dataset, config: TrainConfig, *, stream: int = 0) -> None:
        """stream: of the same seed, other numbers draw other batches."""
        self._data, self._config, self._stream = data, config, stream
        self._anchors = np.array(
            [(o, t) for o, v in enumerate(data.views) if len(v.titles) > 1 for t in range(len(v.titles))],
            np.int64,
        ).reshape(-1, 2)
        if not (data.sources[self._anchors[:, 0]] == 0).any():
            count = (data.sources == 0).sum()
            raise ValueError(f"none of {count} occupations has two titles; there is no pair to learn from")
        weights = self._shares(self._anchors[:, 0])
        self._ends, self._pairs = np.cumsum(weights), round(float(weights.sum()))
        self.batch = min(config.batch, self._pairs)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return self._pairs // self.batch

    def epoch(self, number: int) -> Iterator[Batch]:
        """The same batches for the same seed, stream and number."""
        rng = np.random.default_rng((self._config.seed, self._stream, number))
        order = rng.permutation(self._anchors[self._picks(rng)])
        for start in range(0, len(self) * self.batch, self.batch):
            yield self._draw(order[start : start + self.batch], rng)

    def _shares(self, groups: Ints) -> NDArray[np.float64]:
        """How often each anchor is drawn in an epoch, on average. groups: (anchors,)"""
        weights = np.bincount(groups)[groups].astype(np.float64) ** -self._config.balance
        sources = self._data.sources[groups]
        pairs = (sources == 0).sum()
        beside = pairs * self._config.aside / (1 - self._config.aside) / max(1, sources.max())
        for source in np.unique(sources):
            mine = sources == source
            weights[mine] *= (beside if source else pairs) / weights[mine].sum()
        return weights

    def _picks(self, rng: np.random.Generator) -> Ints:
        """Numbers of anchors: one of weight w is drawn w times, rounded up or down (systematic sampling)."""
        marks = (np.arange(self._pairs) + rng.random()) * (self._ends[-1] / self._pairs)
        picks: Ints = np.searchsorted(self._ends, marks, side="right")
        return picks

    def _draw(self, anchors: Ints, rng: np.random.Generator) -> Batch:
        views = [self._data.views[o] for o, _ in anchors]
        first = anchors[:, 1]
        second = np.array([self._partner(t, len(v.titles), rng) for t, v in zip(first, views, strict=True)])
        with_body = rng.random(len(anchors)) < self._config.documents
        sides_a: list[_View] = []
        sides_b: list[_View] = []
        bare: list[bool] = []
        for view, (occupation, t), u, body in zip(views, anchors, second, with_body, strict=True):
            rest_a, rest_b = self._halves(view, rng) if body else (_View(()), _View(()))
            bodies = rest_a.skills or rest_a.text or rest_b.skills or rest_b.text
            bare.append(not (bodies or self._data.sources[occupation]))
            for sides, title, rest in ((sides_a, t, rest_a), (sides_b, u, rest_b)):
                untitled = rest.text and rng.random() < self._config.untitled
                sides.append(_View(() if untitled else self._title(view, title, rng), rest.skills, rest.text))
        known = self._data.vacancies
        vacancies = rng.choice(known, size=min(len(known), self._config.vacancies))
        junk = rng.choice(self._data.garbage, size=max(1, len(anchors) // 8) if self._config.garbage else 0)
        return Batch(
            a=self._side(views, first, sides_a, rng),
            b=self._side(views, second, sides_b, rng),
            occupations=anchors[:, 0],
            ancestors=self._data.ancestors[anchors[:, 0]],
            bare=np.array(bare, np.bool_),
            garbage=self._tokens([_View((int(text),)) for text in junk], rng),
            vacancies=Side(
                self._tokens([_View((int(text),)) for text in vacancies], rng), vacancies, vacancies
            ),
        )

    def _partner(self, title: int, count: int, rng: np.random.Generator) -> int:
        if title != 0 and rng.random() < self._config.preferred:
            return 0
        return int(title + rng.integers(1, count)) % count

    def _title(self, view: Views, title: int, rng: np.random.Generator) -> list[int]:
        spelled = view.variants if rng.random() < self._config.variants else view.titles
        texts = [int(spelled[title])]
        if rng.random() < self._config.noise:
            texts += rng.choice(self._data.surroundings, size=rng.integers(1, 3)).tolist()
        return texts

    def _halves(self, view: Views, rng: np.random.Generator) -> tuple[_View, _View]:
        """Two views of one occupation that share no task and no skill."""
        tasks, skills = rng.permutation(view.tasks).tolist(), rng.permutation(view.skills).tolist()
        bodies = [tasks[0::2][:MOST_PARTS], tasks[1::2][:MOST_PARTS]]
        bodies[rng.integers(2)].extend(view.texts.tolist())
        lists = (skills[0::2][:MOST_PARTS], skills[1::2][:MOST_PARTS])
        return _View((), lists[0], bodies[0]), _View((), lists[1], bodies[1])

    def _side(self, views: list[Views], titles: Ints, sides: list[_View], rng: np.random.Generator) -> Side:
        return Side(
            tokens=self._tokens(sides, rng),
            titles=np.array([v.titles[t] for v, t in zip(views, titles, strict=True)]),
            keys=np.array([v.keys[t] for v, t in zip(views, titles, strict=True)]),
        )

    def _tokens(self, sides: list[_View], rng: np.random.Generator) -> Tokens:
        texts = [text for side in sides for part in (side.title, side.skills, side.text) for text in part]
        bags = [len(part) for side in sides for part in (side.title, side.skills, side.text)]
        return self._data.store.tokens(
            np.array(texts, np.int64), np.array(bags, np.int64), self._config.keep_tokens, rng
        )

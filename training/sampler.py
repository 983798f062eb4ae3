"""Which views of which occupations meet in a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.tokens import Tokens
from training.config import TrainConfig
from training.dataset import Dataset, Ints, Views

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
    bare: NDArray[np.bool_]  # (n,) pairs of titles alone: what a teacher of titles has an opinion about
    garbage: Tokens
    words: Side  # of the lexicon; empty without a teacher's weight

    def __len__(self) -> int:
        return len(self.occupations)


@dataclass(frozen=True, slots=True)
class _View:
    """Numbers of the texts of one document."""

    title: Sequence[int]
    skills: Sequence[int] = ()
    text: Sequence[int] = ()


class PairSampler:
    """Every title of every occupation meets another title of it, once an epoch."""

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        self._data, self._config = data, config
        self._anchors = np.array(
            [(o, t) for o, v in enumerate(data.views) if len(v.titles) > 1 for t in range(len(v.titles))],
            np.int64,
        )
        if not len(self._anchors):
            raise ValueError(
                f"none of {len(data.views)} occupations has two titles; there is no pair to learn from"
            )
        self.batch = min(config.batch, len(self._anchors))

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._anchors) // self.batch

    def epoch(self, number: int) -> Iterator[Batch]:
        """The same batches for the same seed and number."""
        rng = np.random.default_rng((self._config.seed, number))
        order = rng.permutation(self._anchors)
        for start in range(0, len(self) * self.batch, self.batch):
            yield self._draw(order[start : start + self.batch], rng)

    def _draw(self, anchors: Ints, rng: np.random.Generator) -> Batch:
        views = [self._data.views[o] for o, _ in anchors]
        first = anchors[:, 1]
        second = np.array([self._partner(t, len(v.titles), rng) for t, v in zip(first, views, strict=True)])
        with_body = rng.random(len(anchors)) < self._config.documents
        sides_a: list[_View] = []
        sides_b: list[_View] = []
        bare: list[bool] = []
        for view, t, u, body in zip(views, first, second, with_body, strict=True):
            rest_a, rest_b = self._halves(view, rng) if body else (_View(()), _View(()))
            bare.append(not (rest_a.skills or rest_a.text or rest_b.skills or rest_b.text))
            for sides, title, rest in ((sides_a, t, rest_a), (sides_b, u, rest_b)):
                untitled = rest.text and rng.random() < self._config.untitled
                sides.append(_View(() if untitled else self._title(view, title, rng), rest.skills, rest.text))
        lexicon = self._data.lexicon
        words = rng.choice(lexicon, size=min(len(lexicon), self._config.words))
        junk = rng.choice(self._data.garbage, size=max(1, len(anchors) // 8) if self._config.garbage else 0)
        return Batch(
            a=self._side(views, first, sides_a, rng),
            b=self._side(views, second, sides_b, rng),
            occupations=anchors[:, 0],
            ancestors=self._data.ancestors[anchors[:, 0]],
            bare=np.array(bare, np.bool_),
            garbage=self._tokens([_View((int(text),)) for text in junk], rng),
            words=Side(self._tokens([_View((int(text),)) for text in words], rng), words, words),
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

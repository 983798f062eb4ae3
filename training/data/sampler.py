"""Which views of which occupations meet in a batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rolecall.encoder.tokens import Tokens
from rolecall.training.config import TrainConfig
from rolecall.training.data.dataset import Dataset, Ints, Views

MOST_PARTS = 8  # tasks, and skills, in one view
SAME_LANGUAGE, ENGLISH = (
    0.5,
    0.35,
)  # partners of a title that is not English; the rest is in any other language
ITSELF = 0.15  # of the pairs with fields, those that have one title on both sides
SKILLS, TEXT = 0.6, 0.5  # of the sides that draw their fields, those that carry skills, and texts


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
    bare: NDArray[np.bool_]  # (n,) pairs of English titles alone, of occupations: a teacher has an opinion
    plain: NDArray[np.bool_]  # (n,) first sides that are a title and nothing else, in any language
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
        weights = self._shares()
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

    def _shares(self) -> NDArray[np.float64]:
        """How often each anchor is drawn in an epoch, on average. (anchors,)"""
        groups = self._anchors[:, 0]
        sources = self._data.sources[groups]
        views = self._data.views
        languages = np.array([views[g].languages[t] for g, t in self._anchors], np.int64)
        kinds = np.where(languages > 0, -languages, sources)  # 0: English titles of occupations
        _, places, counts = np.unique(
            groups * (kinds.max() - kinds.min() + 1) + kinds, return_inverse=True, return_counts=True
        )
        weights = counts[places].astype(np.float64) ** -self._config.balance
        pairs = float((kinds == 0).sum())
        total = pairs / (1 - self._config.aside - self._config.foreign)
        blocks = (
            (kinds == 0, pairs),
            (kinds > 0, total * self._config.aside),
            (kinds < 0, total * self._config.foreign),
        )
        for block, share in blocks:
            sizes = {kind: float((kinds == kind).sum()) ** 0.5 for kind in np.unique(kinds[block])}
            for kind, size in sizes.items():
                mine = kinds == kind
                weights[mine] *= share * size / sum(sizes.values()) / weights[mine].sum()
        return weights

    def _picks(self, rng: np.random.Generator) -> Ints:
        """Numbers of anchors: one of weight w is drawn w times, rounded up or down (systematic sampling)."""
        marks = (np.arange(self._pairs) + rng.random()) * (self._ends[-1] / self._pairs)
        picks: Ints = np.searchsorted(self._ends, marks, side="right")
        return picks

    def _draw(self, anchors: Ints, rng: np.random.Generator) -> Batch:
        views = [self._data.views[o] for o, _ in anchors]
        first = anchors[:, 1]
        with_fields = rng.random(len(anchors)) < self._config.documents
        itself = with_fields & (rng.random(len(anchors)) < ITSELF)
        second = np.array(
            [t if same else self._partner(v, t, rng) for t, v, same in zip(first, views, itself, strict=True)]
        )
        sides_a: list[_View] = []
        sides_b: list[_View] = []
        for view, (group, t), u, drawn in zip(views, anchors, second, with_fields, strict=True):
            rest_a, rest_b = self._halves(view, rng) if drawn else (_View(()), _View(()))
            for sides, title, rest in ((sides_a, t, rest_a), (sides_b, u, rest_b)):
                sides.append(self._side_view(int(group), int(title), rest, rng, drawn=bool(drawn)))
        bare = [
            not (self._data.sources[group] or view.languages[t] or view.languages[u])
            and not (a.skills or a.text or b.skills or b.text)
            for view, (group, t), u, a, b in zip(views, anchors, second, sides_a, sides_b, strict=True)
        ]
        plain = [
            not (side.skills or side.text) and not self._data.skills[g]
            for side, (g, _) in zip(sides_a, anchors, strict=True)
        ]
        known = self._data.vacancies
        vacancies = rng.choice(known, size=min(len(known), self._config.vacancies))
        junk = rng.choice(self._data.garbage, size=max(1, len(anchors) // 4) if self._config.garbage else 0)
        return Batch(
            a=self._side(views, first, sides_a, rng),
            b=self._side(views, second, sides_b, rng),
            occupations=anchors[:, 0],
            ancestors=self._data.ancestors[anchors[:, 0]],
            bare=np.array(bare, np.bool_),
            plain=np.array(plain, np.bool_),
            garbage=self._tokens([_View((int(text),)) for text in junk], rng),
            vacancies=Side(
                self._tokens([_View((int(text),)) for text in vacancies], rng), vacancies, vacancies
            ),
        )

    def _partner(self, view: Views, title: int, rng: np.random.Generator) -> int:
        """Another title of the occupation, of the language that is drawn if it has one there."""
        language = int(view.languages[title])
        luck = rng.random()
        if language == 0:
            wanted = view.languages == 0
            if title != 0 and luck < self._config.preferred:
                return 0
        elif luck < SAME_LANGUAGE:
            wanted = view.languages == language
        elif luck < SAME_LANGUAGE + ENGLISH:
            wanted = view.languages == 0
        else:
            wanted = (view.languages != language) & (view.languages != 0)
        places = np.flatnonzero(wanted)
        places = places[places != title]
        if not len(places):
            return int(title + rng.integers(1, len(view.titles))) % len(view.titles)
        return int(places[rng.integers(len(places))])

    def _side_view(
        self, group: int, title: int, rest: "_View", rng: np.random.Generator, *, drawn: bool
    ) -> "_View":
        """One side with the fields that it happens to have."""
        view = self._data.views[group]
        if not drawn:
            return _View(self._title(view, title, rng))
        skills, text = list(rest.skills), list(rest.text)
        if rng.random() >= SKILLS:
            skills = []
        if rng.random() >= TEXT:
            text = []
        name = self._title(view, title, rng)
        if self._data.skills[group] and not text and rng.random() < 0.4:
            return _View((), tuple(name))  # a skill's name stands among skills, too
        if (skills or text) and rng.random() < self._config.untitled:
            name = []
        if skills and rng.random() < 0.1:
            skills += _picked(self._data.torn, int(rng.integers(1, 7)), rng)
        if text and rng.random() < 0.3:
            text += _picked(self._data.boilerplate, int(rng.integers(1, 4)), rng)
        return _View(tuple(name), tuple(skills), tuple(text))

    def _title(self, view: Views, title: int, rng: np.random.Generator) -> list[int]:
        spelled = view.variants if rng.random() < self._config.variants else view.titles
        texts = [int(spelled[title])]
        if rng.random() < self._config.noise:
            texts += _picked(self._data.surroundings, int(rng.integers(1, 3)), rng)
        if rng.random() < self._config.several:
            same = np.flatnonzero(view.languages == view.languages[title])
            texts += _picked(view.titles[same], int(rng.integers(1, 3)), rng)
        return texts

    def _halves(self, view: Views, rng: np.random.Generator) -> tuple[_View, _View]:
        """Two views of one occupation that share no task and no skill; each of a length of its own."""
        tasks, skills = rng.permutation(view.tasks).tolist(), rng.permutation(view.skills).tolist()
        lists = [self._some(each, rng) for each in (skills[0::2], skills[1::2])]
        bodies = [self._some(each, rng) for each in (tasks[0::2], tasks[1::2])]
        bodies[rng.integers(2)].extend(view.texts.tolist())
        return _View((), lists[0], bodies[0]), _View((), lists[1], bodies[1])

    def _some(self, texts: list[int], rng: np.random.Generator) -> list[int]:
        """The first few or many: 1 to MOST_PARTS, all orders of magnitude alike."""
        return texts[: round(float(MOST_PARTS ** rng.random()))]

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


def _picked(texts: Ints, count: int, rng: np.random.Generator) -> list[int]:
    """Some of them by chance, possibly one twice; ten times as fast as `rng.choice`."""
    picked: list[int] = texts[rng.integers(len(texts), size=count)].tolist()
    return picked

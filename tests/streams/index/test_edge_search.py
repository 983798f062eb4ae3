"""The search in memory finds what a comparison of everything finds."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from rolecall.streams.index.conditions import All, AnyOf, Condition
from rolecall.streams.index.edge import sketches
from rolecall.streams.index.edge.points import Points
from rolecall.streams.index.edge.search import NOWHERE, Wanted, found, ranked
from rolecall.streams.index.edge.sketches import Vectors
from rolecall.streams.index.port import SCORE_UNITS, Least

EVERYTHING = All()
COUNTRIES = ("NL", "DE", "FR", "SM")
SHARES = (0.6, 0.3, 0.09, 0.01)


def unit(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Market:
    """Clustered vectors with floors, kinds and countries. They are written, replaced and dropped."""

    def __init__(self, dims: int, spread: float) -> None:
        self._random = np.random.default_rng(7)
        self._spread = spread
        self._centres = self._random.normal(size=(40, dims))
        self.points = Points(dims)
        self.kept: dict[int, tuple[Vectors, float, int, str]] = {}

    def vectors(self, count: int) -> Vectors:
        noise = self._spread * self._random.normal(size=(count, self._centres.shape[1]))
        return unit(self._centres[self._random.integers(40, size=count)] + noise)

    def write(self, count: int) -> None:
        for vector in self.vectors(count):
            id, floor = int(self._random.integers(6000)), float(self._random.uniform(0.2, 1.5))
            kind, country = int(self._random.integers(2)), str(self._random.choice(COUNTRIES, p=SHARES))
            payload = {"floor": round(floor * SCORE_UNITS), "kind": kind, "country": country, "number": id}
            self.points.put(id, vector, {"id": str(id), "revision": 1, **payload})
            self.kept[id] = (vector, payload["floor"] / SCORE_UNITS, kind, country)

    def drop(self, count: int) -> None:
        for id in self._random.choice(list(self.kept), count, replace=False).tolist():
            self.points.drop(id)
            del self.kept[id]

    def rows(self, condition: Condition = EVERYTHING) -> tuple[np.ndarray, Vectors, np.ndarray, np.ndarray]:
        """Ids, vectors, floors and kinds of those that pass."""
        values = condition.values if isinstance(condition, AnyOf) else COUNTRIES
        kept = {id: each for id, each in self.kept.items() if each[3] in values}
        vectors, floors, kinds, _ = zip(*kept.values(), strict=True)
        return np.array(list(kept)), np.stack(vectors), np.array(floors), np.array(kinds)

    def found(self, queries: Vectors, wanted: Wanted) -> Iterator[list[int]]:
        for rows, scores in found(self.points, queries, [wanted] * len(queries)):
            assert len(set(rows.tolist())) == len(rows) == len(scores)
            yield [int(str(self.points.at(row)["number"])) for row in rows.tolist()]


def asked(
    condition: Condition = EVERYTHING, limit: int = 0, *, useful: Least | None = None, reach: int = 0
) -> Wanted:
    return Wanted(condition, limit, None, useful, NOWHERE, reach, useful)


@pytest.fixture(params=[(8, 0.3), (8, 3.0), (300, 0.3), (300, 3.0)], ids=str)
def market(request: pytest.FixtureRequest) -> Market:
    return Market(*request.param)


@pytest.fixture(params=[900, 5000])
def written(request: pytest.FixtureRequest, market: Market) -> Market:
    """Searched between the writes, so that what is kept of them has to follow."""
    for _ in range(2):
        market.write(request.param)
        list(market.found(market.vectors(3), asked(limit=3)))
        market.drop(200)
    return market


@pytest.mark.parametrize("condition", [EVERYTHING, *(AnyOf("country", (each,)) for each in COUNTRIES)])
def test_the_best_are_those_of_a_plain_sort(written: Market, condition: Condition) -> None:
    queries = written.vectors(70)
    hits = list(written.found(queries, asked(condition, 10)))
    ids, vectors, _, _ = written.rows(condition)
    for row, each in zip(queries @ vectors.T, hits, strict=True):
        last = np.sort(row)[-10:].min()
        assert set(ids[row > last + 1e-6].tolist()) <= set(each) <= set(ids[row > last - 1e-6].tolist())
        assert len(each) == min(10, len(ids))


def test_what_no_point_fulfils_is_not_found(written: Market) -> None:
    nowhere = asked(AnyOf("country", ("XX",)), 10, reach=10)
    assert list(written.found(written.vectors(3), nowhere)) == [[]] * 3


def test_of_each_kind_the_best_that_score_as_much_as_it_must(written: Market) -> None:
    ids, vectors, _, kinds = written.rows()
    queries = written.vectors(70)
    scores = queries @ vectors.T
    least = np.array([0.4, 0.6, 0.4])
    hits = written.found(queries, asked(limit=10, useful=(least * SCORE_UNITS).astype(np.int32)))
    for row, each in zip(scores, hits, strict=True):
        useful = row >= least[kinds] - 1e-5  # one unit less, for rounding
        last = np.sort(row[useful])[-10:].min(initial=np.inf)
        best, maybe = useful & (row > last + 1e-6), useful & (row > last - 1e-6)
        assert set(ids[best].tolist()) <= set(each) <= set(ids[maybe].tolist())


def test_none_whose_floor_is_reached_is_missed_and_no_other_is_found(written: Market) -> None:
    ids, vectors, floors, _ = written.rows()
    queries = np.concatenate([written.vectors(40), vectors[:30]])
    scores = queries @ vectors.T
    for row, each in zip(scores, written.found(queries, asked(reach=10_000)), strict=True):
        sure = set(ids[row > floors + 1e-5].tolist())
        maybe = set(ids[row > floors - 1e-5].tolist())
        assert sure <= set(each) <= maybe


def test_none_is_reached_that_scores_less_than_its_kind_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketches, "AXES", 8)  # the bounds alone rule out few
    written = Market(300, 3.0)
    written.write(5000)
    ids, vectors, floors, kinds = written.rows()
    queries = written.vectors(70)
    least = np.array([0.2, 0.3, 0.2])
    hits = written.found(queries, asked(reach=10_000, useful=(least * SCORE_UNITS).astype(np.int32)))
    for row, each in zip(queries @ vectors.T, hits, strict=True):
        enough = np.maximum(floors, least[kinds])
        sure = set(ids[row > enough + 1e-5].tolist())
        maybe = set(ids[row > enough - 2e-5].tolist())
        assert sure <= set(each) <= maybe


def test_a_point_that_came_and_went_between_two_searches_leaves_no_trace(written: Market) -> None:
    query = written.vectors(1)
    before = list(written.found(query, asked(limit=10)))
    written.points.put(-1, query[0], {"number": -1})
    written.points.drop(-1)
    assert list(written.found(query, asked(limit=10))) == before


def test_all_that_score_enough_come_best_first(written: Market) -> None:
    ids, vectors, _, _ = written.rows()
    queries = np.concatenate([written.vectors(20), vectors[:60]])
    least = float(np.quantile(queries @ vectors.T, 0.99))
    for row, hits in zip(queries @ vectors.T, ranked(written.points, queries, least), strict=True):
        assert set(ids[row > least + 1e-6].tolist()) <= set(hits) <= set(ids[row > least - 1e-6].tolist())
        scored = dict(zip(ids.tolist(), row.tolist(), strict=True))
        assert all(scored[one] > scored[next] - 1e-6 for one, next in pairwise(hits))


def test_one_pair_has_one_score_in_every_search(written: Market) -> None:
    _, vectors, _, _ = written.rows()
    rows = np.arange(len(written.points))
    some = written.points.scores(vectors[0], rows[::7])
    assert some.tolist() == written.points.scores(vectors[0], rows)[::7].tolist()
    one, other = (
        written.points.vectors([written.points.id_at(row)])[0] for row in (0, len(written.points) // 2)
    )
    there, back = Points(len(one)), Points(len(one))
    there.put(1, other, {})
    back.put(1, one, {})
    assert there.scores(one, np.array([0])) == back.scores(other, np.array([0]))

import numpy as np
import pytest

from rolecall.streams.index.edge.exact_nearest import NOWHERE, Nearest, Vectors

DIMS = 8


def test_the_best_are_those_of_a_plain_sort_whatever_was_written_before() -> None:
    random = np.random.default_rng(5)
    nearest = Nearest(DIMS)
    kept: dict[int, Vectors] = {}
    for _ in range(6000):
        id, vector = int(random.integers(2000)), random.normal(size=DIMS).astype(np.float32)
        if random.random() < 0.3:
            nearest.drop(id)
            kept.pop(id, None)
        else:
            nearest.put(id, vector)
            kept[id] = vector
    assert len(nearest) == len(kept) > 1024
    queries = random.normal(size=(100, DIMS)).astype(np.float32)
    ids, vectors = np.array(list(kept)), np.stack(list(kept.values()))
    expected = ids[np.argsort(-(queries @ vectors.T), axis=1)[:, :10]]  # (queries, 10)
    found = [nearest.highest(scores, 10, NOWHERE) for scores in nearest.scores(queries)]
    assert found == [set(row) for row in expected.tolist()]


def unit(vectors: Vectors) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("dims", [8, 300])
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_none_that_scores_enough_is_missed_and_none_that_does_not_is_found(dims: int, spread: float) -> None:
    """Clustered vectors, written, replaced and dropped between searches."""
    random = np.random.default_rng(7)
    nearest, kept = Nearest(dims), {}
    centres = random.normal(size=(40, dims))
    for written in (3000, 500, 4000):
        vectors = unit(
            centres[random.integers(40, size=written)] + spread * random.normal(size=(written, dims))
        )
        for vector in vectors:
            id = int(random.integers(6000))
            nearest.put(id, vector)
            kept[id] = vector
        for id in random.choice(list(kept), 200, replace=False).tolist():
            nearest.drop(id)
            del kept[id]
        ids, stored = np.array(list(kept)), np.stack(list(kept.values()))
        queries = np.concatenate([unit(random.normal(size=(20, dims))), stored[:60]])
        scores = queries @ stored.T
        least = np.quantile(scores, 0.99, axis=1) + 1e-4 * random.random(len(queries))  # not on a score
        found = nearest.ranked(queries, [(10_000, float(each)) for each in least])
        for hits, row, each in zip(found, scores, least, strict=True):
            sure = {int(id) for id in ids[row > each + 1e-6]}
            maybe = {int(id) for id in ids[row > each - 1e-6]}
            assert sure <= {id for id, _ in hits} <= maybe
            assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)

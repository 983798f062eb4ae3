import numpy as np

from streams.nearest import Nearest, Vectors

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
    assert list(nearest.best(queries, 10)) == [set(row) for row in expected.tolist()]

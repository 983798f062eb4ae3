"""The drift of documents that resemble the training texts, and of others."""

import numpy as np
import pytest

from rolecall.encoder.usage import usage
from rolecall.streams.monitor.drift import FEWEST, MOST, Window
from rolecall.streams.monitor.health import Health
from rolecall.streams.monitor.metrics import Metrics

GROUPS, SIZE = 4, 4


def sample(seed, documents, favourite=None):
    """Vectors with a peak at a random value of each group, or mostly at `favourite`."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, SIZE, (documents, GROUPS))
    if favourite is not None:
        chosen[rng.random((documents, GROUPS)) < 0.5] = favourite
    vectors = np.eye(SIZE, dtype=np.float32)[chosen].reshape(documents, -1)
    return vectors, rng.uniform(0.5, 0.8, documents).astype(np.float32)


class Model:
    groups = GROUPS
    version, dims, device = "m", GROUPS * SIZE, "cpu"

    def __init__(self, known=True):
        self.usage = usage(*sample(1, 10_000), GROUPS, "random") if known else None


@pytest.fixture
def window():
    return Window(Model())


def add(window, vectors, certainty):
    window.add(list(vectors), certainty.tolist())


def test_documents_like_the_training_texts_do_not_drift(window):
    add(window, *sample(2, 5_000))
    drift = window.drift()
    assert max(drift.values.max(), drift.certainty) < 0.02
    assert drift.advice == "little has changed"


def test_a_value_chosen_far_more_often_is_drift(window):
    """Shares of 1/4 each become 5/8 and 1/8: .375 ln 2.5 + 3 * .125 ln 2 = .604"""
    add(window, *sample(3, 10_000, favourite=2))
    drift = window.drift()
    assert drift.mean == pytest.approx(0.604, abs=0.05)
    assert drift.advice == "much has changed: retrain"


def test_less_certain_documents_are_drift_though_their_values_are_the_same(window):
    vectors, certainty = sample(4, 5_000)
    add(window, vectors, certainty - 0.3)
    drift = window.drift()
    assert drift.mean < 0.02
    assert drift.advice == "much has changed: retrain"


def test_of_too_few_nothing_is_said(window):
    add(window, *sample(5, FEWEST - 1))
    assert window.drift() is None


def test_without_a_reference_nothing_is_said():
    window = Window(Model(known=False))
    add(window, *sample(6, 5_000))
    assert window.drift() is None


def test_what_is_long_past_is_forgotten(window):
    add(window, *sample(7, MOST, favourite=2))
    for seed in range(10):
        add(window, *sample(10 + seed, MOST))
    assert window.documents <= 2 * MOST
    assert window.drift().mean < 0.02


def test_it_is_exported_once_enough_documents_came():
    metrics = Metrics(Health(None))
    metrics.model(Model())

    def index(of):
        return metrics.registry.get_sample_value("rolecall_drift_psi", {"topic": "vacancies", "of": of})

    assert index("values") is None
    add(metrics._windows["vacancies"], *sample(3, 5_000, favourite=2))
    assert index("values") == pytest.approx(0.604, abs=0.05)
    assert index("certainty") < 0.02

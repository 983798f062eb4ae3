import numpy as np
import torch
from torch.nn import functional

from rolecall.encoder.tokens import Vocabulary
from rolecall.training.config import TrainConfig
from rolecall.training.data import dataset
from rolecall.training.data.ontology import Occupation
from rolecall.training.fit import teacher

TRADES = ("cook", "pilot", "nurse", "welder")
JOBS = [
    Occupation(f"t:{job}", "", tuple(f"{grade} {job}" for grade in ("red", "big", "old"))) for job in TRADES
]
UNLABELLED = [f"night {job}" for job in TRADES]
SKILLS = [Occupation("skill:1", "", ("sing", "chant"))]
DATA = dataset.build(JOBS, Vocabulary(["[UNK]"]), seed=0, aside=SKILLS, unlabelled=UNLABELLED)
CONFIG = TrainConfig(batch=12, adapt=150, aside=0.25, documents=0.5, distil=1.0, opinions="someone")


def read(texts: list[str]) -> torch.Tensor:
    """Vectors of a model for which the grade of a title matters most, and the trade a little. (texts, 64)"""
    rng = np.random.default_rng(0)
    words = {word: rng.normal(size=64) for text in texts for word in text.split()}
    rows = [1.3 * words[grade] + words[trade] for grade, trade in map(str.split, texts)]
    return functional.normalize(torch.tensor(np.array(rows), dtype=torch.float32), dim=1)


VECTORS = read(DATA.store.texts[: DATA.readable])


def test_an_adapter_starts_as_the_model_it_adapts() -> None:
    torch.testing.assert_close(teacher.Adapter(64)(VECTORS), VECTORS)


def test_titles_without_a_label_come_to_lie_beside_their_occupation() -> None:
    """Before training, they lie beside a title of another trade with the same grade."""
    assert not trade_is_nearest(VECTORS).any()
    assert trade_is_nearest(teacher.adapt(VECTORS, DATA, CONFIG)).all()


def trade_is_nearest(vectors: torch.Tensor) -> torch.Tensor:
    """For each title without a label, whether the nearest title has the same trade. (trades,) bool"""
    trades = torch.tensor([TRADES.index(text.split()[1]) for text in DATA.store.texts[: DATA.readable]])
    scores = vectors[DATA.vacancies] @ vectors.T
    scores[torch.arange(len(TRADES)), torch.from_numpy(DATA.vacancies)] = -1
    return trades[scores.argmax(1)] == trades[DATA.vacancies]


def test_what_was_learned_is_unit_vectors_and_the_same_again() -> None:
    learned = teacher.adapt(VECTORS, DATA, CONFIG)
    torch.testing.assert_close(learned.norm(dim=1), torch.ones(DATA.readable))
    torch.testing.assert_close(teacher.adapt(VECTORS, DATA, CONFIG), learned, atol=0, rtol=0)

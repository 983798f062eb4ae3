"""Speed of the encoder compared with MiniLM. Both run in this process, in turns."""

import random
import time
from collections.abc import Callable, Sequence

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.judge.evaluate import System

Read = Callable[[Sequence[Document]], object]
ROUNDS = 3


def short_titles(titles: Sequence[str], count: int, *, seed: int = 0) -> list[Document]:
    """Different titles. They are repeated if there are too few."""
    rng = random.Random(seed)
    return [Document(title) for title in rng.choices(titles, k=count)]


def long_documents(
    titles: Sequence[str], sentences: Sequence[str], count: int, *, words: int = 200
) -> list[Document]:
    """A title and real sentences, cut at `words` words."""
    rng = random.Random(1)
    documents = []
    for title in rng.choices(titles, k=count):
        text: list[str] = []
        while len(text) < words:
            text += rng.choice(sentences).split()
        documents.append(Document(title, text=" ".join(text[:words])))
    return documents


def ratio(encoder: Encoder, minilm: System, documents: list[Document], *, slow: int) -> dict[str, float]:
    """Documents per second of both: the best of several rounds. MiniLM reads only the first `slow`."""
    fast_rates, slow_rates = [], []
    for _ in range(ROUNDS):
        fast_rates.append(_rate(encoder.encode, documents))
        slow_rates.append(_rate(minilm, documents[:slow]))
    return {
        "encoder_per_s": max(fast_rates),
        "minilm_per_s": max(slow_rates),
        "ratio": max(fast_rates) / max(slow_rates),
    }


def _rate(read: Read, documents: Sequence[Document]) -> float:
    began = time.perf_counter()
    read(documents)
    return len(documents) / (time.perf_counter() - began)

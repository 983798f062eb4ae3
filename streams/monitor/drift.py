"""Whether vacancies and candidates still look like what the model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rolecall.encoder.model import Encoder
from rolecall.encoder.usage import BINS, Counts, certainty_counts, stability, value_counts
from rolecall.streams.matching.card import Vector

FEWEST = 1_000  # documents; with fewer, chance alone moves the index by more than .01
MOST = 20_000  # at this many, all counts are halved, so that newer documents weigh more

MODERATE, MUCH = 0.1, 0.25  # of the population stability index, by convention


@dataclass(frozen=True, slots=True)
class Drift:
    values: Counts  # (groups,): the index of each group
    certainty: float

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    @property
    def advice(self) -> str:
        worst = max(self.mean, self.certainty)
        if worst >= MUCH:
            return "much has changed: retrain"
        return "something has changed: watch it" if worst >= MODERATE else "little has changed"


class Window:
    """Counts of the newest documents of one kind, against the model's own."""

    def __init__(self, encoder: Encoder) -> None:
        self._reference = encoder.usage
        self._groups = encoder.groups
        self._values: Counts = np.zeros(1)
        self._certainty: Counts = np.zeros(BINS)

    def add(self, vectors: Sequence[Vector], certainty: Sequence[float]) -> None:
        if self._reference is None or not vectors:
            return
        if self._certainty.sum() >= MOST:
            self._values = self._values / 2
            self._certainty = self._certainty / 2
        self._values = self._values + value_counts(np.stack(vectors), self._groups)
        self._certainty = self._certainty + certainty_counts(np.asarray(certainty, np.float32))

    @property
    def documents(self) -> int:
        return int(self._certainty.sum())

    def drift(self) -> Drift | None:
        """None if the model has no reference, or if too few documents came."""
        if self._reference is None or self.documents < FEWEST:
            return None
        values = stability(np.array(self._reference.values), self._values)
        certainty = stability(np.array(self._reference.certainty), self._certainty)
        return Drift(values, float(certainty))

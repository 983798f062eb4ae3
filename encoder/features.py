"""Names of the values of each group, and the values that two documents share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Shared:
    """One value that both documents chose."""

    group: int
    value: int
    name: str  # the most typical titles of the value
    share: float  # of the pair's score, in [0, 1]


@dataclass(frozen=True, slots=True)
class Features:
    names: tuple[tuple[str, ...], ...]  # [group][value]; empty for a model without names

    def explain(
        self, vector_a: NDArray[np.float32], vector_b: NDArray[np.float32], top: int = 3
    ) -> list[Shared]:
        """The values that add most to the dot product of two vectors (dims,), largest first.

        Each name is listed once. Empty if the model has no names or the documents share nothing.
        """
        if not self.names:
            return []
        size = len(self.names[0])
        parts = vector_a * vector_b  # (dims,)
        total = float(parts.sum())
        found: dict[str, Shared] = {}
        for index in np.argsort(-parts, kind="stable"):
            if len(found) == top or parts[index] <= 0:
                break
            group, value = divmod(int(index), size)
            name = self.names[group][value]
            if name:
                found.setdefault(name, Shared(group, value, name, float(parts[index]) / total))
        return list(found.values())

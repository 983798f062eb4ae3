"""Hidden state -> embedding. The head of the article, and the two forms it is compared with.

`sqrt` (default): square roots of softmax groups, whose dot product is the mean Bhattacharyya coefficient.
`plain`: softmax groups as in "Metric Learning Tips & Tricks" (Vasnetsov 2021), dot product.
`cosine`: no groups, a unit vector; it knows nothing of certainty, so its certainty is always 1.
"""

from typing import Literal, NamedTuple

import torch
from torch import nn

from encoder import similarity

Form = Literal["sqrt", "plain", "cosine"]


class Embedded(NamedTuple):
    vectors: torch.Tensor  # (batch, groups * size)
    certainty: torch.Tensor  # (batch,) in [0, 1]


class SoftmaxGroups(nn.Module):
    def __init__(self, hidden: int, *, groups: int, size: int, form: Form = "sqrt") -> None:
        super().__init__()
        self.groups, self.size, self.form = groups, size, form
        self.norm = nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, groups * size)

    @property
    def dims(self) -> int:
        return self.groups * self.size

    def forward(self, hidden: torch.Tensor, present: torch.Tensor) -> Embedded:
        """hidden: (batch, hidden). present: (batch,), 0 for documents without a token: they are uniform."""
        logits = self.project(self.norm(hidden)) * present[:, None]  # (batch, groups * size)
        if self.form == "cosine":
            unit = nn.functional.normalize(logits, dim=-1)
            return Embedded(unit, present.clone())
        p = logits.unflatten(-1, (self.groups, self.size)).softmax(-1)  # (batch, groups, size)
        vectors = similarity.embedding(p) if self.form == "sqrt" else p.flatten(-2) / self.groups**0.5
        return Embedded(vectors, similarity.certainty(p))

"""Hidden state -> embedding. The head of the article, and the two forms it is compared with.

`sqrt` (default): square roots of softmax groups, whose dot product is the mean Bhattacharyya coefficient.
`plain`: softmax groups as in "Metric Learning Tips & Tricks" (Vasnetsov 2021), dot product.
`cosine`: a unit vector without groups. It has no measure of certainty, so its certainty is always 1.
"""

from typing import Literal, NamedTuple

import torch
from torch import nn

from rolecall.encoder import similarity

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
        # The projection may be kept in bfloat16 for speed; the rest is done in float32.
        normed = self.norm(hidden).to(self.project.weight.dtype)
        logits = self.project(normed).float() * present[:, None]  # (batch, groups * size)
        if self.form == "cosine":
            unit = nn.functional.normalize(logits, dim=-1)
            return Embedded(unit, present.clone())
        log_p = logits.unflatten(-1, (self.groups, self.size)).log_softmax(-1)  # (batch, groups, size)
        if self.form == "sqrt":
            vectors = similarity.embedding(log_p)
        else:
            vectors = log_p.exp().flatten(-2) / self.groups**0.5
        return Embedded(vectors, similarity.certainty(log_p) * present)

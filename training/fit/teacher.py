"""The teacher: a large model with fixed weights, and a layer over its vectors that learns the occupations."""

from itertools import chain

import torch
from torch import nn
from torch.nn import functional
from torch.optim import AdamW

from rolecall.training.config import TrainConfig
from rolecall.training.data.dataset import Dataset
from rolecall.training.data.sampler import PairSampler
from rolecall.training.fit import loop, losses

TEMPERATURE = 0.03
LEARNING_RATE = 3e-4
ROWS = 4096  # vectors that go through the layer at once


class Adapter(nn.Module):
    """A linear map that starts as the identity, plus a layer twice as wide that starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.straight = nn.Linear(width, width, bias=False)
        self.widen, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.eye_(self.straight.weight)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """vectors: (n, width), unit length. So is what is returned."""
        wide = functional.gelu(self.widen(vectors * vectors.shape[1] ** 0.5))
        return functional.normalize(self.straight(vectors) + self.narrow(wide), dim=1)


def adapt(vectors: torch.Tensor, data: Dataset, config: TrainConfig) -> torch.Tensor:
    """Trains an `Adapter` so that titles of one occupation get similar vectors; returns all adapted vectors.

    In-batch cross-entropy for `config.adapt` epochs. Titles without a label are adapted too.
    vectors: (readable texts, width), unit length. So is what is returned.
    """
    titles = {"documents": 0.0, "garbage": 0.0, "aside": 0.0, "foreign": 0.0, "vacancies": 0}
    sampler = PairSampler(data, config.model_copy(update=titles))
    torch.manual_seed(config.seed)
    adapter = Adapter(vectors.shape[1])
    optimizer = AdamW(adapter.parameters(), fused=True, weight_decay=0.0)
    batches = chain.from_iterable(sampler.epoch(number) for number in range(config.adapt))
    for step, batch in enumerate(batches):
        read = batch.bare  # not those whose partner is in another language, for want of an English one
        a, b = (adapter(vectors[side.titles[read]]) for side in (batch.a, batch.b))
        occupations, keys_a, keys_b = (
            torch.from_numpy(each[read]) for each in (batch.occupations, batch.a.keys, batch.b.keys)
        )
        masked = losses.same_meaning(occupations, keys_a, keys_b)
        loss = losses.cross_entropy(a @ b.T, masked, temperature=TEMPERATURE)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * loop.pace(step, config.adapt * len(sampler))
        optimizer.step()
    with torch.inference_mode():
        return torch.cat([adapter(part) for part in torch.split(vectors, ROWS)])

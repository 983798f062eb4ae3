"""The oracle is the plain loss on the whole batch."""

import pytest
import torch

from rolecall.encoder.artifact import Shape
from rolecall.encoder.document import Document
from rolecall.encoder.model import Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.training.fit import large_batch, losses

WORDS = Vocabulary(["[UNK]", *(f"w{n}" for n in range(30))])
MASKED = torch.rand(20, 20, generator=torch.Generator().manual_seed(0)).lt(0.2).fill_diagonal_(False)


def network() -> Network:
    torch.manual_seed(0)
    return Network(Shape(vocabulary=len(WORDS), hidden=8, groups=4, size=4))


def documents(seed: int) -> list[Document]:
    ids = torch.randint(30, (20, 5), generator=torch.Generator().manual_seed(seed))
    return [Document(" ".join(f"w{n}" for n in row[:2]), text=" ".join(f"w{n}" for n in row)) for row in ids]


@pytest.mark.parametrize("rows", [1, 7, 20, 64])
def test_rows_at_a_time_give_the_same_loss_and_gradients(rows: int) -> None:
    torch.manual_seed(1)
    plain = [torch.rand(20, 6, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    parts = [vectors.detach().clone().requires_grad_() for vectors in plain]
    expected = losses.cross_entropy(plain[0] @ plain[1].T, MASKED, temperature=0.1)
    found = large_batch.cross_entropy(
        parts[0], parts[1], lambda part: MASKED[part], temperature=0.1, rows=rows
    )
    expected.backward()  # type: ignore[no-untyped-call]
    found.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, expected)
    for ours, theirs in zip(parts, plain, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 6, 20, 50])
def test_parts_of_a_batch_give_the_gradients_of_the_whole(size: int) -> None:
    sides = [WORDS.tokens_of(documents(seed)) for seed in (1, 2)]
    whole, parts = network(), network()

    def loss_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return losses.cross_entropy(a @ b.T, MASKED)

    expected = loss_of(*(whole(side).vectors for side in sides))
    expected.backward()  # type: ignore[no-untyped-call]
    found = large_batch.backward(lambda tokens: parts(tokens).vectors, sides, loss_of, documents=size)
    torch.testing.assert_close(found, expected.detach())
    for ours, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)

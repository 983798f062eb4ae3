"""Batches that do not fit into memory at once. The gradients are exact.

`cross_entropy` never holds more than `rows` rows of the score matrix. `backward` runs the network on parts
of the batch twice, first for the vectors and then for their gradients (Gao et al. 2021, "Scaling Deep
Contrastive Learning Batch Size under Memory Limited Setup").
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd import Function

from rolecall.encoder.tokens import Tokens
from rolecall.training.fit.losses import LOW

Masked = Callable[[slice], torch.Tensor]  # rows -> (rows, n) bool, pairs that do not count as negatives
Embed = Callable[[Tokens], torch.Tensor]  # (documents, dims)


def cross_entropy(
    a: torch.Tensor, b: torch.Tensor, masked: Masked, *, temperature: float = 0.05, rows: int = 1024
) -> torch.Tensor:
    """`losses.cross_entropy` of the scores a @ b.T. a, b: (n, dims)."""
    loss: torch.Tensor = _CrossEntropy.apply(a, b, masked, temperature, rows)  # type: ignore[no-untyped-call]
    return loss


class _CrossEntropy(Function):
    @staticmethod
    def forward(
        ctx: Any, a: torch.Tensor, b: torch.Tensor, masked: Masked, temperature: float, rows: int
    ) -> torch.Tensor:
        n = len(a)
        row_sums, column_sums = a.new_empty(n), a.new_full((n,), -torch.inf)  # logsumexp of rows and columns
        for part in _slices(n, rows):
            logits = _logits(a, b, masked, temperature, part)  # (rows, n)
            row_sums[part] = logits.logsumexp(1)
            column_sums = torch.logaddexp(column_sums, logits.logsumexp(0))
        ctx.save_for_backward(a, b, row_sums, column_sums)
        ctx.masked, ctx.temperature, ctx.rows = masked, temperature, rows
        positives = (a * b).sum(1) / temperature
        return (row_sums + column_sums - 2 * positives).mean() / 2

    @staticmethod
    def backward(ctx: Any, *outer: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        a, b, row_sums, column_sums = ctx.saved_tensors
        grad_a, grad_b = torch.empty_like(a), torch.zeros_like(b)
        for part in _slices(len(a), ctx.rows):
            logits = _logits(a, b, ctx.masked, ctx.temperature, part)
            pull = (logits - row_sums[part, None]).exp() + (logits - column_sums).exp()  # (rows, n)
            here = torch.arange(part.start, part.stop, device=a.device)
            pull[here - part.start, here] -= 2
            grad_a[part] = pull @ b
            grad_b += pull.T @ a[part]
        scale = outer[0] / (2 * len(a) * ctx.temperature)
        return grad_a * scale, grad_b * scale, None, None, None


def backward(
    embed: Embed, sides: Sequence[Tokens], loss_of: Callable[..., torch.Tensor], *, documents: int = 1024
) -> torch.Tensor:
    """Adds the gradients of loss_of(*vectors of the sides) to the network, `documents` at a time.

    The network must be deterministic, because it runs twice. Returns the loss.
    """
    with torch.no_grad():
        vectors = [
            torch.cat([embed(side.part(p.start, p.stop)) for p in _slices(side.documents, documents)])
            for side in sides
        ]
    leaves = [vector.requires_grad_() for vector in vectors]
    loss = loss_of(*leaves)
    loss.backward()  # type: ignore[no-untyped-call]
    for side, leaf in zip(sides, leaves, strict=True):
        assert leaf.grad is not None
        for p in _slices(side.documents, documents):
            torch.autograd.backward(embed(side.part(p.start, p.stop)), leaf.grad[p])
    return loss.detach()


def _logits(
    a: torch.Tensor, b: torch.Tensor, masked: Masked, temperature: float, part: slice
) -> torch.Tensor:
    return (a[part] @ b.T / temperature).masked_fill(masked(part), LOW)


def _slices(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]

"""Similarity and certainty of group distributions. Pure."""

import math

import torch


def embedding(p: torch.Tensor) -> torch.Tensor:
    """Square roots divided by sqrt(groups): the dot product of two embeddings is their `bhattacharyya`.

    p: (…, groups, size), every group sums to 1. Returns (…, groups * size) of norm 1.
    """
    return (p / p.shape[-2]).sqrt().flatten(-2)


def bhattacharyya(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Mean over groups of sum(sqrt(p * q)): 1 for equal distributions, 0 where they share nothing. (…,)"""
    return (p * q).sqrt().sum(-1).mean(-1)


def certainty(p: torch.Tensor) -> torch.Tensor:
    """1 - entropy / log(size), mean of the groups: 0 when all are uniform, 1 when each has one value.

    p: (…, groups, size). Returns (…,).
    """
    entropy = torch.special.entr(p).sum(-1)  # (…, groups)
    peaked: torch.Tensor = 1 - entropy / math.log(p.shape[-1])
    return peaked.mean(-1).clamp(0, 1)

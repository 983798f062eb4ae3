"""Similarity and certainty of group distributions. Pure.

Distributions are given as logarithms, log_p: (…, groups, size). The exponentials of each group sum to 1.
"""

import math

import torch


def embedding(log_p: torch.Tensor) -> torch.Tensor:
    """Square roots divided by sqrt(groups): the dot product of two embeddings is their `bhattacharyya`.

    Returns (…, groups * size) of norm 1.
    """
    return (log_p * 0.5).exp().flatten(-2) / math.sqrt(log_p.shape[-2])


def bhattacharyya(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    """Mean over groups of sum(sqrt(p * q)): 1 for equal distributions, 0 for disjoint ones. (…,)"""
    return ((log_p + log_q) * 0.5).exp().sum(-1).mean(-1)


def certainty(log_p: torch.Tensor) -> torch.Tensor:
    """Mean over groups of 1 - entropy / log(size): 0 if all are uniform, 1 if each has one value. (…,)"""
    entropy = -torch.linalg.vecdot(log_p.exp(), log_p.clamp(min=-1e4))  # 0 * -inf is 0 here
    peaked: torch.Tensor = 1 - entropy / math.log(log_p.shape[-1])
    return peaked.mean(-1).clamp(0, 1)

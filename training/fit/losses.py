"""Losses over a batch of pairs (a[i], b[i]) that mean the same work. Pure functions of scores.

scores: (n, n), scores[i, j] = similarity of a[i] and b[j]; the diagonal holds the positive pairs.
masked: (n, n) bool, pairs that are no negatives although they are off the diagonal. Returns a scalar.
"""

import torch
from torch.nn import functional

LOW = -1e4  # what a masked logit becomes; large enough for exp to vanish, small enough for half precision


def same_meaning(
    groups: torch.Tensor, keys_a: torch.Tensor, keys_b: torch.Tensor, rows: slice | None = None
) -> torch.Tensor:
    """False negatives: same occupation, or the same string under two occupations. (rows, n) bool

    groups, keys_a, keys_b: (n,) integers; the diagonal is never masked. rows: all of them if None.
    """
    rows = rows or slice(0, len(groups))
    same = (groups[rows, None] == groups) | (keys_a[rows, None] == keys_a)
    same |= (keys_a[rows, None] == keys_b) | (keys_b[rows, None] == keys_b)
    same[torch.arange(len(same)), torch.arange(rows.start, rows.stop)] = False
    return same


def relatedness(ancestors: torch.Tensor) -> torch.Tensor:
    """Share of the levels of the tree at which two occupations are in the same group. (n, n) in [0, 1]

    ancestors: (n, levels) numbers of groups.
    """
    return (ancestors[:, None] == ancestors).float().mean(-1)


def cross_entropy(
    scores: torch.Tensor,
    masked: torch.Tensor,
    *,
    temperature: float = 0.05,
    related: torch.Tensor | None = None,
    share: float = 0.0,
) -> torch.Tensor:
    """In-batch softmax both ways (van den Oord et al. 2018, InfoNCE; Radford et al. 2021, CLIP).

    related: (n, n) in [0, 1]; `share` of each row's target goes to the related pairs in proportion, so that a
    confusion within a group costs less than one across groups. Rows without a related pair keep all of it.
    """
    logits = (scores / temperature).masked_fill(masked, LOW)
    if related is None or not share:
        target = torch.arange(len(scores), device=scores.device)
        return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2
    itself = torch.eye(len(scores), device=scores.device)
    others = related.masked_fill(masked | (itself > 0), 0.0)
    rows, columns = (_spread(itself, part, share) for part in (others, others.T))
    return (functional.cross_entropy(logits, rows) + functional.cross_entropy(logits.T, columns)) / 2


def _spread(itself: torch.Tensor, others: torch.Tensor, share: float) -> torch.Tensor:
    total = others.sum(1, keepdim=True)
    return itself * (1 - share * (total > 0)) + share * others / total.clamp(min=1e-9)


def supervised_contrastive(
    scores: torch.Tensor, positives: torch.Tensor, *, temperature: float = 0.05
) -> torch.Tensor:
    """Every pair of one occupation is a positive, each against all others (Khosla et al. 2020, L_out).

    positives: (n, n) bool with a true diagonal.
    """
    logits = scores / temperature
    log_p = logits - logits.logsumexp(1, keepdim=True)
    return -((log_p * positives).sum(1) / positives.sum(1)).mean()


def all_pairs(scores: torch.Tensor, masked: torch.Tensor, *, margin: float = 0.1) -> torch.Tensor:
    """Every random pair that scores above a positive pair, less a margin, is penalised (Vasnetsov 2021).

    The mean of relu(random - positive + margin) over all n * n² comparisons, exact. Sorting the positives
    turns the sum over them into one prefix sum for each random pair: the cost is n² log n, not n³.
    """
    positives, _ = scores.diagonal().sort()  # (n,)
    others = ~(masked | torch.eye(len(scores), dtype=torch.bool, device=scores.device))
    randoms = scores[others] + margin  # (m,)
    below = torch.searchsorted(positives.detach(), randoms.detach())  # (m,) positives each one exceeds
    sums = functional.pad(positives.cumsum(0), (1, 0))  # (n + 1,)
    total = (below * randoms - sums[below]).sum()
    return total / max(1, len(positives) * len(randoms))


def triplet(scores: torch.Tensor, masked: torch.Tensor, *, margin: float = 0.2) -> torch.Tensor:
    """Each anchor against its hardest negative in the batch (Hermans et al. 2017, batch hard)."""
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    hardest = scores.masked_fill(masked | diagonal, -1.0).amax(1)  # (n,)
    return functional.relu(hardest - scores.diagonal() + margin).mean()


def contrastive(scores: torch.Tensor, masked: torch.Tensor, *, margin: float = 0.5) -> torch.Tensor:
    """Positives to 1, negatives below the margin (Hadsell, Chopra, LeCun 2006, on similarity)."""
    diagonal = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    too_close = functional.relu(scores - margin)[~(masked | diagonal)].square()
    # Positives and negatives weigh the same, however large the batch.
    return (1 - scores.diagonal()).square().mean() + too_close.sum() / (too_close > 0).sum().clamp(min=1)


def imitation(
    scores: torch.Tensor, teacher_a: torch.Tensor, teacher_b: torch.Tensor, *, temperature: float = 0.05
) -> torch.Tensor:
    """The teacher's in-batch softmax as the target, both ways (Hinton et al. 2015; Tung, Mori 2019).

    teacher_a, teacher_b: (n, width) unit vectors of the same pairs.
    """
    wanted = teacher_a @ teacher_b.T / temperature  # (n, n)
    logits = scores / temperature
    rows = functional.cross_entropy(logits, wanted.softmax(1))
    columns = functional.cross_entropy(logits.T, wanted.T.softmax(1))
    return (rows + columns) / 2


def certainty_ranking(
    titles: torch.Tensor, garbage: torch.Tensor, *, temperature: float = 0.1
) -> torch.Tensor:
    """Garbage that is as certain as a title, each one against each (Burges et al. 2005, RankNet).

    titles: (n,), garbage: (m,), certainties in [0, 1].
    """
    return functional.softplus((garbage[:, None] - titles) / temperature).mean()


def by_name(
    name: str, scores: torch.Tensor, masked: torch.Tensor, same: torch.Tensor, temperature: float
) -> torch.Tensor:
    """same: (n, n) bool, pairs of one occupation."""
    match name:
        case "supervised_contrastive":
            return supervised_contrastive(scores, same, temperature=temperature)
        case "all_pairs":
            return all_pairs(scores, masked)
        case "triplet":
            return triplet(scores, masked)
        case "contrastive":
            return contrastive(scores, masked)
        case _:
            raise ValueError(f"{name!r} is no loss")

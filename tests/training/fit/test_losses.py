"""Oracles: brute force over all pairs, torch's own losses, and sums by hand."""

import math

import pytest
import torch
from torch.nn import functional

from rolecall.training.fit import losses

SCORES = torch.rand(7, 7, generator=torch.Generator().manual_seed(0))
NOTHING = torch.zeros(7, 7, dtype=torch.bool)
SOME = torch.rand(7, 7, generator=torch.Generator().manual_seed(1)).lt(0.3).fill_diagonal_(False)


@pytest.mark.parametrize("masked", [NOTHING, SOME])
def test_all_pairs_compares_every_random_pair_with_every_positive_one(masked: torch.Tensor) -> None:
    gaps = [
        max(0.0, SCORES[i, j].item() - SCORES[k, k].item() + 0.1)
        for i in range(7)
        for j in range(7)
        for k in range(7)
        if i != j and not masked[i, j]
    ]
    loss = losses.all_pairs(SCORES, masked, margin=0.1)
    assert loss.item() == pytest.approx(sum(gaps) / len(gaps), abs=1e-6)


def test_all_pairs_has_the_gradient_of_the_brute_force() -> None:
    fast, slow = SCORES.clone().requires_grad_(), SCORES.clone().requires_grad_()
    losses.all_pairs(fast, NOTHING, margin=0.1).backward()  # type: ignore[no-untyped-call]
    randoms = slow[~torch.eye(7, dtype=torch.bool)]
    functional.relu(randoms[:, None] - slow.diagonal() + 0.1).mean().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(fast.grad, slow.grad)


def test_cross_entropy_by_hand() -> None:
    """Rows: -log(e^2 / (e^2 + e^0)) = .126928 and -log(e^1 / (e^1 + e^1)) = .693147.
    Columns: -log(e^2 / (e^2 + e^1)) = .313262 and -log(e^1 / (e^1 + e^0)) = .313262."""
    scores = torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    loss = losses.cross_entropy(scores, torch.zeros(2, 2, dtype=torch.bool), temperature=1.0)
    assert loss.item() == pytest.approx((0.126928 + 0.693147 + 0.313262 + 0.313262) / 4, abs=1e-5)


def test_a_masked_pair_has_no_gradient() -> None:
    scores = SCORES.clone().requires_grad_()
    losses.cross_entropy(scores, SOME).backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad[SOME].abs().max() == 0


def test_supervised_contrastive_with_one_positive_is_cross_entropy_of_the_rows() -> None:
    loss = losses.supervised_contrastive(SCORES, torch.eye(7, dtype=torch.bool), temperature=0.05)
    torch.testing.assert_close(loss, functional.cross_entropy(SCORES / 0.05, torch.arange(7)))


def test_supervised_contrastive_averages_over_positives_by_hand() -> None:
    """Row 1 has both as positives: (-log .5 - log .5) / 2 = log 2; row 2 only itself: log 2."""
    positives = torch.tensor([[True, True], [False, True]])
    loss = losses.supervised_contrastive(torch.zeros(2, 2), positives, temperature=1.0)
    assert loss.item() == pytest.approx(math.log(2))


def test_triplet_takes_the_hardest_negative_that_is_not_masked() -> None:
    """Row 1: .6 - .5 + .2 = .3; row 2: .4 is masked, .1 - .9 + .2 < 0; row 3: .3 - .3 + .2 = .2."""
    scores = torch.tensor([[0.5, 0.6, 0.1], [0.1, 0.9, 0.4], [0.3, 0.2, 0.3]])
    masked = torch.zeros(3, 3, dtype=torch.bool)
    masked[1, 2] = True
    assert losses.triplet(scores, masked, margin=0.2).item() == pytest.approx(0.5 / 3)


def test_contrastive_by_hand() -> None:
    """Positives: ((1 - .5)^2 + (1 - .9)^2) / 2 = .13; negatives over the margin: (.8 - .5)^2 = .09."""
    scores = torch.tensor([[0.5, 0.8], [0.2, 0.9]])
    loss = losses.contrastive(scores, torch.zeros(2, 2, dtype=torch.bool), margin=0.5)
    assert loss.item() == pytest.approx(0.13 + 0.09)


def test_imitating_oneself_costs_the_entropy_of_ones_opinion() -> None:
    a = functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(2)), dim=1)
    b = functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(3)), dim=1)
    scores = a @ b.T
    p, q = (scores / 0.05).softmax(1), (scores / 0.05).softmax(0)
    entropy = (torch.special.entr(p).sum(1).mean() + torch.special.entr(q).sum(0).mean()) / 2
    torch.testing.assert_close(losses.imitation(scores, a, b, temperature=0.05), entropy)


def test_garbage_is_ranked_below_titles_by_hand() -> None:
    """Differences in certainty of -1, 0, 1 and 2 tenths, and log(1 + exp(difference)) of each."""
    loss = losses.certainty_ranking(torch.tensor([0.5, 0.6]), torch.tensor([0.5, 0.7]), temperature=0.1)
    wanted = [math.log1p(math.exp(difference)) for difference in (0, -1, 2, 1)]
    assert loss.item() == pytest.approx(sum(wanted) / 4, abs=1e-6)


def test_same_occupation_and_same_string_are_no_negatives() -> None:
    occupations = torch.tensor([1, 1, 2, 3])
    keys_a = torch.tensor([10, 11, 12, 13])
    keys_b = torch.tensor([20, 21, 10, 13])  # pair 3 says on its right what pair 1 says on its left
    expected = torch.zeros(4, 4, dtype=torch.bool)
    for i, j in ((0, 1), (1, 0), (0, 2)):
        expected[i, j] = True
    assert losses.same_meaning(occupations, keys_a, keys_b).equal(expected)


def test_relatedness_is_the_share_of_common_groups() -> None:
    ancestors = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 6], [7, 8, 9, 10]])
    expected = [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]
    assert losses.relatedness(ancestors).tolist() == expected


def test_related_pairs_share_the_target() -> None:
    """Row 1: e = exp(0) everywhere, so each class has -log p = log 3, whatever the target. With score 1 for
    the related pair, the loss is log(2 + e) less the share of the target on it, both ways.
    """
    scores = torch.zeros(3, 3)
    scores[0, 1] = scores[1, 0] = 1.0
    related = torch.tensor([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]])
    nothing = torch.zeros(3, 3, dtype=torch.bool)
    loss = losses.cross_entropy(scores, nothing, temperature=1.0, related=related, share=0.2)
    with_relative, alone = math.log(2 + math.e) - 0.2, math.log(3)
    assert loss.item() == pytest.approx((2 * with_relative + alone) / 3, abs=1e-6)

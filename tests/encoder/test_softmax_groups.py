import math

import pytest
import torch

from rolecall.encoder import similarity
from rolecall.encoder.softmax_groups import Form, SoftmaxGroups


def head(form: Form = "sqrt") -> SoftmaxGroups:
    torch.manual_seed(0)
    return SoftmaxGroups(8, groups=3, size=4, form=form)


HIDDEN = torch.randn(5, 8, generator=torch.Generator().manual_seed(1))
PRESENT = torch.ones(5)


def test_the_dot_product_is_the_mean_bhattacharyya_coefficient_by_hand() -> None:
    """Group 1: sqrt(.5*.8) + sqrt(.5*.2) = .94868; group 2: sqrt(1*0) + sqrt(0*1) = 0; mean .47434."""
    p = torch.tensor([[0.5, 0.5], [1.0, 0.0]]).log()
    q = torch.tensor([[0.8, 0.2], [0.0, 1.0]]).log()
    expected = (math.sqrt(0.4) + math.sqrt(0.1)) / 2
    assert similarity.bhattacharyya(p, q).item() == pytest.approx(expected)
    assert (similarity.embedding(p) @ similarity.embedding(q)).item() == pytest.approx(expected)


def test_certainty_by_hand() -> None:
    """One group decided (1), one undecided (0), one (3/4, 1/4): 1 - .81128 bit = .18872; mean .39624."""
    p = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]]).log()
    assert similarity.certainty(p).item() == pytest.approx((1 + 0 + 0.188722) / 3, abs=1e-5)


@pytest.mark.parametrize("form", ["sqrt", "cosine"])
def test_vectors_have_norm_one(form: Form) -> None:
    norms = head(form)(HIDDEN, PRESENT).vectors.norm(dim=-1)
    torch.testing.assert_close(norms, torch.ones(5))


def test_the_plain_form_holds_the_distributions_themselves() -> None:
    vectors = head("plain")(HIDDEN, PRESENT).vectors * math.sqrt(3)
    torch.testing.assert_close(vectors.view(5, 3, 4).sum(-1), torch.ones(5, 3))


def test_scores_lie_between_zero_and_one() -> None:
    vectors = head()(HIDDEN, PRESENT).vectors
    scores = vectors @ vectors.T
    assert scores.min() > 0
    assert scores.max() < 1 + 1e-6


def test_a_document_without_tokens_has_no_certainty() -> None:
    assert head()(HIDDEN, torch.zeros(5)).certainty.tolist() == pytest.approx([0.0] * 5, abs=1e-6)

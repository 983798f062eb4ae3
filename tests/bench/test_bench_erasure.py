"""Random histories of erasures and lost indexes: 100, or as many as ROLECALL_TEST_HISTORIES says."""

import os

import pytest

from bench.erasure import EDGE_EVERY, run

HISTORIES, PART = int(os.environ.get("ROLECALL_TEST_HISTORIES", "100")), 10


@pytest.mark.parametrize("first", range(0, HISTORIES, PART))
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
def test_nobody_comes_back_and_every_lost_index_is_noticed(first: int) -> None:
    assert PART % EDGE_EVERY == 0  # each part has a history on the embedded engine
    result = run(range(first, first + PART))
    assert (result.erased_back, result.held_for_gone) == (0, 0)
    assert result.index_losses_noticed == result.index_losses
    assert result.erased > 0

"""After any history of a market, consumers hold what belongs. More histories: worker/test_lists_model.py."""

import os
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.streams.conftest import FakeEncoder
from tests.streams.market import Market

HISTORIES = int(os.environ.get("ROLECALL_TEST_HISTORIES", "100")) // 5
NAMES = count()


@pytest.mark.timeout(max(300, 10 * HISTORIES))
@given(seed=st.integers(0, 2**32))
@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_after_any_history_consumers_hold_what_belongs(connect_named, seed):
    index = connect_named(f"market{next(NAMES)}", FakeEncoder.dims)
    await index.prepare()
    assert await Market(seed, index).is_true()
    await index.drop()
    await index.close()

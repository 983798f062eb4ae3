"""After any history, consumers hold what belongs. On both engines: index/contract/test_market.py."""

import asyncio
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.streams.matching import ranking
from tests.streams.conftest import FakeIndex
from tests.streams.market import Market

HISTORIES = int(os.environ.get("ROLECALL_TEST_HISTORIES", "100"))


class Yielding(FakeIndex):
    """Other tasks may run before and after every call."""

    def __init__(self, chance):
        super().__init__()
        self._chance = chance

    async def pause(self):
        for _ in range(self._chance.choice([0, 0, 1, 9])):
            await asyncio.sleep(0)


def yielding(name):
    async def call(self, *args, **named):
        await self.pause()
        answer = await getattr(FakeIndex, name)(self, *args, **named)
        await self.pause()
        return answer

    return call


for each in ("upsert", "fetch", "settle", "search", "search_allowed", "page", "repeated", "count"):
    setattr(Yielding, each, yielding(each))


@given(seed=st.integers(0, 2**32))
@settings(max_examples=HISTORIES, deadline=None)
async def test_after_any_history_consumers_hold_what_belongs(seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "MAX_DUPLICATES", seed % 3)  # with few, some are not named, and not published
        assert await Market(seed, Yielding(random.Random(seed))).is_true()

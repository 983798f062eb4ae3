"""How long a worker waits to be let into its group."""

import time
from typing import Any

import pytest

from rolecall.streams.errors import GaveUp
from rolecall.streams.kafka.lag import Progress
from rolecall.streams.settings import Settings
from rolecall.streams.worker.placement import Placement
from rolecall.streams.worker.watch import Watch

nobody: Any = None  # the rollouts and the contact: the group alone is looked at


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def watch(clock):
    settings = Settings.model_construct(session_timeout_seconds=6.0, retry_seconds=5.0)
    return Watch(settings, "rolecall", nobody, nobody, Progress, Placement())


def test_the_session_of_a_dead_member_and_the_retries_are_waited_for(watch, clock):
    clock[0] += 10.9
    watch._check_group()


def test_after_that_the_right_that_may_be_missing_is_named(watch, clock):
    clock[0] += 11.1
    with pytest.raises(GaveUp, match=r"for 11 s.*--operation Read --group rolecall"):
        watch._check_group()

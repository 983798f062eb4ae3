"""The module `switch` on a fake cluster."""

import asyncio
from types import SimpleNamespace

import pytest

from rolecall.streams.rollout import switch
from tests.streams.rollout.cluster import Cluster


@pytest.fixture
def cluster(monkeypatch):
    def made(rollout):
        cluster = Cluster(rollout)
        lag = SimpleNamespace(
            members=cluster.members_of, lag=cluster.lag, fence=cluster.fence, missing=cluster.missing
        )
        for name, fake in {
            "lag": lag,
            "records_to_end": cluster.read,
            "create_rehearsal": cluster.create,
            "delete_topic": cluster.delete,
            "connect_index": cluster.index,
            "time": SimpleNamespace(monotonic=lambda: cluster.clock),
            "asyncio": SimpleNamespace(**{**vars(asyncio), "sleep": cluster.sleep}),
        }.items():
            monkeypatch.setattr(switch, name, fake)
        return cluster

    return made

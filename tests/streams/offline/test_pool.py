"""Which entities a side has, whatever the order of its events."""

from itertools import permutations

import numpy as np
import pytest

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Side
from rolecall.streams.events.receive import receive
from rolecall.streams.matching.policy import Policy
from rolecall.streams.offline import pool
from rolecall.streams.offline.pool import Collector


@pytest.fixture
def collect(tmp_path, encoder, now, limits):
    def run(side, records):
        events, rejects = receive(side, records, limits)
        assert rejects == []
        collector = Collector(side, encoder, Policy(10, 0), tmp_path / "vectors", now)
        return collector.collect(events, lambda more: None)

    return run


class TestPool:
    @pytest.mark.parametrize("chunk", [1, 2, 1024])
    @pytest.mark.parametrize("order", [*permutations(range(4))])
    def test_the_highest_revision_counts(self, collect, make, encoder, monkeypatch, chunk, order):
        monkeypatch.setattr(pool, "CHUNK", chunk)
        records = [
            make.vacancy("b", 1, "old"),
            make.vacancy("b", 3, "new"),
            make.vacancy("a", 1, "other"),
            make.vacancy("b", 2, "closed between", status="closed"),
        ]
        found = collect(Side.VACANCY, [records[n] for n in order])
        assert (found.ids, found.revisions) == (["a", "b"], [1, 3])
        assert [found.title(id) for id in found.ids] == ["other", "new"]
        vectors = np.stack([encoder.vector("other"), encoder.vector("new")])
        assert (found.vectors(np.arange(2, dtype=np.int32)) == vectors).all()

    @pytest.mark.parametrize("order", [*permutations(range(2))])
    def test_an_erasure_wins_over_its_own_revision(self, collect, make, order):
        records = [make.candidate("a", 5), make.erasure("a", at=5)]
        assert collect(Side.CANDIDATE, [records[n] for n in order]).ids == []

    def test_an_erased_entity_may_come_back(self, collect, make):
        assert collect(Side.CANDIDATE, [make.candidate("a", 6), make.erasure("a", at=5)]).ids == ["a"]

    def test_what_is_closed_or_expired_is_left_out(self, collect, make, now):
        records = [
            make.vacancy("closed", status="closed"),
            make.vacancy("expired", expires_at=now.isoformat()),
            make.vacancy("open"),
        ]
        assert collect(Side.VACANCY, records).ids == ["open"]

    def test_the_long_text_is_not_kept(self, collect, make):
        found = collect(Side.CANDIDATE, [make.candidate("a", summary="long", skills=["SQL"])])
        kept = found.entity(0)
        assert isinstance(kept, Candidate)
        assert (kept.summary, kept.skills) == ("", ("SQL",))

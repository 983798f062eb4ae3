"""The batch runner: matches, lists, revisions, withdrawals."""

import json
import threading
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from structlog.testing import capture_logs

from rolecall.schemas.match import Side
from rolecall.schemas.receive import receive
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker import batch
from tests.streams.fakes import Killed


class TestMatching:
    async def test_a_vacancy_meets_the_candidates_before_it(self, world, make):
        await world.candidates(make.candidate("c1"), make.candidate("c2"))
        await world.vacancies(make.vacancy("v1"))
        assert world.pairs == {("v1", "c1"), ("v1", "c2")}

    async def test_a_candidate_meets_the_vacancies_before_it(self, world, make):
        await world.vacancies(make.vacancy("v1"), make.vacancy("v2"))
        await world.candidates(make.candidate("c1"))
        assert world.pairs == {("v1", "c1"), ("v2", "c1")}

    async def test_the_best_title_comes_first(self, world, make):
        await world.vacancies(make.vacancy("v1", title="cook"), make.vacancy("v2", title="nurse"))
        await world.candidates(make.candidate("c1", title="nurse"))
        assert [(match.rank, match.vacancy_id) for match in world.matches] == [(1, "v2"), (2, "v1")]

    async def test_hard_rules_keep_a_pair_apart(self, world, make):
        await world.vacancies(make.vacancy("v1", seniority="lead"))
        await world.candidates(make.candidate("c1", seniority="intern"))
        assert world.pairs == set()

    async def test_a_batch_writes_before_it_searches(self, world, make):
        await world.vacancies(make.vacancy())
        written, *_, settled = [call for call in world.index.calls if call != "repeated"]
        assert (written, settled) == ("upsert", "settle")
        assert world.index.calls.count("search") == 2  # for points, then for areas

    async def test_an_empty_batch_does_nothing(self, world):
        tally = await world.vacancies()
        assert (tally.events, world.index.calls, world.publisher.records) == (0, [], [])

    @pytest.mark.parametrize(("size", "on_the_loop"), [(10, True), (2000, False)])
    async def test_a_batch_that_takes_long_to_read_is_read_beside_the_loop(
        self, world, make, monkeypatch, size, on_the_loop
    ):
        threads = []

        def received(*given):
            threads.append(threading.current_thread())
            return receive(*given)

        monkeypatch.setattr(batch, "receive", received)
        await world.vacancies(*(make.vacancy(f"v{n}", description="x" * 600) for n in range(size)))
        assert [thread is threading.main_thread() for thread in threads] == [on_the_loop]

    async def test_the_tally_counts_what_became_of_each_event(self, world, make):
        await world.vacancies(make.vacancy("old", revision=5), make.vacancy("leaving"))
        await world.candidates(make.candidate("c1"))
        tally = await world.vacancies(
            make.vacancy("new"), make.vacancy("old", 4), make.erasure("leaving", at=9), make.raw(b"{")
        )
        counts = tally.events, tally.upserted, tally.stale, tally.removed, tally.dead_letters, tally.matches
        assert counts == (4, 1, 1, 1, 1, 1)


class TestFillingTheList:
    """A list has `top_k` entries if that many compatible candidates exist, at any rank."""

    @pytest.fixture
    async def crowd(self, new_world, make):
        """An index without filters. Three candidates may work here; they rank behind forty that may not."""
        world = new_world(top_k=3, pushes_down=False)
        await world.candidates(
            *(make.candidate(f"far{number}", title="nurse", work_countries=["US"]) for number in range(40)),
            *(make.candidate(f"near{number}", title="cook", work_countries=["NL"]) for number in range(3)),
        )
        return world

    async def test_a_list_cut_short_by_the_recheck_is_refilled(self, crowd, make):
        await crowd.vacancies(make.vacancy(title="nurse", location={"country": "NL"}))
        assert crowd.pairs == {("v1", "near0"), ("v1", "near1"), ("v1", "near2")}

    async def test_only_the_short_lists_are_searched_again(self, crowd, make):
        await crowd.vacancies(
            make.vacancy("short", title="nurse", location={"country": "NL"}),
            make.vacancy("full", title="cook"),
        )
        assert [len(queries) for queries in crowd.index.searches[-3:]] == [2, 1, 1]

    async def test_when_nobody_is_left_the_search_ends(self, crowd, make):
        await crowd.vacancies(make.vacancy(title="nurse", location={"country": "DE"}))
        assert crowd.pairs == set()

    async def test_who_is_below_the_threshold_takes_no_place(self, new_world, make):
        """Thirty who match the title better are read so badly that they stay below the least confidence."""
        world = new_world(top_k=2, min_confidence=0.5)
        uncertain = {f"unread{number}" for number in range(30)}
        await world.candidates(*(make.candidate(id, title="nurse") for id in sorted(uncertain)))
        for id in uncertain:
            stored = world.index.points[Side.CANDIDATE][id]
            card = json.loads(stored.payload["card"]) | {"certainty": 0.0}
            world.index.points[Side.CANDIDATE][id] = replace(
                stored, payload={**stored.payload, "card": json.dumps(card)}
            )
        world.encoder.confidence = lambda score, own, other, *_: np.where(
            np.minimum(own, other) > 0, score, 0
        )
        await world.candidates(make.candidate("c1", title="cook"))
        await world.vacancies(make.vacancy("v1", title="nurse"))
        assert world.pairs == {("v1", "c1")}

    @pytest.mark.parametrize("order", [1, -1])
    async def test_equal_scores_are_in_order_of_id_before_the_cut(self, new_world, make, order):
        """More than one search returns: the engine may answer equal scores in any order."""
        world = new_world(top_k=2)
        await world.candidates(*(make.candidate(f"c{n:02}") for n in range(40)[::order]))
        await world.vacancies(make.vacancy("v1", title="midwife"))
        assert [match.candidate_id for match in world.own_list(2)] == ["c00", "c01"]

    async def test_behind_its_own_list_come_the_lists_that_it_enters(self, crowd, make):
        """The lists of all forty-three candidates are empty."""
        await crowd.vacancies(make.vacancy(title="nurse"))
        assert [match.rank for match in crowd.matches] == [*range(1, 44)]
        assert len(crowd.pairs) == 43


class TestRevisions:
    async def test_a_newer_revision_replaces_the_stored_one(self, world, make):
        await world.vacancies(make.vacancy(revision=1))
        await world.vacancies(make.vacancy(revision=2))
        assert world.index.revisions(Side.VACANCY) == {"v1": 2}

    async def test_a_stale_revision_changes_nothing_and_says_nothing(self, world, make):
        await world.candidates(make.candidate())
        await world.vacancies(make.vacancy(revision=2))
        world.publisher.records.clear()
        tally = await world.vacancies(make.vacancy(revision=1))
        assert (tally.stale, world.publisher.records) == (1, [])
        assert world.index.revisions(Side.VACANCY) == {"v1": 2}

    async def test_an_older_revision_does_not_bring_an_erased_entity_back(self, world, make):
        await world.vacancies(make.vacancy(revision=1))
        await world.vacancies(make.erasure("v1", at=5))
        await world.vacancies(make.vacancy(revision=4))
        assert world.index.live(Side.VACANCY) == set()

    async def test_a_newer_revision_does(self, world, make):
        await world.vacancies(make.erasure("v1", at=5))
        await world.vacancies(make.vacancy(revision=6))
        assert world.index.live(Side.VACANCY) == {"v1"}

    async def test_a_stale_erasure_erases_nothing(self, world, make):
        await world.vacancies(make.vacancy(revision=6))
        await world.vacancies(make.erasure("v1", at=5))
        assert world.index.live(Side.VACANCY) == {"v1"}
        assert world.withdrawn == []

    async def test_a_stale_erasure_is_told(self, world, make):
        await world.vacancies(make.vacancy("v1", revision=7))
        with capture_logs() as logs:
            await world.vacancies(make.erasure("v1", at=5))
        [told] = [line for line in logs if line["event"] == "erasure_stale"]
        assert (told["revision"], told["stored_revision"]) == (5, 7)

    async def test_an_erased_entity_leaves_no_vector_and_no_payload(self, world, make):
        await world.candidates(make.candidate(revision=1), make.erasure("c1", at=2))
        stored = world.index.points[Side.CANDIDATE]["c1"]
        assert (stored.revision, stored.vector, stored.payload) == (2, None, None)

    async def test_a_replay_publishes_nothing(self, world, make):
        candidate, vacancy = make.candidate(), make.vacancy()
        await world.candidates(candidate)
        await world.vacancies(vacancy)
        await world.vacancies(vacancy)
        await world.candidates(candidate)
        assert len(world.matches) == 1


class TestUnchanged:
    """Text, terms and `matching` as stored, under a newer revision."""

    @pytest.fixture
    async def matched(self, world, make):
        await world.candidates(make.candidate("c1"))
        await world.vacancies(make.vacancy("v1", revision=5))
        world.publisher.records.clear()
        world.encoder.calls.clear()
        return world

    async def test_it_publishes_and_encodes_nothing(self, matched, make):
        tally = await matched.vacancies(make.vacancy("v1", revision=9))
        assert (tally.unchanged, tally.upserted, tally.stale) == (1, 0, 0)
        assert (matched.publisher.records, matched.encoder.calls) == ([], [])

    async def test_its_revision_counts(self, matched, make):
        await matched.vacancies(make.vacancy("v1", revision=9))
        tally = await matched.vacancies(make.vacancy("v1", revision=8, title="cook"))
        assert (tally.stale, matched.publisher.records) == (1, [])

    async def test_a_later_match_carries_the_revision_that_brought_its_text(self, matched, make):
        """A consumer may hold matches of that revision, and no withdrawal ended them."""
        await matched.vacancies(make.vacancy("v1", revision=9))
        await matched.candidates(make.candidate("c2"))
        assert [match.vacancy_revision for match in matched.matches] == [5]

    async def test_closing_it_ends_the_matches_of_its_text(self, matched, make):
        await matched.vacancies(make.vacancy("v1", revision=9))
        await matched.vacancies(make.vacancy("v1", revision=9, status="closed"))
        assert [(each.entity_id, each.revision) for each in matched.withdrawn] == [("v1", 10)]

    @pytest.mark.parametrize(
        "change", [{"description": "at night"}, {"matching": {"top_k": 3}}, {"workplace": "remote"}]
    )
    async def test_another_text_term_or_list_is_a_change(self, matched, make, change):
        tally = await matched.vacancies(make.vacancy("v1", revision=9, **change))
        assert (tally.unchanged, tally.upserted) == (0, 1)

    async def test_another_policy_is_a_change(self, matched, make):
        matched.use(policy=Policy(top_k=3, min_confidence=0))
        tally = await matched.vacancies(make.vacancy("v1", revision=9))
        assert (tally.unchanged, tally.upserted) == (0, 1)

    async def test_a_reopened_entity_is_new(self, matched, make):
        await matched.vacancies(make.vacancy("v1", revision=6, status="closed"))
        await matched.vacancies(make.vacancy("v1", revision=9))
        assert [match.vacancy_revision for match in matched.matches] == [9]

    async def test_what_was_written_and_not_published_is_no_repetition(self, matched, make):
        matched.index.fail("search", Killed())
        with pytest.raises(Killed):
            await matched.vacancies(make.vacancy("v2"))
        await matched.vacancies(make.vacancy("v2", revision=2))
        assert [match.vacancy_id for match in matched.matches] == ["v2"]

    async def test_an_index_that_is_being_built_takes_it_for_new(self, matched, make):
        matched.use(rehearses=lambda: True)
        tally = await matched.vacancies(make.vacancy("v1", revision=9))
        assert (tally.unchanged, tally.upserted) == (0, 1)

    async def test_a_feed_of_every_night_leaves_the_matches_of_the_other_side(self, new_world, make, holding):
        """Each vacancy lists one candidate of three, and each candidate's list brought the other pairs."""
        world = new_world(top_k=1)
        vacancies = [make.vacancy(f"v{n}", title=title) for n, title in enumerate(("cook", "nurse"))]
        await world.vacancies(*vacancies)
        await world.candidates(*(make.candidate(f"c{n}") for n in range(3)))
        before = holding(world.matches, world.withdrawn)
        for revision in (2, 3):
            again = (make.vacancy(f"v{n}", revision, title) for n, title in enumerate(("cook", "nurse")))
            await world.vacancies(*again)
        assert len(before) == 6  # the candidates of one batch do not know each other's places yet
        assert holding(world.matches, world.withdrawn) == before


class TestOneRevisionTwice:
    """An erasure also removes a change of the same millisecond, in any order of arrival."""

    async def test_an_erasure_of_the_matched_revision_takes_it_out(self, world, make, holding):
        await world.candidates(make.candidate("c1"))
        await world.vacancies(make.vacancy("v1", revision=5))
        await world.vacancies(make.erasure("v1", at=5))
        assert world.index.live(Side.VACANCY) == set()
        assert holding(world.matches, world.withdrawn) == set()

    async def test_nor_in_one_batch_behind_the_erasure(self, world, make):
        await world.vacancies(make.erasure("v1", at=5), make.vacancy("v1", revision=5))
        assert world.index.live(Side.VACANCY) == set()

    async def test_the_erased_revision_does_not_come_back(self, world, make):
        await world.candidates(make.candidate("c1"))
        await world.vacancies(make.erasure("v1", at=5))
        tally = await world.vacancies(make.vacancy("v1", revision=5))
        assert (world.index.live(Side.VACANCY), world.matches, tally.stale) == (set(), [], 1)


class TestWithdrawal:
    @pytest.fixture
    async def matched(self, world, make):
        await world.candidates(make.candidate("c1"))
        await world.vacancies(make.vacancy("v1", revision=1))
        world.publisher.records.clear()
        return world

    @pytest.fixture
    def said(self, matched):
        return lambda: [
            (each.side, each.entity_id, each.revision, each.reason.value) for each in matched.withdrawn
        ]

    async def test_of_an_erased_vacancy(self, matched, make, said):
        await matched.vacancies(make.erasure("v1", at=2))
        assert said() == [("vacancy", "v1", 2, "erased")]

    async def test_of_an_erased_candidate(self, matched, make, said):
        await matched.candidates(make.erasure("c1", at=2))
        assert said() == [("candidate", "c1", 2, "erased")]

    async def test_of_a_closed_vacancy(self, matched, make, said):
        await matched.vacancies(make.vacancy("v1", revision=2, status="closed"))
        assert said() == [("vacancy", "v1", 2, "closed")]
        assert matched.index.live(Side.VACANCY) == set()

    async def test_of_an_expired_vacancy(self, matched, make, said, now):
        await matched.vacancies(make.vacancy("v1", revision=2, expires_at=now.isoformat()))
        assert said() == [("vacancy", "v1", 2, "expired")]
        assert matched.index.live(Side.VACANCY) == set()

    async def test_of_a_superseded_revision_which_is_matched_anew(self, matched, make, said):
        await matched.vacancies(make.vacancy("v1", revision=2, skills=["first aid"]))
        assert said() == [("vacancy", "v1", 2, "superseded")]
        assert [match.vacancy_revision for match in matched.matches] == [2]

    async def test_is_published_before_the_new_matches(self, matched, make):
        await matched.vacancies(make.vacancy("v1", revision=2, skills=["first aid"]))
        kinds = [json.loads(record.value)["type"] for record in matched.publisher.records]
        assert kinds == ["matches_withdrawn", "match"]

    async def test_nothing_is_withdrawn_that_never_was(self, world, make):
        await world.vacancies(make.vacancy("v1"), make.erasure("v2", at=5))
        await world.candidates(make.candidate("c1", status="closed"))
        assert world.withdrawn == []

    async def test_an_entity_that_goes_is_not_matched(self, matched, make):
        await matched.candidates(make.candidate("c1", revision=2, status="closed"))
        assert matched.matches == []

    async def test_a_vacancy_is_open_until_it_expires(self, world, make, now):
        later = now + timedelta(milliseconds=1)
        await world.vacancies(make.vacancy("v1", expires_at=later.isoformat()))
        assert world.index.live(Side.VACANCY) == {"v1"}

    async def test_it_is_repeated_after_a_crash_between_write_and_publication(self, matched, make, said):
        """The first run wrote the new revision and died. The second finds it stored, and still withdraws."""
        matched.index.fail("search", Killed())
        with pytest.raises(Killed):
            await matched.vacancies(make.vacancy("v1", revision=2, skills=["first aid"]))
        await matched.vacancies(make.vacancy("v1", revision=2, skills=["first aid"]))
        assert said() == [("vacancy", "v1", 2, "superseded")]

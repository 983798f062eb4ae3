"""The batch runner: matches, lists, revisions, withdrawals."""

import json
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from rolecall.schemas.match import Side
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
        assert world.index.calls == ["upsert", "search", "search"]  # for points, then for areas

    async def test_an_empty_batch_does_nothing(self, world):
        tally = await world.vacancies()
        assert (tally.events, world.index.calls, world.publisher.records) == (0, [], [])

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
            make.vacancy("full", title="nurse"),
        )
        assert [len(queries) for queries in crowd.index.searches[-3:]] == [2, 1, 1]

    async def test_when_nobody_is_left_the_search_ends(self, crowd, make):
        await crowd.vacancies(make.vacancy(title="nurse", location={"country": "DE"}))
        assert crowd.pairs == set()

    async def test_no_list_is_longer_than_top_k(self, crowd, make):
        await crowd.vacancies(make.vacancy(title="nurse"))
        assert len(crowd.pairs) == 3


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

    async def test_a_replay_finds_the_same_matches(self, world, make):
        candidate, vacancy = make.candidate(), make.vacancy()
        await world.candidates(candidate)
        await world.vacancies(vacancy)
        first = {match.id for match in world.matches}
        await world.vacancies(vacancy)
        await world.candidates(candidate)
        assert {match.id for match in world.matches} == first
        assert len(world.matches) == 3


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
        await matched.vacancies(make.vacancy("v1", revision=2))
        assert said() == [("vacancy", "v1", 2, "superseded")]
        assert [match.vacancy_revision for match in matched.matches] == [2]

    async def test_is_published_before_the_new_matches(self, matched, make):
        await matched.vacancies(make.vacancy("v1", revision=2))
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
            await matched.vacancies(make.vacancy("v1", revision=2))
        await matched.vacancies(make.vacancy("v1", revision=2))
        assert said() == [("vacancy", "v1", 2, "superseded")]

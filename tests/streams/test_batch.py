"""The batch runner: order, retries, poison, revisions."""

import json
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from encoder.document import Document, content_hash
from schemas.match import Side
from streams.index import IndexMismatch, IndexUnavailable
from streams.patience import GaveUp, NotTheEvents
from streams.publish import PublishFailed, PublishRefused

AWAY = IndexUnavailable("gone fishing")


class Killed(BaseException):
    """The process ends here."""


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
    """`top_k` is reached whenever that many compatible candidates exist, wherever they rank."""

    @pytest.fixture
    async def crowd(self, new_world, make):
        """An index that pushes no filter down; the three who may work here rank behind forty who may not."""
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
    """An erasure takes out what changed in the same millisecond, whichever comes first."""

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
        """The first run wrote the new revision and died; the second finds it stored, and still withdraws."""
        matched.index.fail("search", Killed())
        with pytest.raises(Killed):
            await matched.vacancies(make.vacancy("v1", revision=2))
        await matched.vacancies(make.vacancy("v1", revision=2))
        assert said() == [("vacancy", "v1", 2, "superseded")]


class TestFailingDependencies:
    @pytest.mark.parametrize("call", ["upsert", "search"])
    async def test_an_index_that_comes_back_is_waited_for(self, world, make, call):
        await world.candidates(make.candidate())
        world.index.fail(call, AWAY, AWAY)
        with capture_logs() as logs:
            tally = await world.vacancies(make.vacancy())
        assert (world.pairs, tally.retries, tally.dead_letters) == ({("v1", "c1")}, 2, 0)
        assert [line["stage"] for line in logs] == [call, call]

    async def test_a_broker_that_comes_back_is_waited_for(self, world, make):
        await world.candidates(make.candidate())
        world.publisher.fail("publish", PublishFailed("no leader"))
        tally = await world.vacancies(make.vacancy())
        assert (len(world.matches), tally.retries) == (1, 1)

    @pytest.mark.parametrize("call", ["upsert", "search"])
    async def test_an_index_that_stays_away_ends_it(self, new_world, make, call):
        world = new_world(retry_seconds=0.1)
        world.index.fail(call, *[AWAY] * 1000)
        with pytest.raises(GaveUp, match=rf"{call} failed for 0.1 s, last with: gone fishing"):
            await world.vacancies(make.vacancy())
        assert world.publisher.records == []

    async def test_a_broker_that_stays_away_ends_it(self, new_world, make):
        world = new_world(retry_seconds=0.1)
        world.publisher.fail("publish", *[PublishFailed("no leader")] * 1000)
        with pytest.raises(GaveUp, match="publish failed"):
            await world.vacancies(make.vacancy())

    async def test_a_record_that_the_broker_will_never_take_ends_it_at_once(self, world, make):
        world.publisher.fail("publish", PublishRefused("too large"))
        with pytest.raises(PublishRefused):
            await world.vacancies(make.vacancy())
        assert world.publisher.calls == ["publish"]

    async def test_an_index_of_another_model_ends_it_at_once(self, world, make):
        world.index.fail("upsert", IndexMismatch("512 dimensions, not 1024"))
        with pytest.raises(IndexMismatch):
            await world.vacancies(make.vacancy("v1"), make.vacancy("v2"))
        assert world.index.calls == ["upsert"]


class TestPoison:
    """Whatever no attempt can process goes to the dead letters, alone."""

    @pytest.fixture
    def batch(self, make):
        return [make.vacancy(f"v{number}", title=f"job {number}") for number in range(8)]

    @pytest.fixture
    def hurt(self, world):
        """Plant poison in a stage."""
        return {
            "encode": partial(world.encoder.fail_on, "encode", lambda document: document.title == "job 5"),
            "upsert": partial(world.index.fail_on, "upsert", lambda point: point.id == "v5"),
            "search": partial(
                world.index.fail_on,
                "search",
                lambda query: np.array_equal(query.vector, world.encoder.vector("job 5")),
            ),
        }

    @pytest.mark.parametrize("stage", ["encode", "upsert", "search"])
    async def test_exactly_the_culprit_is_dead_lettered_with_its_stage(self, world, batch, hurt, stage):
        hurt[stage]()
        tally = await world.vacancies(*batch)
        assert (world.stages, tally.dead_letters) == ({b"v5": stage}, 1)

    @pytest.mark.parametrize("stage", ["encode", "upsert", "search"])
    async def test_the_rest_of_the_batch_is_matched(self, world, make, batch, hurt, stage):
        await world.candidates(make.candidate("c1"))
        hurt[stage]()
        await world.vacancies(*batch)
        assert world.pairs == {(f"v{number}", "c1") for number in range(8) if number != 5}

    async def test_a_stored_payload_that_cannot_be_read_hurts_whoever_meets_it(self, world, make):
        await world.candidates(make.candidate("c1", title="cook"))
        world.index.points[Side.CANDIDATE]["c1"].payload["card"] = "{"
        await world.vacancies(make.vacancy("v1"))
        assert world.stages == {b"v1": "match"}

    async def test_several_culprits_are_all_found(self, world, batch):
        world.index.fail_on("upsert", lambda point: point.id in {"v0", "v3", "v7"})
        await world.vacancies(*batch)
        assert set(world.stages) == {b"v0", b"v3", b"v7"}

    async def test_its_bytes_are_untouched(self, world, batch, hurt):
        hurt["encode"]()
        await world.vacancies(*batch)
        assert [letter.value for letter in world.dead_letters] == [batch[5].value]

    async def test_a_batch_of_nothing_but_broken_records_is_dead_lettered(self, world, make):
        tally = await world.vacancies(make.raw(b"{"), make.raw(b"}", b"v2"))
        assert tally.dead_letters == 2
        assert {letter.value for letter in world.dead_letters} == {b"{", b"}"}

    async def test_a_failing_dependency_is_not_poison(self, new_world, batch):
        world = new_world(retry_seconds=0.1)
        world.index.fail("search", *[AWAY] * 1000)
        with pytest.raises(GaveUp):
            await world.vacancies(*batch)
        assert world.dead_letters == []


class DictCache:
    """The cache port in a dict."""

    def __init__(self):
        self.rows = {}

    async def get(self, hashes):
        return {key: self.rows[key] for key in hashes if key in self.rows}

    async def put(self, rows):
        self.rows.update(rows)

    async def forget(self, hashes):
        for key in hashes:
            self.rows.pop(key, None)


class NoCache(DictCache):
    """What a dead Redis looks like."""

    async def get(self, hashes):
        return {}

    async def put(self, rows):
        pass


class TestCache:
    @pytest.fixture
    def cached(self, new_world):
        return new_world(cache=DictCache())

    @pytest.fixture
    def rows(self, cached):
        """The titles whose embeddings are cached."""

        def titles():
            known = {content_hash(Document(title)): title for title in ("nurse", "cook")}
            return {known[key] for key in cached.runner._cache.rows}

        return titles

    async def test_the_same_text_is_encoded_once(self, cached, make):
        tally = await cached.vacancies(make.vacancy("v1"), make.vacancy("v2"), make.vacancy("v3"))
        assert (cached.encoder.encoded, tally.cache_hits) == (1, 0)
        tally = await cached.candidates(make.candidate("c1", title="nurse"))
        assert (cached.encoder.encoded, tally.cache_hits) == (1, 1)

    @pytest.mark.parametrize("cache", [DictCache, NoCache])
    async def test_with_or_without_it_the_points_are_bit_equal(self, new_world, make, cache):
        plain, other = new_world(), new_world(cache=cache())
        batch = [make.vacancy(f"v{number}", title=f"job {number % 3}") for number in range(6)]
        for world in (plain, other, other):
            await world.vacancies(*batch)
            await world.vacancies(
                *(make.vacancy(f"w{number}", title=f"job {number % 3}") for number in range(6))
            )
        for id, point in plain.index.points[Side.VACANCY].items():
            twin = other.index.points[Side.VACANCY][id]
            assert point.vector.tobytes() == twin.vector.tobytes()
            assert point.payload == {key: value for key, value in twin.payload.items() if key != "content"}

    async def test_a_new_text_takes_the_place_of_the_old(self, cached, make, rows):
        await cached.vacancies(make.vacancy("v1", 1, title="nurse"))
        await cached.vacancies(make.vacancy("v1", 2, title="cook"))
        assert rows() == {"cook"}

    async def test_the_same_text_stays_with_a_new_revision(self, cached, make, rows):
        await cached.vacancies(make.vacancy("v1", 1, title="nurse"))
        await cached.vacancies(make.vacancy("v1", 2, title="nurse"))
        assert rows() == {"nurse"}

    async def test_an_erased_text_is_forgotten(self, cached, make, rows):
        await cached.candidates(make.candidate("c1", 1, title="nurse"), make.candidate("c2", 1, title="cook"))
        await cached.candidates(make.erasure("c1", at=2))
        assert rows() == {"cook"}

    async def test_a_closed_text_is_forgotten(self, cached, make, rows):
        await cached.candidates(make.candidate("c1", 1, title="nurse"))
        await cached.candidates(make.candidate("c1", 2, title="nurse", status="closed"))
        assert rows() == set()

    async def test_a_late_older_event_leaves_nothing(self, cached, make, rows):
        await cached.candidates(make.erasure("c1", at=5))
        await cached.candidates(make.candidate("c1", 4, title="nurse"))
        assert rows() == set()

    async def test_nor_does_one_that_dies_and_comes_again(self, cached, make, rows):
        await cached.candidates(make.erasure("c1", at=5))
        cached.index.fail("upsert", Killed())
        with pytest.raises(Killed):
            await cached.candidates(make.candidate("c1", 4, title="nurse"))
        await cached.candidates(make.candidate("c1", 4, title="nurse"))
        assert rows() == set()

    async def test_it_is_forgotten_however_the_process_dies(self, cached, make, rows):
        """Before the index changes: the run after the crash could not know what to forget."""
        await cached.candidates(make.candidate("c1", 1, title="nurse"))
        cached.index.fail("upsert", Killed())
        with pytest.raises(Killed):
            await cached.candidates(make.erasure("c1", at=2))
        assert rows() == set()

    @pytest.mark.parametrize("cache", [DictCache, NoCache])
    async def test_with_or_without_it_the_matches_are_the_same(self, new_world, make, cache):
        plain, other = new_world(), new_world(cache=cache())
        for world in (plain, other):
            await world.vacancies(make.vacancy("v1", title="nurse"), make.vacancy("v2", title="cook"))
            await world.candidates(make.candidate("c1", title="nurse"), make.candidate("c2", title="cook"))
        assert plain.matches == other.matches


IDS = ("a", "b", "c")
published = st.tuples(st.sampled_from(IDS), st.integers(1, 30).map(lambda n: 2 * n))
erased = st.tuples(st.sampled_from(IDS), st.integers(1, 30).map(lambda n: 2 * n + 1))
event = st.tuples(st.just("publish"), published) | st.tuples(st.just("erase"), erased)
history = st.lists(event, min_size=1, max_size=25)


def record_of(make, kind, id, revision):
    return make.erasure(id, at=revision) if kind == "erase" else make.vacancy(id, revision)


async def replay(world, make, events, cuts):
    """Run the events in batches that end at these places."""
    ends = sorted({cut % len(events) for cut in cuts} | {0, len(events)})
    for start, end in pairwise(ends):
        await world.vacancies(*(record_of(make, kind, *what) for kind, what in events[start:end]))


def newest_of(events):
    """Oracle: of each id the event with the highest revision. Odd revisions erase."""
    best = {}
    for _, (id, revision) in events:
        best[id] = max(best.get(id, 0), revision)
    return best


class TestProperties:
    @given(events=history, cuts=st.lists(st.integers(0, 30), max_size=8))
    @settings(max_examples=60)
    async def test_in_any_order_and_batching_the_newest_revision_stays(self, new_world, make, events, cuts):
        world = new_world()
        await replay(world, make, events, cuts)
        newest = newest_of(events)
        assert world.index.revisions(Side.VACANCY) == newest
        assert world.index.live(Side.VACANCY) == {id for id, revision in newest.items() if revision % 2 == 0}

    @given(
        events=history,
        cuts=st.lists(st.integers(0, 30), max_size=8),
        again=st.lists(st.integers(0, 30), max_size=8),
        shuffled=st.randoms(use_true_random=False),
    )
    @settings(max_examples=60)
    async def test_a_replay_in_other_batches_changes_nothing(
        self, new_world, make, holding, events, cuts, again, shuffled
    ):
        world = new_world()
        await world.candidates(make.candidate("c1"), make.candidate("c2"))
        await replay(world, make, events, cuts)
        points = dict(world.index.points[Side.VACANCY])
        standing = holding(world.matches, world.withdrawn)
        replayed = list(events)
        shuffled.shuffle(replayed)
        await replay(world, make, replayed, again)
        assert world.index.points[Side.VACANCY] == points
        assert holding(world.matches, world.withdrawn) == standing
        assert world.dead_letters == []

    @given(events=history, cuts=st.lists(st.integers(0, 30), max_size=8))
    @settings(max_examples=60)
    async def test_the_matches_that_hold_are_those_of_the_final_state(
        self, new_world, make, holding, events, cuts
    ):
        """However the history ran, the rule of `MatchesWithdrawn` leaves the pairs of who is still open."""
        world = new_world()
        await world.candidates(make.candidate("c1", revision=3))
        await replay(world, make, events, cuts)
        assert {pair[:2] for pair in holding(world.matches, world.withdrawn)} == {
            (id, revision) for id, revision in newest_of(events).items() if revision % 2 == 0
        }

    @given(
        batches=st.lists(
            st.tuples(st.lists(event, max_size=5), st.sampled_from((None, "upsert", "search", "publish"))),
            min_size=1,
            max_size=8,
        )
    )
    @settings(max_examples=100)
    async def test_killed_anywhere_and_run_again_it_ends_the_same(self, new_world, make, holding, batches):
        calm, killed = new_world(), new_world()
        for world in (calm, killed):
            await world.candidates(make.candidate("c1"))
        for events, dies_in in batches:
            records = [record_of(make, kind, *what) for kind, what in events]
            await calm.vacancies(*records)
            if dies_in:
                victim = killed.publisher if dies_in == "publish" else killed.index
                victim.fail(dies_in, Killed())
                with suppress(Killed):
                    await killed.vacancies(*records)
                victim.failures.clear()
            await killed.vacancies(*records)
        assert killed.index.revisions(Side.VACANCY) == calm.index.revisions(Side.VACANCY)
        assert holding(killed.matches, killed.withdrawn) == holding(calm.matches, calm.withdrawn)

    @given(data=st.data())
    @settings(max_examples=60)
    async def test_exactly_the_poison_is_dead_lettered(self, new_world, make, data):
        world = new_world()
        ids = [f"v{number}" for number in range(data.draw(st.integers(1, 20)))]
        poison = data.draw(st.sets(st.sampled_from(ids)))
        world.index.fail_on("upsert", lambda point: point.id in poison)
        await world.vacancies(*(make.vacancy(id) for id in ids))
        assert {key.decode() for key in world.stages} == poison
        assert world.index.live(Side.VACANCY) == set(ids) - poison


class TestADefectOfOurs:
    """What makes every event fail must not carry the topic into the dead letters."""

    @pytest.fixture
    def broken(self, new_world):
        world = new_world(max_poison_in_a_row=4)
        world.encoder.fail_on("encode", lambda document: document.title == "nurse")
        return world

    async def test_a_batch_that_fails_whole_ends_it_with_nothing_dead_lettered(self, broken, make):
        with pytest.raises(NotTheEvents, match="all failed in encode with ValueError"):
            await broken.vacancies(*(make.vacancy(f"v{number}") for number in range(4)))
        assert broken.dead_letters == []

    async def test_single_events_end_it_when_there_are_enough_in_a_row(self, broken, make):
        for number in range(3):
            await broken.vacancies(make.vacancy(f"v{number}"))
        with pytest.raises(NotTheEvents):
            await broken.vacancies(make.vacancy("v3"))
        assert len(broken.dead_letters) == 3

    async def test_a_good_event_among_them_says_that_they_are_poison(self, broken, make):
        good = make.vacancy("good", title="cook")
        await broken.vacancies(good, *(make.vacancy(f"v{number}") for number in range(8)))
        assert len(broken.dead_letters) == 8

    async def test_the_good_events_of_one_side_do_not_speak_for_the_other(self, broken, make):
        for number in range(3):
            await broken.vacancies(make.vacancy(f"v{number}"))
            await broken.candidates(make.candidate(f"c{number}", title="cook"))
        with pytest.raises(NotTheEvents):
            await broken.vacancies(make.vacancy("v3"))

    async def test_unreadable_records_are_their_producers_doing(self, broken, make):
        tally = await broken.vacancies(*(make.raw(b"{") for _ in range(8)))
        assert tally.dead_letters == 8

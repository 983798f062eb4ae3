"""The batch runner when its parts fail: retries, poison, defects in our code."""

from functools import partial

import numpy as np
import pytest
from structlog.testing import capture_logs

from rolecall.schemas.match import Side
from rolecall.streams.errors import GaveUp, IndexMismatch, NotTheEvents, PublishFailed, PublishRefused
from tests.streams.fakes import AWAY


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
        assert world.index.calls == ["repeated", "upsert"]


class TestPoison:
    """An event that no attempt can process goes to the dead letters. The others are processed."""

    @pytest.fixture
    def batch(self, make):
        return [make.vacancy(f"v{number}", title=f"job {number}") for number in range(8)]

    @pytest.fixture
    def hurt(self, world):
        """Makes a stage fail for poison."""
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

    async def test_poison_that_was_written_ends_the_matches_of_what_it_replaced(self, world, make):
        """The older revision is gone from the index, so nobody would withdraw its matches later."""
        await world.candidates(make.candidate("c1"))
        await world.vacancies(make.vacancy("v1", revision=1), make.vacancy("v2", revision=1))
        assert world.pairs == {("v1", "c1"), ("v2", "c1")}
        poison = world.encoder.vector("poison")
        world.index.fail_on("search", lambda query: np.allclose(query.vector, poison))
        await world.vacancies(
            make.vacancy("v1", revision=2, title="poison"), make.vacancy("v3", revision=1, title="cook")
        )
        assert world.stages == {b"v1": "search"}
        assert world.index.revisions(Side.VACANCY)["v1"] == 2
        assert {(each.entity_id, each.revision) for each in world.withdrawn} >= {("v1", 2)}
        assert not any(each.entity_id == "v2" for each in world.withdrawn)

    async def test_poison_that_was_not_written_ends_nothing(self, world, make):
        await world.candidates(make.candidate("c1"))
        await world.vacancies(make.vacancy("v1", revision=1))
        world.encoder.fail_on("encode", lambda document: document.title == "poison")
        await world.vacancies(make.vacancy("v1", revision=2, title="poison"))
        assert world.withdrawn == []

    async def test_a_failing_dependency_is_not_poison(self, new_world, batch):
        world = new_world(retry_seconds=0.1)
        world.index.fail("search", *[AWAY] * 1000)
        with pytest.raises(GaveUp):
            await world.vacancies(*batch)
        assert world.dead_letters == []


class TestADefectOfOurs:
    """If every event fails, the cause is a defect, and the topic must not go to the dead letters."""

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

"""What ends without an event: expiry by the sweeper, beside batches and other sweepers."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Side
from rolecall.schemas.topics import VACANCIES
from rolecall.streams.errors import IndexUnavailable, PublishFailed
from rolecall.streams.worker.expiry import MAX_FAILURES, Sweeper, keep_sweeping


@pytest.fixture
def sweeper(world, now):
    """Of an hour after the batches."""
    return Sweeper(index=world.index, publisher=world.publisher, now=lambda: now + timedelta(hours=1))


@pytest.fixture
def expiring(make, now):
    """A vacancy that has half an hour left when it is published."""

    def vacancy(id="v1", revision=1, minutes=30):
        return make.vacancy(id, revision, expires_at=(now + timedelta(minutes=minutes)).isoformat())

    return vacancy


@pytest.fixture
async def matched(world, make, expiring):
    await world.candidates(make.candidate("c1"))
    await world.vacancies(expiring("v1", 1), expiring("later", 1, minutes=61), make.vacancy("never"))
    return world


@pytest.fixture
def holds(matched, holding):
    return lambda: {(pair[0], pair[1]) for pair in holding(matched.matches, matched.withdrawn)}


class TestSweep:
    async def test_takes_out_what_has_expired_and_nothing_else(self, matched, sweeper):
        assert await sweeper.sweep() == 1
        assert matched.index.live(Side.VACANCY) == {"later", "never"}

    async def test_withdraws_its_matches(self, matched, sweeper, holds):
        await sweeper.sweep()
        assert [(each.entity_id, each.reason.value) for each in matched.withdrawn] == [("v1", "expired")]
        assert holds() == {("later", 1), ("never", 1)}

    async def test_leaves_no_vector_and_no_payload(self, matched, sweeper):
        await sweeper.sweep()
        stored = matched.index.points[Side.VACANCY]["v1"]
        assert (stored.revision, stored.vector, stored.payload) == (1, None, None)

    async def test_again_finds_nothing(self, matched, sweeper):
        await sweeper.sweep()
        assert await sweeper.sweep() == 0

    async def test_goes_on_past_a_page(self, world, sweeper, expiring, monkeypatch):
        monkeypatch.setattr("rolecall.streams.worker.expiry.PAGE", 2)
        await world.vacancies(*(expiring(f"v{number}") for number in range(5)))
        assert await sweeper.sweep() == 5

    async def test_a_replayed_event_stays_out(self, matched, sweeper, expiring, holds):
        await sweeper.sweep()
        await matched.vacancies(expiring("v1", 1))  # a worker whose clock is an hour behind
        assert matched.index.live(Side.VACANCY) == {"later", "never"}
        assert holds() == {("later", 1), ("never", 1)}

    async def test_the_very_next_revision_revives_it(self, matched, sweeper, make, holds):
        """Producers may number revisions 1, 2, 3."""
        await sweeper.sweep()
        await matched.vacancies(make.vacancy("v1", 2))
        assert holds() == {("v1", 2), ("later", 1), ("never", 1)}

    async def test_drops_tombstones_that_the_topics_no_longer_know(self, world, sweeper, now):
        await sweeper.sweep()
        then = milliseconds(now + timedelta(hours=1)) - VACANCIES.retention_ms
        assert world.index.purged_before_ms == then


class TestRaces:
    async def test_an_update_between_scan_and_write_stays(self, matched, sweeper, make, holds):
        publish = matched.publisher.publish

        async def publish_while_an_update_comes_in(records):
            matched.publisher.publish = publish
            await publish(records)
            await matched.vacancies(make.vacancy("v1", 2))

        matched.publisher.publish = publish_while_an_update_comes_in
        await sweeper.sweep()
        assert "v1" in matched.index.live(Side.VACANCY)
        assert holds() == {("v1", 2), ("later", 1), ("never", 1)}

    async def test_two_sweepers_do_what_one_does(self, matched, now, holds):
        both = [
            Sweeper(index=matched.index, publisher=matched.publisher, now=lambda: now + timedelta(hours=1))
            for _ in range(2)
        ]
        await asyncio.gather(*(each.sweep() for each in both))
        assert matched.index.live(Side.VACANCY) == {"later", "never"}
        assert holds() == {("later", 1), ("never", 1)}

    async def test_withdrawn_and_not_removed_it_is_done_again(self, matched, sweeper, holds):
        matched.index.fail("upsert", IndexUnavailable("gone fishing"))
        with pytest.raises(IndexUnavailable):
            await sweeper.sweep()
        assert await sweeper.sweep() == 1
        assert holds() == {("later", 1), ("never", 1)}

    async def test_not_withdrawn_it_is_not_removed(self, matched, sweeper):
        matched.publisher.fail("publish", PublishFailed("no leader"))
        with pytest.raises(PublishFailed):
            await sweeper.sweep()
        assert "v1" in matched.index.live(Side.VACANCY)

    async def test_an_event_that_has_expired_since_it_was_matched(self, matched, expiring, now, holds):
        """Delivered again before any sweep: it takes itself out."""
        matched.use(now=lambda: now + timedelta(hours=1))
        await matched.vacancies(expiring("v1", 1))
        assert matched.index.live(Side.VACANCY) == {"later", "never"}
        assert holds() == {("later", 1), ("never", 1)}


class TestKeepSweeping:
    async def test_a_failing_index_is_left_for_the_next_time(self):
        fails, swept = [IndexUnavailable("gone"), PublishFailed("gone")], asyncio.Event()

        async def sweep():
            if fails:
                raise fails.pop()
            swept.set()
            return 0

        with capture_logs() as logs:
            sweeping = asyncio.create_task(keep_sweeping(sweep, 0.001))
            await asyncio.wait_for(swept.wait(), 5)
            sweeping.cancel()
        assert [line["event"] for line in logs] == ["sweep_failed", "sweep_failed"]

    async def test_one_that_stays_away_ends_it(self):
        calls = []

        async def sweep():
            calls.append(1)
            raise IndexUnavailable("gone")

        with capture_logs(), pytest.raises(IndexUnavailable):
            await keep_sweeping(sweep, 0.001)
        assert len(calls) == MAX_FAILURES

    async def test_what_expired_is_logged(self):
        async def sweep():
            return 3

        with capture_logs() as logs:
            sweeping = asyncio.create_task(keep_sweeping(sweep, 0.001))
            while not logs:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            sweeping.cancel()
        assert logs[0]["vacancies"] == 3

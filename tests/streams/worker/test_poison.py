"""Poison is told apart from a defect that would dead-letter the whole topic."""

import pytest

from rolecall.schemas.dead_letter import Stage
from rolecall.streams.errors import NotTheEvents
from rolecall.streams.events.receive import Reject
from rolecall.streams.worker.poison import Streak, sift


def rejects(make, count, stage=Stage.ENCODE, exception="RuntimeError"):
    return [Reject(make.raw(b"{}"), stage, exception, "out of luck") for _ in range(count)]


class TestStreak:
    def test_so_many_alike_and_none_good_are_no_coincidence(self, make):
        streak = Streak(10)
        streak.add(6, rejects(make, 6))
        with pytest.raises(NotTheEvents, match="the last 12 events all failed in encode with RuntimeError"):
            streak.add(6, rejects(make, 6))

    def test_one_full_batch_is_enough(self, make):
        with pytest.raises(NotTheEvents):
            Streak(10).add(10, rejects(make, 10))

    @pytest.mark.parametrize(
        ("events", "kind"),
        [
            (6, {"exception": "KeyError"}),
            (6, {"stage": Stage.MATCH}),
            (7, {}),  # one of them was good
        ],
    )
    def test_another_cause_or_one_good_event_ends_it(self, make, events, kind):
        streak = Streak(10)
        streak.add(6, rejects(make, 6))
        streak.add(events, rejects(make, 6, **kind))
        streak.add(3, rejects(make, 3))

    def test_a_batch_that_was_all_unreadable_says_nothing(self, make):
        streak = Streak(10)
        streak.add(6, rejects(make, 6))
        streak.add(0, [])
        with pytest.raises(NotTheEvents):
            streak.add(6, rejects(make, 6))


@pytest.mark.parametrize(("events", "attempts"), [(1, 2), (2, 3), (8, 5), (9, 5)])
async def test_poison_was_tried_with_ever_fewer_others(make, events, attempts):
    """The last of nine is tried with eight others, then with three, with one, and twice alone."""

    class Event:
        record = make.raw(b"{}")

    batch = [Event() for _ in range(events)]

    async def effects(some):
        if batch[-1] in some:
            raise ValueError
        return []

    _, [poison] = await sift(batch, effects, lambda: Stage.MATCH)
    assert poison.attempts == attempts


async def test_what_fails_once_is_no_poison(make):
    class Event:
        record = make.raw(b"{}")

    failures = [ValueError()]

    async def effects(some):
        if failures:
            raise failures.pop()
        return []

    assert await sift([Event()], effects, lambda: Stage.MATCH) == ([], [])


async def test_what_fails_once_is_no_poison_though_its_neighbour_is(make):
    class Event:
        record = make.raw(b"{}")

    poison, good = Event(), Event()
    failures = [ValueError()]

    async def effects(some):
        if poison in some or (some == [good] and failures and failures.pop()):
            raise ValueError
        return []

    _, [reject] = await sift([poison, good], effects, lambda: Stage.MATCH)
    assert (reject.record, failures) == (poison.record, [])

"""The batch runner with random histories, compared with oracles."""

from contextlib import suppress
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.schemas.match import Side
from tests.streams.fakes import Killed

IDS = ("a", "b", "c")
published = st.tuples(st.sampled_from(IDS), st.integers(1, 30).map(lambda n: 2 * n))
erased = st.tuples(st.sampled_from(IDS), st.integers(1, 30).map(lambda n: 2 * n + 1))
event = st.tuples(st.just("publish"), published) | st.tuples(st.just("erase"), erased)
history = st.lists(event, min_size=1, max_size=25)


def record_of(make, kind, id, revision):
    """Each revision has a text of its own."""
    if kind == "erase":
        return make.erasure(id, at=revision)
    return make.vacancy(id, revision, skills=[str(revision)])


async def replay(world, make, events, cuts):
    """Runs the events in batches that end at these positions."""
    ends = sorted({cut % len(events) for cut in cuts} | {0, len(events)})
    for start, end in pairwise(ends):
        await world.vacancies(*(record_of(make, kind, *what) for kind, what in events[start:end]))


def newest_of(events):
    """Oracle: the event with the highest revision of each id. Odd revisions erase."""
    best = {}
    for _, (id, revision) in events:
        best[id] = max(best.get(id, 0), revision)
    return best


def stored(world):
    """By id, everything that is stored of the vacancies. (Dataclasses with arrays cannot be compared.)"""
    return {
        id: (point.revision, None if point.vector is None else point.vector.tobytes(), point.payload)
        for id, point in world.index.points[Side.VACANCY].items()
    }


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
        points = stored(world)
        standing = holding(world.matches, world.withdrawn)
        replayed = list(events)
        shuffled.shuffle(replayed)
        await replay(world, make, replayed, again)
        assert stored(world) == points
        assert holding(world.matches, world.withdrawn) == standing
        assert world.dead_letters == []

    @given(events=history, cuts=st.lists(st.integers(0, 30), max_size=8))
    @settings(max_examples=60)
    async def test_the_matches_that_hold_are_those_of_the_final_state(
        self, new_world, make, holding, events, cuts
    ):
        """For any history, the rule of `MatchesWithdrawn` leaves exactly the pairs of open entities."""
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

"""Pairs that were turned down: single cases, and any order. `test_lists_model.py` has two workers."""

import asyncio
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from rolecall.schemas.match import Side
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import receive_feedback
from rolecall.streams.index import verdicts
from rolecall.streams.index.port import Lookup
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.lookups import LookupRunner
from rolecall.streams.worker.turned_down import TurnedDownPairs
from tests.streams.conftest import LIMITS, NOW, NOW_MS

MATCHED, TURNED_DOWN, LATER = 1_000, 2_000, 3_000  # milliseconds since 1970


class Office:
    """A worker with what came of it."""

    def __init__(self, world, index=None):
        self.world = world
        pairs = TurnedDownPairs(world.encoder, index or world.index, world.runner.lists)
        self.feedback = LookupRunner(
            receive_feedback, pairs.apply, publisher=world.publisher, limits=LIMITS, now=lambda: NOW
        )

    async def told(self, *records):
        tally = await self.feedback.run(records)
        await self.drain()
        return tally

    async def drain(self):
        while self.world.runner.lists.behind:
            await self.world.runner.lists.work()

    def belonging(self, top_k):
        state = MatchState([*self.world.matches, *self.world.withdrawn])
        return {(match.vacancy_id, match.candidate_id) for match in state.belonging(top_k)}


@pytest.fixture(scope="session")
def verdict(make):
    def made(vacancy="v1", candidate="c1", at=TURNED_DOWN, said="dismissed", **fields):
        moment = datetime.fromtimestamp(at / 1000, UTC).isoformat()
        return make.json(
            **{"id": "f1", "actor": "vacancy"} | fields,
            occurred_at=moment,
            vacancy_id=vacancy,
            candidate_id=candidate,
            verdict=said,
        )

    return made


@pytest.fixture
def office(world):
    return Office(world)


@pytest.fixture
async def pair(office, make):
    await office.world.vacancies(make.vacancy(revision=MATCHED))
    await office.world.candidates(make.candidate(revision=MATCHED))
    assert office.belonging(10) == {("v1", "c1")}
    return office


@pytest.mark.parametrize("actor", ["vacancy", "candidate"])
@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ("hired", False),
        ("dismissed", False),
        ("rejected", False),
        ("interviewed", True),
        ("shortlisted", True),
        ("applied", True),
        ("viewed", True),
    ],
)
async def test_some_verdicts_withdraw_the_pair(pair, verdict, said, stays, actor):
    await pair.told(verdict(said=said, actor=actor))
    assert bool(pair.belonging(10)) is stays


async def test_the_withdrawal_names_the_pair_as_of_the_verdict(pair, verdict):
    await pair.told(verdict())
    [withdrawn] = pair.world.withdrawn
    assert (withdrawn.side, withdrawn.entity_id, withdrawn.revision) == (Side.VACANCY, "v1", TURNED_DOWN)
    assert withdrawn.counterparts == {"c1": TURNED_DOWN}
    assert (withdrawn.reason, withdrawn.model_version) == ("turned_down", None)


async def test_other_pairs_of_the_two_stay(pair, verdict, make):
    await pair.world.candidates(make.candidate("c2", MATCHED))
    await pair.world.vacancies(make.vacancy("v2", MATCHED))
    await pair.told(verdict())
    assert pair.belonging(10) == {("v1", "c2"), ("v2", "c1"), ("v2", "c2")}


async def test_a_pair_that_was_turned_down_before_it_was_published_is_never_matched(office, verdict, make):
    await office.told(verdict())
    await office.world.vacancies(make.vacancy(revision=MATCHED))
    await office.world.candidates(make.candidate(revision=MATCHED))
    assert office.world.matches == []


@pytest.mark.parametrize("side", Side)
async def test_it_is_back_once_one_of_the_two_has_changed(pair, verdict, make, side):
    await pair.told(verdict())
    if side is Side.VACANCY:
        await pair.world.vacancies(make.vacancy("v1", LATER, skills=["first aid"]))
    else:
        await pair.world.candidates(make.candidate("c1", LATER, skills=["first aid"]))
    assert pair.belonging(10) == {("v1", "c1")}


async def test_publishing_again_unchanged_is_no_change(pair, verdict, make):
    await pair.told(verdict())
    await pair.world.candidates(make.candidate(revision=LATER))
    await pair.world.vacancies(make.vacancy(revision=LATER))
    assert pair.belonging(10) == set()


async def test_nor_is_a_change_from_before_the_verdict_that_comes_late(pair, verdict, make):
    await pair.told(verdict())
    await pair.world.candidates(make.candidate("c1", TURNED_DOWN - 1, skills=["first aid"]))
    assert pair.belonging(10) == set()


async def test_a_verdict_about_an_older_state_changes_nothing(pair, verdict):
    await pair.told(verdict(at=MATCHED - 1))
    assert pair.world.withdrawn == []
    assert await pair.world.index.count(Lookup.VERDICT) == 0


async def test_the_same_verdict_again_is_published_again(pair, verdict):
    """The worker may have died between the two effects of the first one."""
    await pair.told(verdict())
    await pair.told(verdict())
    assert len(pair.world.withdrawn) == 2


async def test_it_can_be_turned_off(new_world, make, verdict):
    world = new_world(policy=Policy(10, 0, drop_turned_down=False))
    await verdicts.add(world.index, world.encoder.dims, {("v1", "c1"): LATER}, dict.fromkeys(names(), 0))
    await world.vacancies(make.vacancy(revision=MATCHED))
    await world.candidates(make.candidate(revision=MATCHED))
    assert world.pairs == {("v1", "c1")}


# Lists


def nearest_first(encoder, title, count):
    titles = [f"job {number}" for number in range(count)]
    return sorted(titles, key=lambda each: -float(encoder.vector(each) @ encoder.vector(title)))


@pytest.fixture
async def crowd(new_world, make):
    """Four vacancies, best first, are known to have entered the two places of a candidate's list. Each of
    the vacancies has two better candidates."""
    world = new_world(policy=Policy(2, 0.1))
    for number, title in enumerate(nearest_first(world.encoder, "nurse", 60)[:4]):
        await world.candidates(*(make.candidate(f"own {number} {n}", MATCHED, title=title) for n in (1, 2)))
    await world.candidates(make.candidate("c", MATCHED, title="nurse"))
    for number, title in enumerate(nearest_first(world.encoder, "nurse", 60)[:4]):
        await world.vacancies(make.vacancy(f"v{number}", MATCHED, title=title))
    office = Office(world)
    await office.drain()
    return office


def of_c(office):
    return {vacancy for vacancy, candidate in office.belonging(2) if candidate == "c"}


async def test_the_next_best_takes_the_place(crowd, verdict):
    assert of_c(crowd) == {"v0", "v1"}
    await crowd.told(verdict("v0", "c"))
    assert of_c(crowd) == {"v1", "v2"}


async def test_a_list_with_a_member_to_spare_is_not_searched(crowd, verdict):
    await crowd.feedback.run([verdict("v0", "c")])
    assert crowd.world.runner.lists.behind == 0


async def test_a_list_is_filled_past_all_who_were_turned_down(new_world, make, verdict):
    """A search asks for twelve at first. Of 60 candidates the nearest 40 are turned down."""
    world = new_world(policy=Policy(10, 0))
    office = Office(world)
    titles = nearest_first(world.encoder, "nurse", 60)
    await world.candidates(*(make.candidate(title, MATCHED, title=title) for title in titles))
    await office.told(*(verdict("v1", title) for title in titles[:40]))
    await world.vacancies(make.vacancy(revision=MATCHED, title="nurse"))
    assert [match.candidate_id for match in world.own_list(10)] == titles[40:50]


async def test_a_list_that_cannot_be_compared_is_searched_again(pair, verdict):
    stored = pair.world.index.points[Side.CANDIDATE]["c1"]
    stored.payload["card"] = "{}"
    await pair.feedback.run([verdict()])
    assert pair.world.withdrawn
    assert pair.world.runner.lists.behind == 2


# Bad records


async def test_a_verdict_from_the_future_is_dead_lettered(pair, verdict):
    await pair.told(verdict(at=NOW_MS + 300_001))
    [letter] = pair.world.dead_letters
    reason = dict(letter.headers)["__connect.errors.exception.message"].decode()
    assert "occurred_at" in reason
    assert "300 s are allowed" in reason
    assert pair.world.withdrawn == []


async def test_a_bad_record_is_dead_lettered_and_stops_no_other(pair, verdict, make):
    tally = await pair.told(make.raw(b"{}", b"v1"), make.raw(None, b"v1"), verdict())
    assert (tally.events, tally.dead_letters) == (3, 2)
    assert pair.belonging(10) == set()


# What is kept


def names(vacancy="v1", candidate="c1"):
    return verdicts.name(Side.VACANCY, vacancy), verdicts.name(Side.CANDIDATE, candidate)


async def kept(index):
    """By side, the entities v1, v2, c1 and c2 that have verdicts."""
    return {
        Side.VACANCY: set(await verdicts.verdicts(index, Side.VACANCY, ["v1", "v2"])),
        Side.CANDIDATE: set(await verdicts.verdicts(index, Side.CANDIDATE, ["c1", "c2"])),
    }


async def test_an_erasure_takes_the_verdicts_of_both_sides(pair, verdict, make):
    await pair.told(verdict(), verdict("v1", "c2"), verdict("v2", "c1"))
    await pair.world.candidates(make.erasure("c1", at=LATER))
    assert await kept(pair.world.index) == {Side.VACANCY: {"v1"}, Side.CANDIDATE: {"c2"}}
    assert pair.world.index.live(Lookup.VERDICT) == set(names("v1", "c2"))


async def test_a_verdict_from_before_the_erasure_is_not_kept(pair, verdict, make):
    await pair.world.candidates(make.erasure("c1", at=LATER))
    await pair.told(verdict())
    assert pair.world.index.points[Lookup.VERDICT] == {}


async def test_an_erasure_while_the_verdict_is_written_takes_it_too(pair, verdict, make, monkeypatch):
    upsert = pair.world.index.upsert

    async def erased_first(space, points):
        if space is Lookup.VERDICT:
            monkeypatch.setattr(pair.world.index, "upsert", upsert)
            await pair.world.candidates(make.erasure("c1", at=LATER))
        return await upsert(space, points)

    monkeypatch.setattr(pair.world.index, "upsert", erased_first)
    await pair.told(verdict())
    assert pair.world.index.live(Lookup.VERDICT) == set()


async def test_a_verdict_on_who_came_back_after_the_erasure_stays(pair, verdict, make):
    await pair.told(verdict(at=LATER))
    await pair.world.candidates(make.erasure("c1", at=TURNED_DOWN))
    await pair.world.candidates(make.candidate("c1", TURNED_DOWN + 1))
    assert pair.belonging(10) == set()


async def test_verdicts_that_ended_are_not_kept_with_new_ones(pair, verdict, make):
    await pair.told(verdict("v1", "c2", at=MATCHED + 1))
    await pair.world.vacancies(make.vacancy("v1", LATER, skills=["first aid"]))
    await pair.told(verdict(at=LATER))
    assert await verdicts.verdicts(pair.world.index, Side.VACANCY, ["v1"]) == {
        "v1": {verdicts.name(Side.CANDIDATE, "c1"): LATER}
    }


async def test_of_too_many_verdicts_the_latest_are_kept(office, verdict, monkeypatch):
    monkeypatch.setattr(verdicts, "MOST", 2)
    with capture_logs() as lines:
        await office.told(*(verdict("v1", f"c{n}", at=n) for n in (3, 1, 2)))
    [found] = (await verdicts.verdicts(office.world.index, Side.VACANCY, ["v1"])).values()
    assert found == {verdicts.name(Side.CANDIDATE, f"c{n}"): n for n in (2, 3)}
    assert [(line["event"], line["verdicts"]) for line in lines] == [("verdicts_dropped", 1)]


class Slow:
    """An index whose calls take their time, before and after they take effect."""

    def __init__(self, index, seed):
        self._index = index
        self._random = random.Random(seed)

    def __getattr__(self, name):
        async def slow(*args, **named):
            await self._pause()
            answer = await getattr(self._index, name)(*args, **named)
            await self._pause()
            return answer

        return slow

    async def _pause(self):
        for _ in range(self._random.randrange(4)):
            await asyncio.sleep(0)


@given(
    given=st.lists(
        st.tuples(st.sampled_from(["v1", "v2"]), st.sampled_from(["c1", "c2"]), st.integers(1, 9))
    ),
    erased=st.dictionaries(st.sampled_from(["c1", "c2"]), st.integers(1, 9)),
    seed=st.integers(0, 2**32),
)
async def test_writers_that_meet_lose_no_verdict(new_world, given, erased, seed):
    """Of a candidate that is erased, each writer takes its own verdict out again, as it sees the tombstone.
    The erasure takes out what it finds, at any time."""
    world = new_world()
    index, dims = Slow(world.index, seed), world.encoder.dims

    async def add(vacancy, candidate, time):
        since = dict.fromkeys(names(vacancy, candidate), 0)
        await verdicts.add(index, dims, {(vacancy, candidate): time}, since)
        if time <= erased.get(candidate, 0):
            await verdicts.remove(index, dims, {(vacancy, candidate): time})

    erasure = verdicts.erase(index, dims, Side.CANDIDATE, erased)
    await asyncio.gather(*(add(*each) for each in given), erasure)
    expected = {}
    for vacancy, candidate, time in given:
        if time > erased.get(candidate, 0):
            times = expected.setdefault(vacancy, {})
            other = verdicts.name(Side.CANDIDATE, candidate)
            times[other] = max(time, times.get(other, 0))
    assert await verdicts.verdicts(world.index, Side.VACANCY, ["v1", "v2"]) == expected
    assert len(world.index.live(Lookup.VERDICT)) == len(expected) + len(set().union(*expected.values()))


# Any order

MOMENTS = st.integers(1, 6).map(lambda number: 1_000 * number)
STATES = st.tuples(st.sampled_from(["v1", "v2", "c1", "c2"]), MOMENTS, st.booleans())
VERDICTS = st.tuples(st.sampled_from(["v1", "v2"]), st.sampled_from(["c1", "c2"]), MOMENTS)


def still_together(states, given):
    """Oracle. The newest state of each counts, and every verdict that is no older than both."""
    newest = {}
    for id, moment, erased in states:
        newest[id] = max(newest.get(id, (0, True)), (moment, erased))
    here = {id: moment for id, (moment, erased) in newest.items() if not erased}
    return {
        (v, c)
        for v in ("v1", "v2")
        for c in ("c1", "c2")
        if v in here
        and c in here
        and not any((v, c) == (one, other) and time >= max(here[v], here[c]) for one, other, time in given)
    }


@given(
    states=st.lists(STATES, min_size=2, max_size=8, unique_by=lambda drawn: drawn[:2]),
    given=st.lists(VERDICTS, max_size=5),
    shuffled=st.randoms(use_true_random=False),
)
async def test_any_order_and_any_repetition_ends_in_the_same_pairs(
    new_world, make, verdict, states, given, shuffled
):
    office = Office(new_world())
    events = [("state", each) for each in states] + [("verdict", each) for each in given]
    events += [each for each in events if shuffled.random() < 0.3]
    shuffled.shuffle(events)
    for kind, each in events:
        if kind == "verdict":
            await office.told(verdict(*each))
            continue
        id, moment, erased = each
        side = Side.VACANCY if id[0] == "v" else Side.CANDIDATE
        made = make.vacancy if side is Side.VACANCY else make.candidate
        record = make.erasure(id, at=moment) if erased else made(id, moment, skills=[f"skill {moment}"])
        await office.world.runner.run(side, [record])
        await office.drain()
    assert office.belonging(10) == still_together(states, given)

"""Exclusion rules against brute force, whatever comes first."""

import asyncio
import random
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.schemas.match import Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.events.receive import Limits, receive_definitions
from rolecall.streams.index.areas import search_allowed
from rolecall.streams.index.port import Lookup, Point
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.batch import BatchRunner
from rolecall.streams.worker.exclusion_rules import ExclusionRules
from rolecall.streams.worker.lookups import LookupRunner

TITLES = [f"job {number}" for number in range(12)]


class Office:
    """One worker: what it runs on is shared with others."""

    def __init__(self, world, index=None, top_k=100):
        self.world = world
        self.index = index or world.index
        limits = Limits(max_record_bytes=10_000, max_clock_skew_ms=300_000)
        common = {"publisher": world.publisher, "limits": limits, "now": lambda: world.now}
        self.runner = BatchRunner(encoder=world.encoder, index=self.index, policy=Policy(top_k, 0), **common)
        self.rules = ExclusionRules(world.encoder, self.index)
        self.definitions = LookupRunner(
            partial(receive_definitions, ExclusionRule), self.rules.apply, **common
        )

    async def publish(self, kind, record):
        if kind == "rule":
            await self.definitions.run([record])
        else:
            await self.runner.run(Side(kind), [record])


@pytest.fixture
def office(world, now):
    world.now = now
    return Office(world)


def anchor(text=None, entity_id=None, min_similarity=0.9999):
    source = {"text": text} if entity_id is None else {"entity_id": entity_id}
    return source | {"min_similarity": min_similarity}


def rule_record(make, first, second, id="r1", revision=1):
    return make.json(id=id, revision=revision, occurred_at="2026-01-01T00:00:00Z", anchors=[first, second])


async def standing(holding, world):
    return {(vacancy, candidate) for vacancy, _, candidate, _ in holding(world.matches, world.withdrawn)}


async def test_what_lies_near_the_one_anchor_never_meets_what_lies_near_the_other(office, world, make):
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("cook")))
    await world.vacancies(make.vacancy("v1", title="nurse"), make.vacancy("v2", title="cook"))
    await world.candidates(make.candidate("c1", title="nurse"), make.candidate("c2", title="cook"))
    assert world.pairs == {("v1", "c1"), ("v2", "c2")}


async def test_a_new_rule_withdraws_exactly_what_it_forbids(office, world, make, holding):
    await world.vacancies(make.vacancy("v1", title="nurse"), make.vacancy("v2", title="cook"))
    await world.candidates(make.candidate("c1", title="nurse"), make.candidate("c2", title="cook"))
    assert len(world.pairs) == 4
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("cook")))
    assert await standing(holding, world) == {("v1", "c1"), ("v2", "c2")}
    assert {withdrawal.reason for withdrawal in world.withdrawn} == {"excluded"}


async def test_the_list_is_filled_past_what_is_excluded(world, make, now):
    world.now = now
    office = Office(world, top_k=3)
    for number in range(40):
        title = "cook" if number < 30 else f"other {number}"
        await office.publish("candidate", make.candidate(f"c{number}", title=title))
    await office.publish("rule", rule_record(make, anchor("cook"), anchor("cook")))
    await office.publish("vacancy", make.vacancy("v1", title="cook"))
    found = world.own_list(3)
    vector = world.encoder.vector
    nearest = sorted(range(30, 40), key=lambda n: -float(vector("cook") @ vector(f"other {n}")))
    assert [match.candidate_id for match in found] == [f"c{number}" for number in nearest[:3]]


async def test_a_wide_rule_is_withdrawn_in_parts(office, world, make, holding):
    """600 x 600 pairs, two withdrawals for each vacancy: no more than 200 at a time."""
    ids = range(600)
    await world.vacancies(*(make.vacancy(f"v{n}", title="cook", languages=[{"code": "nl"}]) for n in ids))
    await world.candidates(*(make.candidate(f"c{n}", title="baker", languages=[{"code": "de"}]) for n in ids))
    sizes = []
    publish = world.publisher.publish

    async def measured(records):
        records = list(records)
        sizes.append(len(records))
        await publish(records)

    world.publisher.publish = measured
    await office.publish("rule", rule_record(make, anchor("cook"), anchor("baker")))
    assert sizes == [200] * 6 + [0]
    assert sum(len(each.counterparts) for each in world.withdrawn) == 600 * 600


async def test_a_removed_rule_lets_the_pair_meet_again(office, world, make, holding):
    await world.vacancies(make.vacancy("v1", title="nurse"))
    await world.candidates(make.candidate("c1", title="cook"))
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("cook")))
    await office.publish("rule", make.erasure("r1", at=2))
    await world.candidates(make.candidate("c1", revision=2, title="cook", skills=["baking"]))
    assert await standing(holding, world) == {("v1", "c1")}


async def test_an_older_rule_neither_replaces_a_newer_one_nor_a_removal(office, world, make):
    await office.publish("rule", make.erasure("r1", at=5))
    await world.vacancies(make.vacancy("v1", title="nurse"))
    await world.candidates(make.candidate("c1", title="cook"))
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("cook"), revision=4))
    assert world.withdrawn == []


async def test_a_newer_revision_replaces_the_rule(office, world, make):
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("cook")))
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("pilot"), revision=2))
    await world.vacancies(make.vacancy("v1", title="nurse"))
    await world.candidates(make.candidate("c1", title="cook"), make.candidate("c2", title="pilot"))
    assert world.pairs == {("v1", "c1")}


async def test_an_indexed_entity_can_be_an_anchor_even_at_radius_one(office, world, make, holding):
    await world.vacancies(make.vacancy("v1", title="nurse"), make.vacancy("v2", title="pilot"))
    await world.candidates(make.candidate("c1", title="cook"), make.candidate("c2", title="smith"))
    rule = rule_record(
        make, anchor(entity_id="v1", min_similarity=1), anchor(entity_id="c1", min_similarity=1)
    )
    await office.publish("rule", rule)
    assert await standing(holding, world) == {("v1", "c2"), ("v2", "c1"), ("v2", "c2")}


async def test_an_unknown_entity_is_dead_lettered_with_its_reason_and_stops_no_other_rule(
    office, world, make
):
    records = [
        rule_record(make, anchor("nurse"), anchor("cook"), id="good"),
        rule_record(make, anchor("nurse"), anchor(entity_id="who"), id="bad"),
    ]
    await office.definitions.run(records)
    assert set(world.stages) == {b"bad"}
    message = dict(world.dead_letters[0].headers)["__connect.errors.exception.message"].decode()
    assert "no vacancy or candidate 'who' is indexed" in message
    assert world.index.live(Lookup.ANCHOR) == {"good#0", "good#1"}


async def test_with_rules_a_batch_takes_one_search_more(office, world, make):
    for number in range(20):
        text = f"far away {number}"
        await office.publish("rule", rule_record(make, anchor(text), anchor(text + "!"), id=f"r{number}"))
    world.index.calls.clear()
    await world.vacancies(*(make.vacancy(f"v{number}") for number in range(30)))
    assert world.index.calls.count("search") == 2


# Against brute force

radii = st.sampled_from([0.0, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0])
anchors = st.builds(anchor, st.sampled_from(TITLES), min_similarity=radii)
rules = st.lists(st.tuples(anchors, anchors), max_size=6)


def is_inside(encoder, title, anchor):
    similarity = float(encoder.vector(title) @ encoder.vector(anchor["text"]))
    return similarity >= anchor["min_similarity"] - 1e-5


def allowed_pairs(encoder, vacancies, candidates, rules):
    return {
        (vacancy, candidate)
        for vacancy, asked in vacancies.items()
        for candidate, offered in candidates.items()
        if not any(
            (is_inside(encoder, asked, one) and is_inside(encoder, offered, other))
            or (is_inside(encoder, asked, other) and is_inside(encoder, offered, one))
            for one, other in rules
        )
    }


def events_of(make, vacancies, candidates, rules):
    return [
        *(("vacancy", make.vacancy(id, title=title)) for id, title in vacancies.items()),
        *(("candidate", make.candidate(id, title=title)) for id, title in candidates.items()),
        *(
            ("rule", rule_record(make, one, other, id=f"r{number}"))
            for number, (one, other) in enumerate(rules)
        ),
    ]


entities = st.lists(st.sampled_from(TITLES), min_size=1, max_size=8)


@given(asked=entities, offered=entities, rules=rules, shuffled=st.randoms(use_true_random=False))
@settings(max_examples=80)
async def test_the_pairs_that_hold_are_those_no_rule_excludes(
    new_world, make, now, holding, asked, offered, rules, shuffled
):
    world = new_world()
    world.now = now
    office = Office(world)
    vacancies = {f"v{number}": title for number, title in enumerate(asked)}
    candidates = {f"c{number}": title for number, title in enumerate(offered)}
    events = events_of(make, vacancies, candidates, rules)
    shuffled.shuffle(events)
    for event in events:
        await office.publish(*event)
    expected = allowed_pairs(world.encoder, vacancies, candidates, rules)
    assert await standing(holding, world) == expected
    assert world.dead_letters == []


class Slow:
    """An index whose calls take their time, each as long as it likes, before and after they take effect."""

    def __init__(self, index, seed):
        self._index = index
        self._random = random.Random(seed)

    async def search_allowed(self, space, queries):
        return await search_allowed(self, space, queries)

    def __getattr__(self, name):
        call = getattr(self._index, name)

        async def slow(*arguments, **named):
            await self._pause()
            answer = await call(*arguments, **named)
            await self._pause()
            return answer

        return slow

    async def _pause(self):
        for _ in range(self._random.randrange(6)):
            await asyncio.sleep(0)


class Interrupted:
    """An index that lets others do their whole work just before one of its calls."""

    def __init__(self, index, before_call, others):
        self._index = index
        self._left = before_call
        self._others = others

    async def search_allowed(self, space, queries):
        return await search_allowed(self, space, queries)

    def __getattr__(self, name):
        call = getattr(self._index, name)

        async def interrupted(*arguments, **named):
            self._left -= 1
            if self._left == -1:
                await self._others()
            return await call(*arguments, **named)

        return interrupted


@pytest.mark.parametrize("before_call", range(7))
@pytest.mark.parametrize("order", [*permutations(("rule", "candidate", "candidate again"))])
async def test_whatever_comes_in_between_two_steps_of_an_event(world, make, now, holding, before_call, order):
    world.now = now
    other = Office(world)
    records = {
        "rule": ("rule", rule_record(make, anchor("nurse"), anchor("cook"))),
        "candidate": ("candidate", make.candidate("c1", title="cook")),
        "candidate again": ("candidate", make.candidate("c1", revision=2, title="cook")),
    }

    async def others():
        for each in order:
            await other.publish(*records[each])

    await other.publish("candidate", make.candidate("c2", title="pilot"))
    interrupted = Interrupted(world.index, before_call, others)
    await Office(world, interrupted).publish("vacancy", make.vacancy("v1", title="nurse"))
    if world.index.live(Lookup.ANCHOR) == set():  # it takes fewer calls
        await others()
    assert await standing(holding, world) == {("v1", "c2")}


@given(asked=entities, offered=entities, rules=rules, seed=st.integers(0, 2**32))
@settings(max_examples=150)
async def test_two_workers_at_once_leave_nothing_forbidden_standing(
    new_world, make, now, holding, asked, offered, rules, seed
):
    world = new_world()
    world.now = now
    slow = Slow(world.index, seed)
    offices = [Office(world, slow), Office(world, slow)]
    vacancies = {f"v{number}": title for number, title in enumerate(asked)}
    candidates = {f"c{number}": title for number, title in enumerate(offered)}
    events = events_of(make, vacancies, candidates, rules)
    random.Random(seed).shuffle(events)
    await asyncio.gather(*(offices[number % 2].publish(*event) for number, event in enumerate(events)))
    expected = allowed_pairs(world.encoder, vacancies, candidates, rules)
    assert await standing(holding, world) == expected


@given(asked=entities, offered=entities, one=anchors, other=anchors)
@settings(max_examples=50)
async def test_a_dry_run_tells_what_the_rule_then_excludes(
    new_world, make, now, holding, asked, offered, one, other
):
    world = new_world()
    world.now = now
    office = Office(world)
    vacancies = {f"v{number}": title for number, title in enumerate(asked)}
    candidates = {f"c{number}": title for number, title in enumerate(offered)}
    for event in events_of(make, vacancies, candidates, []):
        await office.publish(*event)
    before = await standing(holding, world)
    record = rule_record(make, one, other)
    rule = ExclusionRule.model_validate_json(record.value)
    [forbidden] = await office.rules.forbidden(list((await office.rules.areas([rule])).values()))
    told = {(vacancy.id, candidate.id) for vacancy, candidate in forbidden.pairs()}
    assert world.index.live(Lookup.ANCHOR) == set()
    await office.publish("rule", record)
    assert before - await standing(holding, world) == told


async def test_an_area_of_any_size_is_found_whole(office, world, make, monkeypatch):
    monkeypatch.setattr("rolecall.streams.index.areas.DEPTH", 3)
    vector = world.encoder.vector("nurse")
    points = [Point(f"c{number}", 1, np.array(vector), {}) for number in range(100)]
    await world.index.upsert(Side.CANDIDATE, points)
    await world.index.upsert(Side.VACANCY, [Point("v1", 1, np.array(vector), {})])
    await office.publish("rule", rule_record(make, anchor("nurse"), anchor("nurse")))
    gone = {id for withdrawal in world.withdrawn for id in withdrawal.counterparts or ()}
    gone |= {withdrawal.entity_id for withdrawal in world.withdrawn}
    assert gone == {"v1", *(f"c{number}" for number in range(100))}


async def test_a_rule_loses_the_vector_of_a_person_who_is_erased(office, world, make):
    await world.candidates(make.candidate("c1", title="nurse"), make.candidate("c2", title="nurse"))
    await office.publish("rule", rule_record(make, anchor(entity_id="c1"), anchor("cook")))
    await office.publish("rule", rule_record(make, anchor(entity_id="c2"), anchor("baker"), id="r2"))
    assert set(await world.index.vectors(Lookup.ANCHOR, ["r1#0", "r1#1", "r2#0"])) == {"r1#0", "r1#1", "r2#0"}
    await world.candidates(make.erasure("c1", at=1_800_000_000_000))
    assert set(await world.index.vectors(Lookup.ANCHOR, ["r1#0", "r1#1", "r2#0"])) == {"r2#0"}


async def test_closing_a_person_leaves_the_rule(office, world, make):
    await world.candidates(make.candidate("c1", title="nurse"))
    await office.publish("rule", rule_record(make, anchor(entity_id="c1"), anchor("cook")))
    await world.candidates(make.candidate("c1", title="nurse", status="closed", revision=2_000_000_000_000))
    assert set(await world.index.vectors(Lookup.ANCHOR, ["r1#0"])) == {"r1#0"}


async def test_an_erasure_while_the_rule_is_written_takes_the_vector_too(office, world, make, monkeypatch):
    await world.candidates(make.candidate("c1", title="nurse"))
    upsert = world.index.upsert

    async def erased_first(space, points):
        if space is Lookup.ANCHOR and points[0].vector is not None:
            monkeypatch.setattr(world.index, "upsert", upsert)
            await world.candidates(make.erasure("c1", at=1_800_000_000_000))
        return await upsert(space, points)

    monkeypatch.setattr(world.index, "upsert", erased_first)
    await office.publish("rule", rule_record(make, anchor(entity_id="c1"), anchor("cook")))
    assert await world.index.vectors(Lookup.ANCHOR, ["r1#0", "r1#1"]) == {}

"""Lists that are searched again: single cases. Random histories are in test_lists_model.py."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import product
from string import ascii_lowercase

import numpy as np
import pytest

from rolecall.schemas.match import Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import Defined
from rolecall.streams.matching import ranking
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.exclusion_rules import ExclusionRules
from rolecall.streams.worker.expiry import Sweeper
from tests.streams.conftest import NOW, FakeEncoder
from tests.streams.fakes import AWAY


async def drain(world):
    while world.runner.lists.behind:
        await world.runner.lists.work()


def belonging(world, top_k):
    state = MatchState([*world.matches, *world.withdrawn])
    return {(match.vacancy_id, match.candidate_id) for match in state.belonging(top_k)}


def nearest_first(encoder, title, titles=tuple(f"job {number}" for number in range(60))):
    return sorted(titles, key=lambda each: -float(encoder.vector(each) @ encoder.vector(title)))


@pytest.fixture
async def filled(new_world, make):
    """The candidate's one place has `first`, and `second` is next. Each of the two has someone else."""
    world = new_world(policy=Policy(1, 0.1))
    near, far = nearest_first(world.encoder, "nurse")[:2]
    soon = (NOW + timedelta(hours=1)).isoformat()
    await world.candidates(make.candidate("own 1", title=near), make.candidate("own 2", title=far))
    await world.vacancies(
        make.vacancy("first", title=near, expires_at=soon), make.vacancy("second", title=far)
    )
    await world.candidates(make.candidate("c", title="nurse"))
    await drain(world)
    assert belonging(world, 1) == {("first", "own 1"), ("second", "own 2"), ("first", "c")}
    return world


@pytest.fixture
def sweep(filled):
    """Two hours later."""
    later = NOW + timedelta(hours=2)
    filled.use(now=lambda: later)
    lists = filled.runner.lists
    return Sweeper(index=filled.index, publisher=filled.publisher, lists=lists, now=lambda: later).sweep


AFTER = {("second", "own 2"), ("second", "c"), ("second", "own 1")}


async def test_the_next_best_takes_the_place_of_what_is_closed(filled, make):
    await filled.vacancies(make.vacancy("first", 2, status="closed"))
    await drain(filled)
    assert belonging(filled, 1) == AFTER


async def test_and_of_what_has_expired(filled, sweep):
    await sweep()
    await drain(filled)
    assert belonging(filled, 1) == AFTER


async def test_and_of_what_had_expired_before_it_was_closed(filled, make):
    filled.use(now=lambda: NOW + timedelta(hours=2))
    await filled.vacancies(make.vacancy("first", 2, status="closed"))
    await drain(filled)
    assert belonging(filled, 1) == AFTER


async def test_after_a_failed_search_of_the_sweeper_every_list_is_searched(filled, sweep):
    filled.index.fail("search", AWAY)
    with pytest.raises(type(AWAY)):
        await sweep()
    await drain(filled)
    assert belonging(filled, 1) == AFTER


async def test_when_nothing_is_missing_a_search_of_every_list_publishes_nothing(filled):
    before = len(filled.publisher.records)
    filled.runner.lists.sweep()
    await drain(filled)
    assert len(filled.publisher.records) == before


async def test_another_vacancy_of_the_employer_takes_the_place_of_one_that_is_worse_now(new_world, make):
    world = new_world(policy=Policy(2, 0.1, max_per_employer=1))
    best, second, worse, last = nearest_first(world.encoder, "nurse")[:4]
    people = {"v1": best, "v2": second, "v3": last}
    await world.candidates(
        *(make.candidate(f"{id} {n}", title=t) for id, t in people.items() for n in (1, 2))
    )
    await world.vacancies(
        make.vacancy("v1", title=best, employer="Acme"),
        make.vacancy("v2", title=second, employer="Acme"),
        make.vacancy("v3", title=last, employer="Globex"),
    )
    await world.candidates(make.candidate("c", title="nurse"))
    await drain(world)
    await world.vacancies(make.vacancy("v1", 2, title=worse, employer="Acme"))
    await drain(world)
    state = MatchState([*world.matches, *world.withdrawn])
    assert {match.vacancy_id for match in state.matches() if match.candidate_id == "c"} >= {"v2", "v3"}


class TestDuplicates:
    """Of the vacancies, best first for c, v0 to v2 are duplicates. Each has two candidates of its own."""

    TEXT = " ".join(a + b for a, b in product(ascii_lowercase, repeat=2))

    @pytest.fixture
    async def world(self, new_world, make):
        world = new_world(policy=Policy(2, 0.1, duplicates_share_a_place=True))
        nurses = nearest_first(world.encoder, "x", [f"nurse{'!' * number}" for number in range(20)])[:3]
        others = nearest_first(world.encoder, "x")[-2:]
        titles = {f"v{number}": title for number, title in enumerate(nurses + others)}
        text = {"description": self.TEXT}
        await world.vacancies(
            *(
                make.vacancy(id, title=title, **text if title in nurses else {})
                for id, title in titles.items()
            )
        )
        await world.candidates(
            *(
                make.candidate(f"{id} {number}", title=title)
                for id, title in titles.items()
                for number in (1, 2)
            )
        )
        await world.candidates(make.candidate("c", title="x"))
        await drain(world)
        assert places(world) == {"v0": ("v1", "v2"), "v3": ()}
        return world

    async def test_the_next_one_has_the_place_at_once(self, world, make):
        await close(world, make, "v0")
        assert places(world) == {"v1": ("v2",), "v3": ()}

    async def test_after_the_last_one_another_vacancy_has_it(self, world, make):
        await close(world, make, "v0", "v1", "v2")
        await drain(world)
        assert places(world) == {"v3": (), "v4": ()}

    async def test_one_that_is_another_job_now_has_its_own_place(self, world, make):
        await world.vacancies(make.vacancy("v1", 2, title="x"))
        await drain(world)
        assert places(world) == {"v1": (), "v0": ("v2",)}

    async def test_another_vacancy_has_the_place_of_one_that_is_a_duplicate_now(self, world, make):
        await world.vacancies(make.vacancy("v3", 2, title="nurse", description=self.TEXT))
        await drain(world)
        assert list(places(world))[1] == "v4"

    async def test_one_of_more_than_can_be_named_has_the_place_too(self, world, make, monkeypatch):
        monkeypatch.setattr(ranking, "MAX_DUPLICATES", 0)
        await world.candidates(make.candidate("d", title="x"))
        await drain(world)
        await close(world, make, "v0")
        await drain(world)
        assert list(places(world, "d")) == ["v1", "v3"]


def places(world, candidate="c"):
    """The list of the candidate as a consumer has it: vacancies with their duplicates."""
    state = MatchState([*world.matches, *world.withdrawn])
    return {match.vacancy_id: match.duplicates for match in state.list_of(Side.CANDIDATE, candidate, 2)}


@pytest.fixture
async def crowd(new_world, make):
    """Four vacancies, best first, are known to have entered the two places of a candidate's list."""
    world = new_world(policy=Policy(2, 0.1))
    titles = nearest_first(world.encoder, "nurse")
    await world.candidates(make.candidate("c", title="nurse"))
    for number, title in enumerate(titles[:4]):
        await world.vacancies(make.vacancy(f"v{number}", title=title))
    await drain(world)
    return world


async def close(world, make, *ids):
    for id in ids:
        await world.vacancies(make.vacancy(id, 2, status="closed"))


async def test_a_list_that_was_never_full_is_not_searched_when_a_member_leaves(new_world, make):
    world = new_world(policy=Policy(3, 0.1))
    await world.candidates(make.candidate("c"))
    await world.vacancies(make.vacancy("v1"), make.vacancy("v2"))
    await close(world, make, "v1")
    assert world.runner.lists.behind == 0


async def test_a_list_with_a_member_to_spare_is_not_searched_when_one_leaves(crowd, make):
    await close(crowd, make, "v0")
    assert crowd.runner.lists.behind == 0
    assert belonging(crowd, 2) == {("v1", "c"), ("v2", "c"), ("v3", "c")}  # each has no other candidate


async def test_and_is_searched_when_it_has_none_to_spare(crowd, make):
    await close(crowd, make, "v0", "v1")
    assert crowd.runner.lists.behind == 1


async def test_another_worker_knows_the_members_too(crowd, make):
    crowd.use()
    await close(crowd, make, "v0")
    assert crowd.runner.lists.behind == 0


async def test_a_list_whose_members_nobody_knows_is_searched(crowd, make):
    stored = crowd.index.points[Side.CANDIDATE]
    stored["c"] = replace(stored["c"], payload={**stored["c"].payload, "members": ""})
    await close(crowd, make, "v0")
    assert crowd.runner.lists.behind == 1


async def test_the_index_does_not_name_the_members(crowd):
    assert "v0" not in crowd.index.points[Side.CANDIDATE]["c"].payload["members"]


async def test_what_a_new_rule_forbids_leaves_its_list_when_it_changes(new_world, make):
    """The rule may have looked for its pairs when the new content was stored already."""
    world = new_world(policy=Policy(1, 0.1))
    first, second, last = nearest_first(world.encoder, "nurse")[:3]
    await world.candidates(make.candidate("x", title=first), make.candidate("y", title=second))
    await world.vacancies(make.vacancy("of y", title=second), make.vacancy("of y too", title=second))
    await world.vacancies(make.vacancy("v", title="nurse"))
    await drain(world)
    anchors = [{"text": text, "min_similarity": 0.999} for text in ("nurse", first)]
    rule = ExclusionRule(id="r", occurred_at=NOW, anchors=anchors)
    await ExclusionRules(world.encoder, world.index).apply([Defined(make.raw(b""), rule)], NOW)
    await world.candidates(make.candidate("x", 2, title=last))
    await drain(world)
    assert ("v", "y") in belonging(world, 1)


class Steep(FakeEncoder):
    """Sure from .7 on."""

    def confidence(self, score, *_):
        return np.clip((score - 0.4) / 0.3, 0, 1).astype(np.float32)


@pytest.mark.timeout(20)
async def test_a_last_place_below_the_threshold_of_scores_ends_the_search(new_world, make):
    """A broken soft rule takes the merit of the pair below the least score."""
    world = new_world()
    policy = Policy(1, 0.75, RuleBook({HardRule.LANGUAGES: Mode.SOFT}))
    world.use(encoder=Steep(), policy=policy)
    titles = nearest_first(world.encoder, "nurse", [f"job {number}" for number in range(400)])
    near = [t for t in titles if 0.7 < float(world.encoder.vector(t) @ world.encoder.vector("nurse")) < 0.75]
    speaks = {"languages": [{"code": "de"}]}
    await world.candidates(*(make.candidate(f"c{n}", title=t, **speaks) for n, t in enumerate(near[:3])))
    await world.vacancies(make.vacancy("v", languages=[{"code": "en"}]))
    await world.candidates(make.erasure("c0", at=5))
    async with asyncio.timeout(10):
        await drain(world)
    assert belonging(world, 1) == {("v", "c1"), ("v", "c2")}


class TestAnUnreadableCard:
    @pytest.fixture
    async def world(self, new_world, make):
        world = new_world(policy=Policy(2, 0.3))
        await world.vacancies(make.vacancy("v1"), make.vacancy("v2"))
        await world.candidates(make.candidate("c"))
        await drain(world)
        stored = world.index.points[Side.VACANCY]
        stored["v2"] = replace(stored["v2"], payload={**stored["v2"].payload, "card": "{}"})
        return world

    async def test_of_others_does_not_keep_an_erasure_from_being_done(self, world, make):
        await world.candidates(make.erasure("c", at=5))
        assert world.index.live(Side.CANDIDATE) == set()
        assert world.dead_letters == []
        assert [each.entity_id for each in world.withdrawn] == ["c"]

    async def test_keeps_no_other_list_from_being_searched(self, world, make):
        world.runner.lists.sweep()
        await drain(world)
        assert world.runner.lists.behind == 0

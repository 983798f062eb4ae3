"""References: one point for each occupation. Every card and every match names the nearest one."""

from functools import partial

import numpy as np
import pytest

from rolecall.schemas.occupation import Occupation
from rolecall.streams.errors import NotTheEvents
from rolecall.streams.events.receive import Limits, receive_definitions
from rolecall.streams.index.port import Lookup
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.lookups import LookupRunner
from rolecall.streams.worker.occupations import Occupations, mixture

RECEIVE = partial(receive_definitions, Occupation)


@pytest.fixture
def references(world, now):
    limits = Limits(max_record_bytes=100_000, max_clock_skew_ms=300_000)
    apply = Occupations(world.encoder, world.index).apply
    return LookupRunner(RECEIVE, apply, publisher=world.publisher, limits=limits, now=lambda: now)


def occupation(make, id="o1", label="nurse", *others, revision=1):
    return make.json(
        id=id, revision=revision, occurred_at="2026-01-01T00:00:00Z", label=label, alternative_labels=others
    )


async def match(world, make):
    await world.vacancies(make.vacancy("v1", title="nurse"))
    await world.candidates(make.candidate("c1", title="smith"))
    [found] = world.matches
    return found


async def test_a_match_names_the_nearest_reference_of_both_sides(world, make, references):
    await references.run([occupation(make), occupation(make, "o2", "smith")])
    reasons = (await match(world, make)).reasons
    assert (reasons.vacancy_occupation.id, reasons.vacancy_occupation.label) == ("o1", "nurse")
    assert (reasons.candidate_occupation.id, reasons.candidate_occupation.label) == ("o2", "smith")
    assert reasons.vacancy_occupation.score == pytest.approx(1)


async def test_without_references_there_is_none_and_no_search_for_one(world, make):
    reasons = (await match(world, make)).reasons
    assert reasons.vacancy_occupation is reasons.candidate_occupation is None
    assert world.index.calls.count("search") == 4  # each of the two events for points, then for areas


async def test_a_new_reference_is_found_by_the_next_event(world, make, references):
    await references.run([occupation(make, "o1", "smith")])
    await world.vacancies(make.vacancy("early", title="nurse"))
    await references.run([occupation(make, "o2", "nurse")])
    await world.vacancies(make.vacancy("late", title="nurse"))
    await world.candidates(make.candidate("c1"))
    assert {match.vacancy_id: match.reasons.vacancy_occupation.id for match in world.matches} == {
        "early": "o1",
        "late": "o2",
    }


async def test_a_removed_reference_is_found_no_more(world, make, references):
    await references.run([occupation(make), occupation(make, "o2", "smith")])
    await references.run([make.erasure("o1", at=2)])
    assert (await match(world, make)).reasons.vacancy_occupation.id == "o2"


async def test_an_alternative_label_counts_as_the_label(world, make, references):
    await references.run([occupation(make, "o1", "carer", "nurse"), occupation(make, "o2", "smith")])
    assert (await match(world, make)).reasons.vacancy_occupation.id == "o1"


async def test_what_is_far_from_every_reference_is_flagged(new_world, make, now):
    world = new_world()
    apply = Occupations(world.encoder, world.index).apply
    limits = Limits(max_record_bytes=100_000, max_clock_skew_ms=300_000)
    runner = LookupRunner(RECEIVE, apply, publisher=world.publisher, limits=limits, now=lambda: now)
    await runner.run([occupation(make)])
    world.use(policy=Policy(100, 0, min_reference_score=0.99))
    reasons = (await match(world, make)).reasons
    assert not reasons.vacancy_occupation.unfamiliar
    assert reasons.candidate_occupation.unfamiliar


async def test_a_label_of_any_length_stays_short_in_a_match(world, make, references):
    await references.run([occupation(make, "o1", "ä" * 1000)])
    label = (await match(world, make)).reasons.vacancy_occupation.label
    assert label == "ä" * 50


async def test_a_broken_reference_is_dead_lettered_and_stops_no_other(world, make, references):
    await references.run([occupation(make, "good"), make.json(id="bad", occurred_at="2026-01-01T00:00:00Z")])
    assert world.stages == {b"bad": "receive"}
    assert world.index.live(Lookup.OCCUPATION) == {"good"}


async def test_if_every_one_fails_the_defect_is_ours_and_none_is_dead_lettered(world, make, now):
    async def apply(references, now):
        raise ValueError("a defect")

    limits = Limits(max_record_bytes=100_000, max_clock_skew_ms=300_000)
    runner = LookupRunner(RECEIVE, apply, publisher=world.publisher, limits=limits, max_poison_in_a_row=2)
    with pytest.raises(NotTheEvents, match="the last 2 events all failed in upsert with ValueError"):
        await runner.run([occupation(make), occupation(make, "o2", "smith")])
    assert world.dead_letters == []


def test_a_mixture_is_an_embedding_of_the_mean_distribution():
    """Two groups of two: (1, 0 | .5, .5) and (0, 1 | .5, .5) are on average (.5, .5 | .5, .5)."""
    one = np.sqrt(np.array([1, 0, 0.5, 0.5], np.float32) / 2)
    other = np.sqrt(np.array([0, 1, 0.5, 0.5], np.float32) / 2)
    mean = mixture(np.stack([one, other]))
    np.testing.assert_allclose(mean, [0.5] * 4, rtol=1e-6)
    assert mean.dtype == np.float32

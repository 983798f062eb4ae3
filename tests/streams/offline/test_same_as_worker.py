"""Offline matching against the worker, with the bundled model and the same entities."""

import pytest

from rolecall.encoder.document import document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.events.receive import Defined
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.policy import Policy
from rolecall.streams.offline.match import _published as published
from rolecall.streams.offline.match import market, matches_of
from rolecall.streams.worker.exclusion_rules import ExclusionRules


@pytest.fixture(scope="module")
def bundled():
    return Encoder.load(device="cpu")


@pytest.fixture(scope="module")
def entities(now):
    """No two of a side with the same text: the cut of a list falls anywhere between equal scores."""
    vacancies, candidates = generate(7, 120, 150, now)
    described = [each for each in vacancies if each.description]
    vacancies += [duplicate for each in described[:40] for duplicate in duplicates(each)]
    sides = zip(Side, (vacancies, candidates), strict=True)
    return {side: list({document_of(each): each for each in some}.values()) for side, some in sides}


def duplicates(vacancy):
    """With a text that is long enough, and with fewer and fewer skills, so that their scores differ."""
    text = " ".join([vacancy.description] * 6)
    for number in range(1, 4):
        said = {"description": text, "skills": vacancy.skills[number:]}
        yield vacancy.model_copy(update={"id": f"{vacancy.id}-{number}", **said})


async def lists_of(side, new_world, make, entities, encoder, policy, rules):
    """What the worker publishes for a batch of this side, with all of the other side in the index."""
    world = new_world()
    world.use(encoder=encoder, policy=policy)
    await ExclusionRules(encoder, world.index).apply(
        [Defined(make.raw(b""), rule) for rule in rules], rules[0].occurred_at
    )
    for each in (side.other, side):
        records = [
            make.raw(entity.model_dump_json().encode(), entity.id.encode()) for entity in entities[each]
        ]
        await world.runner.run(each, records)
    assert world.dead_letters == []
    own = [match for match in world.matches if match.found_by is side and match.rank <= policy.top_k]
    return {(match.vacancy_id, match.candidate_id): match for match in own}


def told(match):
    return match.model_dump(exclude={"score", "confidence", "merit", "rank"})


def asker(match):
    return match.vacancy_id if match.found_by is Side.VACANCY else match.candidate_id


def ranks(match, listed):
    """The places that the pair may have: scores that differ in the last bits may change places."""
    near = [each for each in listed if asker(each) == asker(match) and abs(each.score - match.score) < 2e-5]
    return {each.rank for each in near}


@pytest.mark.parametrize(
    "policy",
    [
        # Where `top_k` and the threshold both cut, the worker may look at too few hits for a full list.
        Policy(200, 0.2),
        Policy(2, 0, max_per_employer=1),
        Policy(2, 0, duplicates_share_a_place=True),
        Policy(5, 0, RuleBook({HardRule.PLACE: Mode.SOFT, HardRule.SENIORITY: Mode.OFF})),
    ],
    ids=["threshold", "employers", "duplicates", "soft"],
)
async def test_pairs_scores_confidence_ranks_and_reasons(new_world, make, now, bundled, entities, policy):
    anchors = [{"text": text, "min_similarity": 0.9} for text in ("nurse", "teacher")]
    rules = [ExclusionRule(id="apart", occurred_at=now, anchors=anchors)]
    lists = {side: await lists_of(side, new_world, make, entities, bundled, policy, rules) for side in Side}
    worker = lists[Side.CANDIDATE] | lists[Side.VACANCY]  # of a pair in both, the vacancy's row counts
    events = {side: map(published, entities[side]) for side in Side}
    with market(events, rules, bundled, policy, now) as opened:
        offline = {(match.vacancy_id, match.candidate_id): match for match in matches_of(opened)}
    assert len(offline) > 40
    assert policy.duplicates_share_a_place == any(match.duplicates for match in offline.values())
    assert offline.keys() == worker.keys()
    for pair, match in offline.items():
        assert told(match) == told(worker[pair])
        assert match.rank in ranks(worker[pair], lists[match.found_by].values())
        assert match.score == pytest.approx(worker[pair].score, abs=2e-5)
        assert match.confidence == pytest.approx(worker[pair].confidence, abs=5e-4)

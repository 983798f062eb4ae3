"""Offline matching against brute force: every pair, one after the other."""

from datetime import timedelta
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.encoder.model import Embeddings
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import Matching
from rolecall.schemas.match import Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.hard_rules import broken_rules, compatible
from rolecall.streams.matching.policy import Policy
from rolecall.streams.offline import lists
from rolecall.streams.offline.match import _published as published
from rolecall.streams.offline.match import market, matches_of
from tests.streams.terms import ALL_HARD, MIXED, NOW, a_candidate, a_vacancy

TITLES = tuple("abcdefgh")
TEXTS = ("", " ".join(map("".join, product("abcdefgh", repeat=3))))


class CoarseEncoder:
    """Scores are quarters, so many are equal and none is rounded. What is certain is more likely a match."""

    version, dims = "coarse", 16

    class features:
        names = ()

    def encode(self, documents):
        vectors = np.zeros((len(documents), self.dims), np.float32)
        for row, document in zip(vectors, documents, strict=True):
            row[Random(document.title).sample(range(self.dims), 4)] = 0.5
        certainty = [TITLES.index(document.title[0]) / len(TITLES) for document in documents]
        return Embeddings(vectors, np.array(certainty, np.float32))

    def confidence(self, score, certainty_a, certainty_b, *told):
        return (score * (0.5 + np.minimum(certainty_a, certainty_b) / 2)).astype(np.float32)


ENCODER = CoarseEncoder()


def entity(kind, terms, number, random):
    """One of few titles, and now and then an own policy."""
    title = random.choice(TITLES)
    said = (
        {"titles": [title]}
        if kind is Candidate
        else {
            "title": title,
            "employer": random.choice((None, "x", "y")),
            "description": random.choice(TEXTS),
        }
    )
    matching = random.choice((None, None, None, Matching(top_k=4), Matching(min_confidence=0.3)))
    own = {"id": f"{number:02}", "occurred_at": NOW - timedelta(days=1), "matching": matching}
    if random.random() < 0.5:
        own["location"] = None
    return kind.model_validate(terms(random).model_dump() | own | said)


def vector(entity):
    title = entity.title if isinstance(entity, Vacancy) else entity.titles[0]
    embeddings = ENCODER.encode([type("Document", (), {"title": title})])
    return embeddings.vectors[0], embeddings.certainty[0]


def excluded(rules, vacancy, candidate):
    """Whether the two lie in the two areas of a rule; the anchors are texts."""
    for rule in rules:
        near = [
            [ENCODER.encode([type("Document", (), {"title": anchor.text})]).vectors[0] @ vector(each)[0]
             >= anchor.min_similarity - 1e-5 for anchor in rule.anchors]
            for each in (vacancy, candidate)
        ]  # fmt: skip
        if (near[0][0] and near[1][1]) or (near[0][1] and near[1][0]):
            return True
    return False


def list_of(asker, others, policy, rules):
    """Ids of the other side, best first, each with the duplicates that it names."""
    own = policy.of(asker)
    rated = []
    for other in others:
        vacancy, candidate = (asker, other) if isinstance(asker, Vacancy) else (other, asker)
        if not compatible(vacancy, candidate, NOW, policy.book) or excluded(rules, vacancy, candidate):
            continue
        (one, sure), (two, also) = vector(asker), vector(other)
        score = float(one @ two)
        soft = broken_rules(vacancy, candidate, NOW, policy.book) if policy.book.soft else ()
        penalty = policy.soft_penalty ** len(soft)
        confidence = float(ENCODER.confidence(np.float32(score), sure, also)) * penalty
        if confidence >= own.min_confidence:
            rated.append((-score * penalty, -score, other.id, other))
    order = [other for *_, other in sorted(rated, key=lambda row: row[:3])]
    keys = {other.id: policy.duplicate_key(other) for other in order}
    listed = []
    for other in order:
        employer = getattr(other, "employer", None)
        if any(keys[other.id] and keys[other.id] == keys[each.id] for each in listed):
            continue
        if employer is None or [each.employer for each in listed].count(employer) != own.max_per_employer:
            listed.append(other)
    listed = listed[: own.top_k]
    before_the_last = order[: order.index(listed[-1])] if len(listed) == own.top_k else order
    return {
        each.id: tuple(
            other.id
            for other in before_the_last[order.index(each) + 1 :]
            if keys[each.id] and keys[other.id] == keys[each.id]
        )
        for each in listed
    }


def expected(vacancies, candidates, policy, rules):
    """(vacancy, candidate, found by, rank): a pair that both sides list is the vacancy's."""
    open_ones = [each for each in vacancies if not (each.expires_at and each.expires_at <= NOW)]
    rows = []
    for side, askers, others in (
        (Side.VACANCY, open_ones, candidates),
        (Side.CANDIDATE, candidates, open_ones),
    ):
        pairs = {row[:2] for row in rows}
        for asker in askers:
            for rank, (other, same) in enumerate(list_of(asker, others, policy, rules).items(), start=1):
                pair = (asker.id, other) if side is Side.VACANCY else (other, asker.id)
                if pair not in pairs:
                    rows.append((*pair, side, rank, same))
    return rows


def offline(vacancies, candidates, policy, rules=()):
    events = {Side.VACANCY: map(published, vacancies), Side.CANDIDATE: map(published, candidates)}
    with market(events, rules, ENCODER, policy, NOW) as opened:
        return [
            (each.vacancy_id, each.candidate_id, each.found_by, each.rank, each.duplicates)
            for each in matches_of(opened)
        ]


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "VACANCIES_AT_ONCE", 3)
        patch.setattr(lists, "CANDIDATES_AT_ONCE", 5)
        patch.setattr(lists, "PLACES_AT_ONCE", 30)
        yield


def rule(first, second, radius):
    anchors = [{"text": text, "min_similarity": radius} for text in (first, second)]
    return ExclusionRule(id=f"{first}-{second}", occurred_at=NOW, anchors=anchors)


policies = st.builds(
    Policy,
    top_k=st.integers(1, 3),
    min_confidence=st.sampled_from((0.0, 0.2, 0.5)),
    book=st.sampled_from((ALL_HARD, MIXED)),
    max_per_employer=st.sampled_from((None, 1)),
    duplicates_share_a_place=st.booleans(),
)
rules = st.lists(
    st.builds(rule, st.sampled_from(TITLES), st.sampled_from(TITLES), st.sampled_from((0.25, 0.5, 1.0))),
    max_size=2,
    unique_by=lambda each: each.id,
)


class TestLists:
    @given(
        seed=st.integers(0, 2**32),
        sizes=st.tuples(st.integers(0, 14), st.integers(0, 14)),
        policy=policies,
        rules=rules,
    )
    @settings(max_examples=150)
    def test_equal_brute_force(self, seed, sizes, policy, rules):
        random = Random(seed)
        vacancies = [entity(Vacancy, a_vacancy, number, random) for number in range(sizes[0])]
        candidates = [entity(Candidate, a_candidate, number, random) for number in range(sizes[1])]
        shuffled = random.sample(vacancies, len(vacancies)), random.sample(candidates, len(candidates))
        assert offline(*shuffled, policy, rules) == expected(vacancies, candidates, policy, rules)

    def test_a_list_reaches_past_all_that_the_blocks_let_through(self):
        """The conditions know pay only roughly here: 40 better candidates want too much."""
        vacancy = Vacancy(
            id="v", occurred_at=NOW, title="a",
            location={"lat": 52.5, "lon": 13.4},
        )  # fmt: skip
        near = {"lat": 52.5, "lon": 13.4}
        # 12 km away with a radius of 11 km: within the ring of 25 km that the conditions ask for.
        far = {"lat": 52.608, "lon": 13.4}
        candidates = [
            Candidate(id=f"{n:02}", occurred_at=NOW, titles=["a"], location=far, radius_km=11)
            for n in range(40)
        ]
        candidates.append(Candidate(id="99", occurred_at=NOW, titles=["a"], location=near, radius_km=11))
        found = offline([vacancy], candidates, Policy(1, 0))
        assert found == [("v", "99", Side.VACANCY, 1, ())]

"""Explain why a vacancy and a candidate match, or what prevents it, from what the index holds of them now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic

import numpy as np

from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.match import NearestOccupation, Side
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.diagnose.rule_words import said
from rolecall.streams.errors import Unexplainable
from rolecall.streams.index.areas import inside
from rolecall.streams.index.port import Index, Lookup, Query
from rolecall.streams.index.verdicts import Times, least_since, name, verdicts
from rolecall.streams.matching import hard_rules as rules
from rolecall.streams.matching.card import CandidateCard, Card, Terms, VacancyCard, Vector
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import (
    SCORE_DIGITS,
    chosen,
    compatible_hits,
    given_since,
    standing,
    wanted,
)
from rolecall.streams.matching.skills import compare_skills

FEATURES = 5
DEPTH = 1_000  # positions of a list that are searched for the pair
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class Check:
    rule: HardRule
    mode: Mode
    passes: bool
    vacancy: str  # its term, in the words of docs/rules.md; - if it has none
    candidate: str


@dataclass(frozen=True, slots=True)
class OwnList:
    """The match list that an event of this side would make now."""

    side: Side
    top_k: int
    min_confidence: float
    rank: int | None  # of the pair among the hits that pass; None: not in the first 1,000
    duplicate: str | None = None  # the duplicate of the vacancy that has the place in its stead


@dataclass(frozen=True, slots=True)
class Explanation:
    vacancy_id: str
    vacancy_revision: int
    candidate_id: str
    candidate_revision: int
    model_version: str
    stopped_by: str | None  # None: the pair is a match
    score: float
    vacancy_certainty: float
    candidate_certainty: float
    vacancy_occupation: NearestOccupation | None
    candidate_occupation: NearestOccupation | None
    confidence: float
    rules: tuple[Check, ...]
    exclusion_rules: tuple[str, ...]
    turned_down_at: datetime | None  # by the latest verdict that holds
    lists: tuple[OwnList, ...]
    shared_skills: tuple[str, ...]
    missing_skills: tuple[str, ...]
    features: tuple[tuple[str, float], ...]  # name, share of the score


async def explain(
    model: Encoder, index: Index, vacancy_id: str, candidate_id: str, policy: Policy, now: datetime
) -> Explanation:
    """Raises `Unexplainable`."""
    vacancy = await _half(model, index, Side.VACANCY, vacancy_id, VacancyCard)
    candidate = await _half(model, index, Side.CANDIDATE, candidate_id, CandidateCard)
    offer, person = vacancy.card, candidate.card
    checks = tuple(_checks(offer.terms, person.terms, policy.book, now))
    soft = sum(check.mode is Mode.SOFT and not check.passes for check in checks)
    score = float(np.clip(round(float(vacancy.vector @ candidate.vector), SCORE_DIGITS), 0, 1))
    own, other = (np.array([card.certainty], np.float32) for card in (offer, person))
    [confidence] = model.confidence(np.array([score], np.float32), own, other, offer.told, person.told)
    excluding = await _excluding(index, vacancy.vector, candidate.vector)
    by_vacancy: Times = {}
    by_candidate: Times = {}
    if policy.drop_turned_down and Lookup.VERDICT not in await index.missing():
        by_vacancy, by_candidate = await _turned_down(index, vacancy), await _turned_down(index, candidate)
    turned_down_at = _moment(by_vacancy.get(name(Side.CANDIDATE, candidate.id), -1), candidate.since)
    shared, missing = compare_skills(asked=offer.skills, offered=person.skills)
    lists = (
        await _own_list(model, index, vacancy, candidate_id, by_vacancy, policy, now),
        await _own_list(model, index, candidate, vacancy_id, by_candidate, policy, now),
    )
    features = model.features.explain(vacancy.vector, candidate.vector, FEATURES)
    lowered = float(confidence) * policy.soft_penalty**soft
    return Explanation(
        vacancy_id=vacancy.id,
        vacancy_revision=vacancy.revision,
        candidate_id=candidate.id,
        candidate_revision=candidate.revision,
        model_version=model.version,
        stopped_by=_stopped_by(checks, excluding, turned_down_at, lowered, lists),
        score=score,
        vacancy_certainty=offer.certainty,
        candidate_certainty=person.certainty,
        vacancy_occupation=offer.occupation,
        candidate_occupation=person.occupation,
        confidence=lowered,
        rules=checks,
        exclusion_rules=excluding,
        turned_down_at=turned_down_at,
        lists=lists,
        shared_skills=shared,
        missing_skills=missing,
        features=tuple((each.name, each.share) for each in features),
    )


@dataclass(frozen=True, slots=True)
class Half(Generic[Terms]):
    """One side of the pair, as the index stores it."""

    side: Side
    id: str
    revision: int
    since: int  # the revision of its last change
    vector: Vector  # (dims,)
    card: Card[Terms]


async def _half(
    model: Encoder, index: Index, side: Side, id: str, contract: type[Card[Terms]]
) -> Half[Terms]:
    found = (await index.fetch(side, [id])).get(id)
    if found is None and not await index.count(side):
        raise Unexplainable(
            f"the index holds no {side} of model {model.version}; set ROLECALL_MODEL to the workers' model"
        )
    if found is None:
        raise Unexplainable(
            f"{side} {id!r} is not in the index of model {model.version}: it was never published, was refused"
            " (see the dead letters), or is not read yet"
        )
    if found.vector is None:
        raise Unexplainable(
            f"{side} {id!r} was erased, closed or has expired (revision {found.revision});"
            " the index keeps nothing else of it"
        )
    card = contract.model_validate_json(str((found.payload or {})["card"]))
    return Half(side, found.id, found.revision, least_since(found), found.vector, card)


async def _excluding(index: Index, *vectors: Vector) -> tuple[str, ...]:
    """The exclusion rules that have one of the two in their first area and the other in their second."""
    of_vacancy, of_candidate = (
        {tuple(hit.id.rsplit("#", 1)) for hit in hits} for hits in await inside(index, Lookup.ANCHOR, vectors)
    )
    crossed = {(rule, "1" if anchor == "0" else "0") for rule, anchor in of_vacancy} & of_candidate
    return tuple(sorted({rule for rule, _ in crossed}))


async def _turned_down(index: Index, own: Half[Terms]) -> Times:
    """The verdicts that the entity has not changed since."""
    times = await verdicts(index, own.side, [own.id])
    return given_since(times.get(own.id, {}), own.since)


def _moment(time: int, other_since: int) -> datetime | None:
    return datetime.fromtimestamp(time / 1000, UTC) if time >= other_since else None


async def _own_list(
    model: Encoder,
    index: Index,
    own: Half[Terms],
    other_id: str,
    turned_down: Times,
    policy: Policy,
    now: datetime,
) -> OwnList:
    policy = policy.of(own.card)
    query = Query(own.vector, wanted(own.card.terms, now, policy.book), DEPTH)
    [hits] = await index.search_allowed(own.side.other, [query])
    found = standing(compatible_hits(own.card.terms, hits, now, policy.book), own.side.other, turned_down)
    best = [each for each, _ in chosen(model, own.card.certainty, own.card.told, found, policy)]
    ids = [each.hit.id for each in best]
    rank = ids.index(other_id) + 1 if other_id in ids else None
    duplicates = ((one.hit.id, each.hit.id) for each in best[: policy.top_k] for one, _ in each.duplicates)
    return OwnList(own.side, policy.top_k, policy.min_confidence, rank, dict(duplicates).get(other_id))


def _stopped_by(
    checks: Sequence[Check],
    excluding: Sequence[str],
    turned_down_at: datetime | None,
    confidence: float,
    lists: Sequence[OwnList],
) -> str | None:
    for check in checks:
        if check.mode is Mode.HARD and not check.passes:
            return f"rule {check.rule}"
    if excluding:
        return f"exclusion rule {excluding[0]}"
    if turned_down_at:
        return f"turned down on {turned_down_at:%Y-%m-%d}"
    least = min(each.min_confidence for each in lists)
    if confidence < least:
        return f"confidence {confidence:.3f} is below {least:g}"
    if not any(each.rank and each.rank <= each.top_k for each in lists):
        if duplicate := next((each.duplicate for each in lists if each.duplicate), None):
            return f"its duplicate {duplicate} has the place in the candidate's list"
        return "both lists are full of better matches"
    return None


def _checks(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook, now: datetime
) -> Iterator[Check]:
    broken = rules.broken_rules(vacancy, candidate, now, RuleBook(rates=book.rates))
    for rule in HardRule:
        offered, wished = said(rule, vacancy, candidate)
        yield Check(
            rule, book.modes.get(rule, Mode.HARD), rule not in broken, offered or UNKNOWN, wished or UNKNOWN
        )

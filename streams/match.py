"""Entities -> points, hits -> Match events. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Generic, TypeVar
from uuid import uuid5

import numpy as np
import numpy.typing as npt
import orjson

from encoder.model import Encoder
from schemas.candidate import CandidateTerms
from schemas.common import Contract, Matching
from schemas.match import Match, NearestOccupation, Reasons, Side
from schemas.vacancy import Vacancy, VacancyTerms
from streams import pushdown, rules
from streams.index import Condition, Hit, Payload, Point
from streams.publish import NAMESPACE
from streams.receive import Entity
from streams.rules import ALL_HARD, Rule, RuleBook
from streams.skills import skill_key

Vector = npt.NDArray[np.float32]
Terms = TypeVar("Terms", VacancyTerms, CandidateTerms)

MAX_NAMED_SKILLS = 10
MAX_NAMED_BYTES = 300  # of each list: a match stays under 2 KB
MAX_NAMED_FEATURES = 3
PEAKS_KEPT = 12
CARDS_KEPT = 8192  # of a side, read; some 3 KB each


@dataclass(frozen=True, slots=True)
class Embedded:
    entity: Entity
    vector: Vector  # (dims,)
    certainty: float  # 0..1
    content: bytes | None = None  # the hash of its text; with a cache only
    occupation: NearestOccupation | None = None

    @property
    def side(self) -> Side:
        return Side.VACANCY if isinstance(self.entity, Vacancy) else Side.CANDIDATE


class Card(Contract, Generic[Terms]):
    """What a hit tells about its entity, stored as one string: the engine need not take it apart."""

    terms: Terms
    skills: tuple[str, ...]
    certainty: float
    peaks: tuple[int, ...]
    occupation: NearestOccupation | None = None
    employer: str | None = None  # of a vacancy
    matching: Matching | None = None


# Subscripting a generic model takes longer than reading a card.
VacancyCard, CandidateCard = Card[VacancyTerms], Card[CandidateTerms]


@dataclass(frozen=True, slots=True)
class Found:
    """A hit that passed the rules."""

    hit: Hit
    card: Card[VacancyTerms] | Card[CandidateTerms]
    soft: tuple[Rule, ...]  # the soft rules that the pair breaks


@dataclass(frozen=True, slots=True)
class Policy:
    """What becomes a match."""

    top_k: int
    min_confidence: float
    book: RuleBook = ALL_HARD
    soft_penalty: float = 0.8  # what is left of the confidence for each soft rule that is broken
    max_per_employer: int | None = None
    min_reference_score: float = 0.79

    def of(self, asker: Entity | Card[VacancyTerms] | Card[CandidateTerms]) -> "Policy":
        """With what the event itself asks for."""
        asked = asker.matching
        return self if asked is None else replace(self, **asked.model_dump(exclude_none=True))


def point(embedded: Embedded, book: RuleBook = ALL_HARD) -> Point:
    """What the index stores: the terms the filter and the recheck need, no text but the skills."""
    entity = embedded.entity
    terms: type[VacancyTerms] | type[CandidateTerms]
    if isinstance(entity, Vacancy):
        fields, terms = pushdown.vacancy_fields(entity, book), VacancyTerms
    else:
        fields, terms = pushdown.candidate_fields(entity, book), CandidateTerms
    card = {
        "terms": entity.model_dump(mode="json", include=set(terms.model_fields), exclude_defaults=True),
        "skills": entity.skills,
        "certainty": embedded.certainty,
        "peaks": peaks(embedded.vector),
        **entity.model_dump(include={"employer", "matching"}, exclude_none=True),
    }
    if embedded.occupation is not None:
        card["occupation"] = embedded.occupation.model_dump()
    payload: Payload = {**fields, "card": orjson.dumps(card).decode()}
    if embedded.content is not None:
        payload["content"] = embedded.content.hex()
    return Point(entity.id, entity.revision, embedded.vector, payload)


def peaks(vector: Vector) -> list[int]:
    """The positions of the largest components: what the document is most clearly about."""
    largest: list[int] = np.argpartition(vector, -PEAKS_KEPT)[-PEAKS_KEPT:].tolist()
    return largest


def wanted(terms: VacancyTerms | CandidateTerms, now: datetime, book: RuleBook = ALL_HARD) -> Condition:
    """The push-down filter for the other side."""
    if isinstance(terms, VacancyTerms):
        return pushdown.wanted_candidates(terms, now, book)
    return pushdown.wanted_vacancies(terms, now, book)


def compatible_hits(
    terms: VacancyTerms | CandidateTerms, hits: Sequence[Hit], now: datetime, book: RuleBook = ALL_HARD
) -> list[Found]:
    """The hits that pass the one predicate; the engine's filter may have let too many through."""
    found: list[Found] = []
    for hit in hits:
        text = str(hit.payload["card"])
        card: Card[VacancyTerms] | Card[CandidateTerms]
        vacancy: VacancyTerms
        candidate: CandidateTerms
        if isinstance(terms, VacancyTerms):
            card = _candidate_card(text)
            vacancy, candidate = terms, card.terms
        else:
            card = _vacancy_card(text)
            vacancy, candidate = card.terms, terms
        if rules.compatible(vacancy, candidate, now, book):
            soft = rules.broken_rules(vacancy, candidate, now, book) if book.soft else ()
            found.append(Found(hit, card, soft))
    return found


# Who is found once is found again: reading a card takes longer than all rules together.
_vacancy_card = lru_cache(maxsize=CARDS_KEPT)(VacancyCard.model_validate_json)
_candidate_card = lru_cache(maxsize=CARDS_KEPT)(CandidateCard.model_validate_json)


def ranked(found: Sequence[Found], policy: Policy) -> list[Found]:
    """Best first, so many of one employer. A broken soft rule costs a place as it costs confidence."""
    best = sorted(found, key=lambda each: -merit(each, policy))
    most = policy.max_per_employer
    if most is None:
        return best
    taken: Counter[str] = Counter()
    kept = []
    for each in best:
        employer = each.card.employer
        if employer is not None:
            taken[employer] += 1
        if employer is None or taken[employer] <= most:
            kept.append(each)
    return kept


def merit(found: Found, policy: Policy) -> float:
    """What the list is ordered by; never above the score of the hit."""
    return found.hit.score * _penalty(found, policy)


def _penalty(found: Found, policy: Policy) -> float:
    return policy.soft_penalty ** len(found.soft)


def is_filled(found: Sequence[Found], last: Hit, policy: Policy) -> bool:
    """Whether no hit past the `last` one could enter the list of these."""
    best = ranked(found, policy)[: policy.top_k]
    return len(best) == policy.top_k and merit(best[-1], policy) >= last.score


def chosen(
    model: Encoder, certainty: float, found: Sequence[Found], policy: Policy
) -> list[tuple[Found, float]]:
    """Those above the confidence threshold, best first, each with its confidence."""
    if not found:
        return []
    raw = model.confidence(
        np.array([each.hit.score for each in found], np.float32).clip(0, 1),
        np.full(len(found), certainty, np.float32),
        np.array([each.card.certainty for each in found], np.float32),
    )
    confidence = {each.hit.id: float(p) * _penalty(each, policy) for each, p in zip(found, raw, strict=True)}
    kept = [each for each in found if confidence[each.hit.id] >= policy.min_confidence]
    return [(each, confidence[each.hit.id]) for each in ranked(kept, policy)]


def matches(
    model: Encoder, embedded: Embedded, found: Sequence[Found], policy: Policy, now: datetime
) -> list[Match]:
    """The best `top_k` above the confidence threshold, best first."""
    policy = policy.of(embedded.entity)
    best = chosen(model, embedded.certainty, found, policy)[: policy.top_k]
    prominent = {position: float(embedded.vector[position]) for position in peaks(embedded.vector)}
    return [
        _match(model, embedded, prominent, each, confidence, rank, now)
        for rank, (each, confidence) in enumerate(best, start=1)
    ]


def _match(
    model: Encoder,
    embedded: Embedded,
    prominent: Mapping[int, float],
    found: Found,
    confidence: float,
    rank: int,
    now: datetime,
) -> Match:
    hit, card = found.hit, found.card
    entity = embedded.entity
    own = (entity.id, entity.revision, embedded.certainty, entity.skills, embedded.occupation)
    other = (hit.id, hit.revision, card.certainty, card.skills, card.occupation)
    vacancy, candidate = (own, other) if embedded.side is Side.VACANCY else (other, own)
    shared, missing = compare_skills(asked=vacancy[3], offered=candidate[3])
    return Match(
        id=str(
            uuid5(NAMESPACE, f"{vacancy[0]}\n{vacancy[1]}\n{candidate[0]}\n{candidate[1]}\n{model.version}")
        ),
        occurred_at=now,
        vacancy_id=vacancy[0],
        vacancy_revision=vacancy[1],
        candidate_id=candidate[0],
        candidate_revision=candidate[1],
        model_version=model.version,
        score=min(max(hit.score, 0.0), 1.0),
        confidence=confidence,
        found_by=embedded.side,
        rank=rank,
        reasons=Reasons(
            shared_skills=_named(shared),
            missing_skills=_named(missing),
            features=_shared_features(model, prominent, card.peaks),
            soft_rules=found.soft,
            vacancy_occupation=vacancy[4],
            candidate_occupation=candidate[4],
            vacancy_certainty=vacancy[2],
            candidate_certainty=candidate[2],
        ),
    )


def compare_skills(asked: Sequence[str], offered: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Shared and missing ones, each once, as the vacancy writes it."""
    wanted: dict[str, str] = {}
    for skill in asked:
        wanted.setdefault(skill_key(skill), skill)
    known = {skill_key(skill) for skill in offered}
    shared = tuple(skill for key, skill in wanted.items() if key in known)
    missing = tuple(skill for key, skill in wanted.items() if key not in known) if offered else ()
    return shared, missing


def _named(skills: tuple[str, ...]) -> tuple[str, ...]:
    """The first few, fewer where their names are long."""
    skills = skills[:MAX_NAMED_SKILLS]
    if len(orjson.dumps(skills)) <= MAX_NAMED_BYTES:  # as nearly always
        return skills
    ends = accumulate(len(orjson.dumps(skill)) for skill in skills)
    return tuple(skill for skill, end in zip(skills, ends, strict=True) if end <= MAX_NAMED_BYTES)


def _shared_features(
    model: Encoder, prominent: Mapping[int, float], other_peaks: Sequence[int]
) -> tuple[str, ...]:
    """Names of what is prominent on both sides, the most prominent first."""
    names = model.features.names
    if not names:
        return ()
    size = len(names[0])
    shared = sorted(prominent.keys() & set(other_peaks), key=lambda position: -prominent[position])
    named = dict.fromkeys(names[position // size][position % size] for position in shared)
    return tuple(name for name in named if name)[:MAX_NAMED_FEATURES]

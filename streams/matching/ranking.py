"""From the hits of a search to a ranked list."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np

from rolecall.encoder.calibration import LEVELS
from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.index.conditions import Condition
from rolecall.streams.index.port import Hit
from rolecall.streams.matching import hard_rules as rules
from rolecall.streams.matching import pushdown
from rolecall.streams.matching.card import Card, candidate_card, vacancy_card
from rolecall.streams.matching.hard_rules import ALL_HARD, HardRule, RuleBook
from rolecall.streams.matching.policy import Policy


@dataclass(frozen=True, slots=True)
class Found:
    """A hit that passed the rules."""

    hit: Hit
    card: Card[VacancyTerms] | Card[CandidateTerms]
    soft: tuple[HardRule, ...]  # the soft rules that the pair breaks
    score: float  # of the hit, rounded: engines and request sizes differ in the last bits

    @property
    def since(self) -> int:
        """The revision from which on it has its text and terms. Matches carry it."""
        return int(str(self.hit.payload.get("since", self.hit.revision)))


Choice = tuple[Found, float]
"""With its confidence."""

SCORE_DIGITS = 5
GRID = np.linspace(0, 1, 1025, dtype=np.float32)  # of scores
STEPS = 64  # of certainties
SLACK = 1e-6  # of confidences, for rounding


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
            card = candidate_card(text)
            vacancy, candidate = terms, card.terms
        else:
            card = vacancy_card(text)
            vacancy, candidate = card.terms, terms
        if rules.compatible(vacancy, candidate, now, book):
            soft = rules.broken_rules(vacancy, candidate, now, book) if book.soft else ()
            found.append(Found(hit, card, soft, round(hit.score, SCORE_DIGITS)))
    return found


def ranked(found: Sequence[Found], policy: Policy) -> list[Found]:
    """Best first, equal ones by id, at most so many of one employer. A broken soft rule lowers rank and
    confidence alike."""
    best = sorted(found, key=lambda each: (-merit(each, policy), each.hit.id))
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
    """The sort key of the list. It is never higher than the rounded score of the hit."""
    return found.score * _penalty(found, policy)


def _penalty(found: Found, policy: Policy) -> float:
    return policy.soft_penalty ** len(found.soft)


def is_filled(best: Sequence[Choice], last: Hit, least: float, policy: Policy) -> bool:
    """Whether no hit past the `last` one could enter the list, not even by its id.

    best: the list so far. least: the `least_score` of the entity that searches.
    """
    score = round(last.score, SCORE_DIGITS)
    return score < least or (len(best) == policy.top_k and merit(best[-1][0], policy) > score)


def least_score(model: Encoder, certainty: float, told: int, policy: Policy) -> float:
    """No pair with a lower score has enough confidence, whatever the other side's certainty and level."""
    return _least_score(model, math.ceil(certainty * STEPS) / STEPS, told, policy.min_confidence)


@lru_cache(maxsize=4096)
def _least_score(model: Encoder, certainty: float, told: int, min_confidence: float) -> float:
    """Confidence never falls when the score or a certainty rises. So ask with the highest certainty."""
    own, sure = np.full_like(GRID, certainty), np.ones_like(GRID)
    levels = [model.confidence(GRID, own, sure, told, other) for other in range(LEVELS)]
    reaches = np.flatnonzero(np.max(levels, axis=0) >= min_confidence - SLACK)
    return float(GRID[max(reaches[0] - 1, 0)]) if len(reaches) else 1.0


def chosen(
    model: Encoder, certainty: float, told: int, found: Sequence[Found], policy: Policy
) -> list[Choice]:
    """Those above the confidence threshold, best first. The list of the entity is the first `top_k`.

    certainty, told: of the entity that searches.
    """
    if not found:
        return []
    raw = model.confidence(
        np.array([each.score for each in found], np.float32).clip(0, 1),
        np.full(len(found), certainty, np.float32),
        np.array([each.card.certainty for each in found], np.float32),
        told,
        np.array([each.card.told for each in found], np.int8),
    )
    confidence = {each.hit.id: float(p) * _penalty(each, policy) for each, p in zip(found, raw, strict=True)}
    kept = [each for each in found if confidence[each.hit.id] >= policy.min_confidence]
    return [(each, confidence[each.hit.id]) for each in ranked(kept, policy)]

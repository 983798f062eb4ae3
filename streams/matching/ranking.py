"""From the hits of a search to a ranked list."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

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

    @property
    def since(self) -> int:
        """The revision from which on it has its text and terms. Matches carry it."""
        return int(str(self.hit.payload.get("since", self.hit.revision)))


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
            found.append(Found(hit, card, soft))
    return found


def ranked(found: Sequence[Found], policy: Policy) -> list[Found]:
    """Best first, at most so many of one employer. A broken soft rule lowers rank and confidence alike."""
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
    """The sort key of the list. It is never higher than the score of the hit."""
    return found.hit.score * _penalty(found, policy)


def _penalty(found: Found, policy: Policy) -> float:
    return policy.soft_penalty ** len(found.soft)


def is_filled(model: Encoder, certainty: float, found: Sequence[Found], last: Hit, policy: Policy) -> bool:
    """Whether no hit past the `last` one could enter the list of these."""
    best = chosen(model, certainty, found, policy)[: policy.top_k]
    if len(best) == policy.top_k and merit(best[-1][0], policy) >= last.score:
        return True
    most = model.confidence(*(np.array([x], np.float32) for x in (min(max(last.score, 0), 1), certainty, 1)))
    return bool(most[0] < policy.min_confidence)


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

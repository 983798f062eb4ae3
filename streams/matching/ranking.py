"""From the hits of a search to a ranked list."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

import numpy as np

from rolecall.encoder.calibration import LEVELS
from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.match import MAX_DUPLICATES, Side
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.index.conditions import Condition
from rolecall.streams.index.port import SCORE_UNITS, Hit, Least, Listing
from rolecall.streams.index.verdicts import Times, name
from rolecall.streams.matching import hard_rules as rules
from rolecall.streams.matching import pushdown
from rolecall.streams.matching.card import Card, Embedded, candidate_card, vacancy_card
from rolecall.streams.matching.hard_rules import ALL_HARD, HardRule, RuleBook
from rolecall.streams.matching.policy import Policy


@dataclass(frozen=True, slots=True)
class Found:
    """A hit that passed the rules."""

    hit: Hit
    card: Card[VacancyTerms] | Card[CandidateTerms]
    soft: tuple[HardRule, ...]  # the soft rules that the pair breaks
    score: float  # of the hit, rounded: engines and request sizes differ in the last bits
    duplicates: tuple["Choice", ...] = ()  # share its place

    @property
    def since(self) -> int:
        """The revision from which on it has its text and terms. Matches carry it."""
        return int(str(self.hit.payload.get("since", self.hit.revision)))


Choice: TypeAlias = tuple[Found, float]
"""With its confidence."""


@dataclass(frozen=True, slots=True)
class MatchList:
    """The list of an entity, and the other lists that it enters itself."""

    best: list[Choice]
    floor: int  # in units: what scores as much may enter the list; the threshold while there is room
    held: int  # every pair of the other side that scores as much is in the list, or shares a place of it
    entered: list[Choice]  # besides the best: their own lists have a place for the entity
    places: list["Place"]  # in lists of the other side, of the best and of the entered
    cut: list[str]  # by id, lists that it would enter besides, if it might enter more
    hidden: bool  # there may be more of these than the search returns

    @property
    def duplicates(self) -> list[Choice]:
        """They are published too: if the one with the place leaves, the next one has it at once."""
        return duplicates_of(self.best)


@dataclass(frozen=True, slots=True)
class Place:
    """Of an entity in a list of the other side, when it was searched."""

    listing: Listing
    settled: bool  # whether the list is published
    top_k: int
    score: int  # its merit in units
    least: int  # in units: no pair of the list's owner that scores less has enough confidence
    duplicate_key: str | None  # of the entity

    def keeps(self, was: "Place") -> bool:
        """Whether everything that relied on the older place still may."""
        return self.score >= was.score and self.duplicate_key == was.duplicate_key


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


def given_since(times: Times, revision: int) -> Times:
    """The verdicts that the entity has not changed since. revision: of its last change."""
    return {other: time for other, time in times.items() if time >= revision}


def standing(found: list[Found], side: Side, holding: Times) -> list[Found]:
    """Without those who were turned down and have not changed since. side: of those who were found."""
    if not holding:
        return found
    return [each for each in found if holding.get(name(side, each.hit.id), -1) < each.since]


def ranked(choices: Sequence[Choice], policy: Policy) -> list[Choice]:
    """Best first, equal ones by id, at most so many of one employer. A broken soft rule lowers rank and
    confidence alike.

    The best of several duplicates has the place. It names the next ones, as far as they come before the last
    place of the list.
    """
    taken: Counter[str] = Counter()  # by employer
    sharing: dict[str, list[Choice]] = {}  # by duplicate key
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda each: (-merit(each[0], policy), each[0].hit.id)):
        employer, key = choice[0].card.employer, choice[0].card.duplicate_key
        if key is not None and key in sharing:
            if len(kept) < policy.top_k:
                sharing[key].append(choice)
            continue
        if employer is not None:
            if taken[employer] == policy.max_per_employer:
                continue
            taken[employer] += 1
        if key is not None:
            sharing[key] = []
        kept.append(choice)
    return [_shared(choice, sharing) for choice in kept] if sharing else kept


def _shared(choice: Choice, sharing: Mapping[str, Sequence[Choice]]) -> Choice:
    found, confidence = choice
    if duplicates := sharing.get(found.card.duplicate_key or ""):
        return replace(found, duplicates=tuple(duplicates[:MAX_DUPLICATES])), confidence
    return choice


def duplicates_of(best: Iterable[Choice]) -> list[Choice]:
    return [each for found, _ in best for each in found.duplicates]


def merit(found: Found, policy: Policy) -> float:
    """The sort key of the list. It is never higher than the rounded score of the hit."""
    return found.score * _penalty(found, policy)


def _penalty(found: Found, policy: Policy) -> float:
    return policy.soft_penalty ** len(found.soft)


def is_filled(best: Sequence[Choice], last: Hit, least: float, policy: Policy) -> bool:
    """Whether no hit past the `last` one could enter the list, not even by its id.

    best: the list so far. least: the lowest of `least_scores` of the entity that searches.
    """
    score = round(last.score, SCORE_DIGITS)
    return score < least or (len(best) == policy.top_k and merit(best[-1][0], policy) > score)


def least_scores(model: Encoder, certainty: float, told: int, policy: Policy) -> Least:
    """By kind of the other side: no pair with a lower score has enough confidence."""
    return _least_scores(model, math.ceil(certainty * STEPS) / STEPS, told, policy.min_confidence)


@lru_cache(maxsize=4096)
def _least_scores(model: Encoder, certainty: float, told: int, min_confidence: float) -> Least:
    """Confidence never falls when the score or a certainty rises. So ask with certainties rounded up."""
    steps = np.linspace(0, 1, STEPS + 1, dtype=np.float32)
    scores, others = (each.ravel() for each in np.meshgrid(GRID, steps))
    own = np.full_like(scores, certainty)
    enough = np.concatenate(
        [
            model.confidence(scores, own, others, told, level).reshape(STEPS + 1, len(GRID))
            >= min_confidence - SLACK
            for level in range(LEVELS)
        ]
    )  # (kinds, scores)
    first = np.where(enough.any(1), np.maximum(enough.argmax(1) - 1, 0), len(GRID) - 1)
    least = np.floor(GRID[first] * SCORE_UNITS).astype(np.int32)
    return np.append(least, least.min())


def kind_of(certainty: float, told: int) -> int:
    """Of a point: its level, and its certainty rounded up."""
    return told * (STEPS + 1) + math.ceil(certainty * STEPS)


def chosen(
    model: Encoder, certainty: float, told: int, found: Sequence[Found], policy: Policy
) -> list[Choice]:
    """Those above the confidence threshold, best first. The list of the entity is the first `top_k`.

    certainty, told: of the entity that searches.
    """
    [sure] = confidences(model, [(certainty, told, found)], policy)
    return ranked(
        [(each, confidence) for each, confidence in sure if confidence >= policy.min_confidence], policy
    )


def bounds(best: Sequence[Choice], found: Iterable[Choice], least: float, policy: Policy) -> tuple[int, int]:
    """`floor` and `held` of a list. found: `best`, and what is not published with it.

    The merit of the last place in units, rounded down, is the floor; `least` while there is room.
    """
    last = merit(best[-1][0], policy) if len(best) == policy.top_k else least
    published = {each.hit.id for each, _ in [*best, *duplicates_of(best)]}
    others = (units_below(merit(each, policy)) for each, _ in found if each.hit.id not in published)
    return (floor := units_below(last)), max(floor, 1 + max(others, default=-1))


def above(found: MatchList, floor: int, policy: Policy) -> MatchList:
    """A list with members to spare, without those below `floor`; all of it, if it has none to spare there.

    policy: of the list, without what it has to spare.
    """
    if found.floor >= floor or len(found.best) < policy.top_k:
        return found
    if units_below(merit(found.best[policy.top_k - 1][0], policy)) < floor:
        return found
    best = [choice for choice in found.best if units_below(merit(choice[0], policy)) >= floor]
    return replace(found, best=best, floor=floor, held=max(floor, found.held))


def units_below(score: float) -> int:
    return math.floor(score * SCORE_UNITS + SLACK)


def enters(choice: Choice, policy: Policy) -> bool:
    """Whether the hit's own list has a place for the entity that found it. policy: of the deployment."""
    found, confidence = choice
    return found.hit.reaches and confidence >= policy.of(found.card).min_confidence


def place_in(embedded: Embedded, found: Found, model: Encoder, policy: Policy) -> Place:
    """Of the entity in the list of what it found."""
    payload, card, own = found.hit.payload, found.card, policy.of(found.card)
    return Place(
        Listing.stored(found.hit.id, payload),
        settled=payload.get("settled") == payload.get("since"),
        top_k=own.top_k,
        score=units_below(merit(found, policy)),
        least=int(least_scores(model, card.certainty, card.told, own)[-1]),
        duplicate_key=embedded.duplicate_key,
    )


def confidences(
    model: Encoder, askers: Sequence[tuple[float, int, Sequence[Found]]], policy: Policy
) -> list[list[Choice]]:
    """Of each asker: certainty, what it tells, and whom it found."""
    found = [each for *_, theirs in askers for each in theirs]
    if not found:
        return [[] for _ in askers]
    counts = [len(theirs) for *_, theirs in askers]
    raw = model.confidence(
        np.array([each.score for each in found], np.float32).clip(0, 1),
        np.repeat(np.array([certainty for certainty, *_ in askers], np.float32), counts),
        np.array([each.card.certainty for each in found], np.float32),
        np.repeat(np.array([told for _, told, _ in askers], np.int8), counts),
        np.array([each.card.told for each in found], np.int8),
    ).tolist()
    sure = iter([(each, p * _penalty(each, policy)) for each, p in zip(found, raw, strict=True)])
    return [list(islice(sure, count)) for count in counts]

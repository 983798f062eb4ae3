"""Entities -> points, hits -> Match events. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from uuid import uuid5

import orjson

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Match, Reasons, Side
from rolecall.streams.events.records import NAMESPACE
from rolecall.streams.matching.card import Embedded, peaks
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import Choice, Found, chosen
from rolecall.streams.matching.skills import compare_skills

MAX_NAMED_SKILLS = 10
MAX_NAMED_BYTES = 300  # of each list: a match stays under 2 KB
MAX_NAMED_FEATURES = 3


def matches(
    model: Encoder, embedded: Embedded, found: Sequence[Found], policy: Policy, now: datetime
) -> list[Match]:
    """The list of an entity among the hits that it may match."""
    policy = policy.of(embedded.entity)
    best = chosen(model, embedded.certainty, embedded.told, found, policy)
    return listed(model, embedded, best[: policy.top_k], now)


def listed(model: Encoder, embedded: Embedded, best: Sequence[Choice], now: datetime) -> list[Match]:
    """The matches of a list, which is best first."""
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
    other = (hit.id, found.since, card.certainty, card.skills, card.occupation)
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
        score=min(max(found.score, 0.0), 1.0),
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


def _named(skills: tuple[str, ...]) -> tuple[str, ...]:
    """The first few; fewer if their names are long."""
    skills = skills[:MAX_NAMED_SKILLS]
    if len(orjson.dumps(skills)) <= MAX_NAMED_BYTES:  # as nearly always
        return skills
    ends = accumulate(len(orjson.dumps(skill)) for skill in skills)
    return tuple(skill for skill, end in zip(skills, ends, strict=True) if end <= MAX_NAMED_BYTES)


def _shared_features(
    model: Encoder, prominent: Mapping[int, float], other_peaks: Sequence[int]
) -> tuple[str, ...]:
    """Names of the features that are strong on both sides, the strongest first."""
    names = model.features.names
    if not names:
        return ()
    size = len(names[0])
    shared = sorted(prominent.keys() & set(other_peaks), key=lambda position: -prominent[position])
    named = dict.fromkeys(names[position // size][position % size] for position in shared)
    return tuple(name for name in named if name)[:MAX_NAMED_FEATURES]

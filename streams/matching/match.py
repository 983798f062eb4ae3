"""Entities -> points, hits -> Match events. Pure.

A worker publishes ten matches for an event. It makes them as the fields of `Match` and writes these as JSON,
without an object of the model. Tests read the bytes with `Match`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate

import orjson

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Match, NearestOccupation, Side
from rolecall.streams.events.records import MatchFields, name_id
from rolecall.streams.matching.card import Embedded, peaks
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import Choice, Found, chosen
from rolecall.streams.matching.skills import compare_skills

MAX_NAMED_SKILLS = 10
MAX_NAMED_BYTES = 300  # of each list: without the ids of duplicates, a match stays under 2 KB
MAX_NAMED_FEATURES = 3

Prominent = Sequence[tuple[int, str]]
"""Positions of the largest components, the largest first, with the names of their features."""


def matches(
    model: Encoder, embedded: Embedded, found: Sequence[Found], policy: Policy, now: datetime
) -> list[Match]:
    """The list of an entity among the hits that it may match."""
    policy = policy.of(embedded.entity)
    best = chosen(model, embedded.certainty, embedded.told, found, policy)
    return [Match(**each) for each in listed(model, embedded, best[: policy.top_k], now)]


def listed(model: Encoder, embedded: Embedded, best: Sequence[Choice], now: datetime) -> list[MatchFields]:
    """The matches of a list, which is best first."""
    prominent = _prominent(model, embedded)
    return [
        _match(model.version, embedded, prominent, each, confidence, rank, now)
        for rank, (each, confidence) in enumerate(best, start=1)
    ]


def _match(
    version: str,
    embedded: Embedded,
    prominent: Prominent,
    found: Found,
    confidence: float,
    rank: int,
    now: datetime,
) -> MatchFields:
    hit, card = found.hit, found.card
    entity, side = embedded.entity, embedded.side
    own_key = embedded.duplicate_key
    own = (entity.id, entity.revision, embedded.certainty, entity.skills, embedded.occupation, own_key)
    other = (hit.id, found.since, card.certainty, card.skills, card.occupation, card.duplicate_key)
    vacancy, candidate = (own, other) if side is Side.VACANCY else (other, own)
    shared, missing = compare_skills(asked=vacancy[3], offered=candidate[3])
    return {
        "type": "match",
        "id": name_id(f"{vacancy[0]}\n{vacancy[1]}\n{candidate[0]}\n{candidate[1]}\n{version}"),
        "occurred_at": now,
        "vacancy_id": vacancy[0],
        "vacancy_revision": vacancy[1],
        "candidate_id": candidate[0],
        "candidate_revision": candidate[1],
        "model_version": version,
        "score": min(max(found.score, 0.0), 1.0),
        "confidence": confidence,
        "found_by": side,
        "rank": rank,
        "reasons": {
            "shared_skills": _named(shared),
            "missing_skills": _named(missing),
            "features": _shared_features(prominent, card.peaks),
            "soft_rules": found.soft,
            "vacancy_occupation": _fields(vacancy[4]),
            "candidate_occupation": _fields(candidate[4]),
            "vacancy_certainty": vacancy[2],
            "candidate_certainty": candidate[2],
        },
        "duplicate_key": vacancy[5],
        "duplicates": tuple(each.hit.id for each, _ in found.duplicates),
    }


def _fields(occupation: NearestOccupation | None) -> dict[str, object] | None:
    return None if occupation is None else occupation.model_dump()


def _named(skills: tuple[str, ...]) -> tuple[str, ...]:
    """The first few; fewer if their names are long."""
    skills = skills[:MAX_NAMED_SKILLS]
    if len(orjson.dumps(skills)) <= MAX_NAMED_BYTES:  # as nearly always
        return skills
    ends = accumulate(len(orjson.dumps(skill)) for skill in skills)
    return tuple(skill for skill, end in zip(skills, ends, strict=True) if end <= MAX_NAMED_BYTES)


def _prominent(model: Encoder, embedded: Embedded) -> Prominent:
    names = model.features.names
    if not names:
        return ()
    size = len(names[0])
    vector = embedded.vector
    positions = sorted(peaks(vector), key=lambda position: -vector[position])
    return [(position, names[position // size][position % size]) for position in positions]


def _shared_features(prominent: Prominent, other_peaks: Iterable[int]) -> tuple[str, ...]:
    """Names of the features that are strong on both sides, the strongest first."""
    others = set(other_peaks)
    named = dict.fromkeys(name for position, name in prominent if name and position in others)
    return tuple(named)[:MAX_NAMED_FEATURES]

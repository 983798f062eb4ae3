"""Entities -> points, hits -> Match events. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any, TypeVar
from uuid import uuid5

import numpy as np
import numpy.typing as npt
import orjson

from encoder.model import Encoder
from schemas.candidate import CandidateTerms
from schemas.match import Match, Reasons, Side
from schemas.vacancy import Vacancy, VacancyTerms
from streams import rules
from streams.index import Condition, Hit, Payload, Point
from streams.publish import NAMESPACE
from streams.receive import Entity

Vector = npt.NDArray[np.float32]
Terms = TypeVar("Terms", VacancyTerms, CandidateTerms)

MAX_NAMED_SKILLS = 10
MAX_NAMED_BYTES = 500  # of each list: a match stays under 2 KB
MAX_NAMED_FEATURES = 3
PEAKS_KEPT = 12


@dataclass(frozen=True, slots=True)
class Embedded:
    entity: Entity
    vector: Vector  # (dims,)
    certainty: float  # 0..1

    @property
    def side(self) -> Side:
        return Side.VACANCY if isinstance(self.entity, Vacancy) else Side.CANDIDATE


@dataclass(frozen=True, slots=True)
class Policy:
    top_k: int
    min_confidence: float


def point(embedded: Embedded) -> Point:
    """What the index stores: the terms the filter and the recheck need, no text but the skills."""
    entity = embedded.entity
    terms: type[VacancyTerms] | type[CandidateTerms]
    if isinstance(entity, Vacancy):
        fields, terms = rules.vacancy_fields(entity), VacancyTerms
    else:
        fields, terms = rules.candidate_fields(entity), CandidateTerms
    payload: Payload = {
        **fields,
        "terms": entity.model_dump_json(include=set(terms.model_fields), exclude_defaults=True),
        "skills": list(entity.skills),
        "certainty": embedded.certainty,
        "peaks": peaks(embedded.vector),
    }
    return Point(entity.id, entity.revision, embedded.vector, payload)


def peaks(vector: Vector) -> list[int]:
    """The positions of the largest components: what the document is most clearly about."""
    return [int(i) for i in np.argpartition(-vector, PEAKS_KEPT)[:PEAKS_KEPT]]


def wanted(entity: Entity, now: datetime) -> Condition:
    """The push-down filter for the other side."""
    if isinstance(entity, Vacancy):
        return rules.wanted_candidates(entity, now)
    return rules.wanted_vacancies(entity, now)


def compatible_hits(entity: Entity, hits: Sequence[Hit], now: datetime) -> list[Hit]:
    """The hits that pass the one predicate; the engine's filter may have let too many through."""
    if isinstance(entity, Vacancy):
        return [hit for hit in hits if rules.compatible(entity, _terms(CandidateTerms, hit), now)]
    return [hit for hit in hits if rules.compatible(_terms(VacancyTerms, hit), entity, now)]


def confidences(model: Encoder, embedded: Embedded, hits: Sequence[Hit]) -> Vector:
    """(hits,) calibrated probabilities."""
    if not hits:
        return np.empty(0, np.float32)
    own = np.full(len(hits), embedded.certainty, np.float32)
    other = np.array([hit.payload["certainty"] for hit in hits], np.float32)
    score = np.array([hit.score for hit in hits], np.float32)
    return model.confidence(np.clip(score, 0, 1), own, other)


def matches(
    model: Encoder, embedded: Embedded, hits: Sequence[Hit], policy: Policy, now: datetime
) -> list[Match]:
    """The best `top_k` compatible hits above the confidence threshold, best score first."""
    confidence = confidences(model, embedded, hits)
    kept = [(hit, float(p)) for hit, p in zip(hits, confidence, strict=True) if p >= policy.min_confidence]
    return [
        _match(model, embedded, hit, confidence, rank, now)
        for rank, (hit, confidence) in enumerate(kept[: policy.top_k], start=1)
    ]


def _terms(contract: type[Terms], hit: Hit) -> Terms:
    return contract.model_validate_json(str(hit.payload["terms"]))


def _match(
    model: Encoder, embedded: Embedded, hit: Hit, confidence: float, rank: int, now: datetime
) -> Match:
    payload: dict[str, Any] = hit.payload
    own = (embedded.entity.id, embedded.entity.revision, embedded.certainty, embedded.entity.skills)
    other = (hit.id, hit.revision, payload["certainty"], payload["skills"])
    vacancy, candidate = (own, other) if embedded.side is Side.VACANCY else (other, own)
    shared, missing = _compare_skills(asked=vacancy[3], offered=candidate[3])
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
            features=_shared_features(model, embedded.vector, payload["peaks"]),
            vacancy_certainty=vacancy[2],
            candidate_certainty=candidate[2],
        ),
    )


def _compare_skills(asked: Sequence[str], offered: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    known = {skill.casefold() for skill in offered}
    shared = tuple(skill for skill in asked if skill.casefold() in known)
    missing = tuple(skill for skill in asked if skill.casefold() not in known) if offered else ()
    return shared, missing


def _named(skills: tuple[str, ...]) -> tuple[str, ...]:
    """The first few, fewer where their names are long."""
    skills = skills[:MAX_NAMED_SKILLS]
    ends = accumulate(len(orjson.dumps(skill)) for skill in skills)
    return tuple(skill for skill, end in zip(skills, ends, strict=True) if end <= MAX_NAMED_BYTES)


def _shared_features(model: Encoder, vector: Vector, other_peaks: Sequence[int]) -> tuple[str, ...]:
    """Names of what is prominent on both sides, the most prominent first."""
    names = model.features.names
    if not names:
        return ()
    shared = set(peaks(vector)).intersection(other_peaks)
    size = len(names[0])
    ordered = sorted(shared, key=lambda i: -vector[i])
    named = dict.fromkeys(names[i // size][i % size] for i in ordered)
    return tuple(name for name in named if name)[:MAX_NAMED_FEATURES]

"""Feedback: what happened to a match. `rolecall retrain` trains the encoder further on it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from rolecall.schemas.common import Contract, EntityId, OccurredAt
from rolecall.schemas.match import Side


class Verdict(StrEnum):
    HIRED = "hired"
    INTERVIEWED = "interviewed"
    SHORTLISTED = "shortlisted"
    APPLIED = "applied"
    VIEWED = "viewed"
    DISMISSED = "dismissed"
    REJECTED = "rejected"


class Feedback(Contract):
    id: EntityId
    occurred_at: OccurredAt
    vacancy_id: EntityId
    candidate_id: EntityId
    verdict: Verdict
    actor: Side = Field(description="`vacancy`: the recruiter's verdict; `candidate`: the candidate's.")
    actor_id: EntityId | None = None
    match_id: EntityId | None = None
    rank: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Position in the list that the actor saw."
    )

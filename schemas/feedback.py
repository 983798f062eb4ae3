"""Feedback: what happened to a match. `rolecall retrain` trains the encoder further on it."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

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


TURN_DOWN = {Verdict.HIRED, Verdict.DISMISSED, Verdict.REJECTED}
"""Whoever gives one of these wants the pair in no list any more."""


class VerdictReason(StrEnum):
    NOT_A_FIT = "not_a_fit"
    MISSING_SKILLS = "missing_skills"
    UNSUITABLE_TERMS = "unsuitable_terms"
    FILLED = "filled"
    ALREADY_APPLIED = "already_applied"
    WITHDRAWN_BY_CANDIDATE = "withdrawn_by_candidate"


NAME = "^[a-z][a-z0-9_]{0,49}$"


def _name(value: Any) -> Any:
    """Free text could say something about a person, and `feedback` is kept for a year."""
    if not isinstance(value, str) or not re.fullmatch(NAME, value):
        raise PydanticCustomError(
            "name",
            "a reason is a name such as not_a_fit: lower case letters, digits and _, at most 50 characters",
        )
    return value


_Reason = Annotated[
    VerdictReason | str,
    Field(union_mode="left_to_right"),
    BeforeValidator(_name),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": NAME,
            "description": "Other reasons are allowed. Training does not learn from a `dismissed` or "
            "`rejected` with a reason that it does not know.",
            "x-extensible-enum": [each.value for each in VerdictReason],
        }
    ),
]


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
    reason: _Reason | None = Field(default=None, description="Why the actor gave this verdict.")

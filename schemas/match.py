"""Matches and their withdrawals, for consumers. They carry ids and terms, never a person's text."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from rolecall.schemas.common import Contract, EntityId, MillisecondsSinceEpoch, OccurredAt

Unit = Annotated[float, Field(ge=0, le=1)]
MAX_DUPLICATES = 20


class Side(StrEnum):
    VACANCY = "vacancy"
    CANDIDATE = "candidate"

    @property
    def other(self) -> "Side":
        return Side.CANDIDATE if self is Side.VACANCY else Side.VACANCY


class NearestOccupation(Contract):
    """The reference occupation that a vacancy or candidate is most like."""

    id: EntityId
    label: str
    score: Unit
    unfamiliar: bool = Field(default=False, description="Even the nearest reference is far away.")


class Reasons(Contract):
    """Why the pair matched."""

    shared_skills: tuple[str, ...] = Field(
        default=(),
        description="Skills of both sides, in the vacancy's spelling. Alternative names of a skill count.",
    )
    missing_skills: tuple[str, ...] = Field(
        default=(), description="Skills that the vacancy asks for and the profile lacks."
    )
    features: tuple[str, ...] = Field(default=(), description="Features that the model finds on both sides.")
    soft_rules: tuple[str, ...] = Field(
        default=(), description="Soft rules that the pair breaks. Each lowers the confidence."
    )
    vacancy_occupation: NearestOccupation | None = None
    candidate_occupation: NearestOccupation | None = None
    vacancy_certainty: Unit
    candidate_certainty: Unit


class Match(Contract):
    """A vacancy and a candidate that fit. Matching the same pair again gives the same `id`."""

    type: Literal["match"] = "match"
    id: EntityId
    occurred_at: OccurredAt
    vacancy_id: EntityId
    vacancy_revision: MillisecondsSinceEpoch
    candidate_id: EntityId
    candidate_revision: MillisecondsSinceEpoch
    model_version: str
    score: Unit = Field(description="Mean Bhattacharyya coefficient of the two embeddings.")
    confidence: Unit = Field(description="Calibrated probability that the pair is a match.")
    found_by: Side = Field(description="The side whose event led to the match.")
    rank: Annotated[int, Field(ge=1)] = Field(description="Place in the list of the side that found it.")
    reasons: Reasons
    duplicate_key: str | None = Field(
        default=None,
        description="Vacancies with the same key are duplicates: they share one place in a candidate's list.",
    )
    duplicates: tuple[EntityId, ...] = Field(
        default=(),
        max_length=MAX_DUPLICATES,
        description="Ids of duplicates of the vacancy that share its place in the list of the candidate.",
    )


# Code generators make a typed map of additionalProperties, and nothing of patternProperties.
_MAP_OF_REVISIONS = WithJsonSchema(
    {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 2**53}}
)


class WithdrawalReason(StrEnum):
    CLOSED = "closed"
    ERASED = "erased"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    EXCLUDED = "excluded"
    TURNED_DOWN = "turned_down"


class MatchesWithdrawn(Contract):
    """Withdraws every match that was made with an older revision of the entity.

    The order of arrival does not matter. A match holds as long as no withdrawal names one of its two entities
    with a higher revision than the match has. If `counterparts` is given, only matches with these end: those
    whose revision of the entity is at most `revision`, and of the counterpart at most the one given with it.
    """

    type: Literal["matches_withdrawn"] = "matches_withdrawn"
    side: Side
    entity_id: EntityId
    revision: MillisecondsSinceEpoch
    reason: Annotated[
        WithdrawalReason | str,
        Field(union_mode="left_to_right"),
        WithJsonSchema(
            {
                "type": "string",
                "description": "A later version may have more reasons. Treat an unknown one as a withdrawal.",
                "x-extensible-enum": [each.value for each in WithdrawalReason],
            }
        ),
    ]
    occurred_at: OccurredAt
    counterparts: Annotated[dict[EntityId, MillisecondsSinceEpoch], _MAP_OF_REVISIONS] | None = Field(
        default=None,
        description="Ids of the other side with their revisions; given with `excluded` and `turned_down`.",
    )
    model_version: str | None = Field(
        default=None, description="Only matches of this model; given with `excluded`."
    )

"""What consumers read: matches, and their withdrawal. Ids and terms only, never a person's text."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rolecall.schemas.common import Contract, EntityId, MillisecondsSinceEpoch, OccurredAt

Unit = Annotated[float, Field(ge=0, le=1)]


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
    unfamiliar: bool = Field(default=False, description="It is far from every reference.")


class Reasons(Contract):
    """Why the pair matched."""

    shared_skills: tuple[str, ...] = Field(
        default=(), description="In the vacancy's spelling; other names of a skill count."
    )
    missing_skills: tuple[str, ...] = Field(default=(), description="Asked for, not in the profile.")
    features: tuple[str, ...] = Field(default=(), description="What the model sees on both sides.")
    soft_rules: tuple[str, ...] = Field(
        default=(), description="Rules that the pair breaks, at the cost of confidence."
    )
    vacancy_occupation: NearestOccupation | None = None
    candidate_occupation: NearestOccupation | None = None
    vacancy_certainty: Unit
    candidate_certainty: Unit


class Match(Contract):
    """A vacancy and a candidate that fit. `id` is the same whenever the same pair is matched again."""

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


class WithdrawalReason(StrEnum):
    CLOSED = "closed"
    ERASED = "erased"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    EXCLUDED = "excluded"


class MatchesWithdrawn(Contract):
    """Every match of the entity with an older revision of it no longer holds.

    The order of arrival does not matter: a match holds while no withdrawal names one of its two entities
    with a revision above the match's. With `counterparts`, only matches with these are withdrawn: those whose
    revision of the entity is `revision` or older, and of the counterpart the one given or older.
    """

    type: Literal["matches_withdrawn"] = "matches_withdrawn"
    side: Side
    entity_id: EntityId
    revision: MillisecondsSinceEpoch
    reason: WithdrawalReason
    occurred_at: OccurredAt
    counterparts: dict[EntityId, MillisecondsSinceEpoch] | None = Field(
        default=None, description="Ids of the other side with their revisions; given with `excluded`."
    )
    model_version: str | None = Field(
        default=None, description="Only matches of this model; given with `counterparts`."
    )

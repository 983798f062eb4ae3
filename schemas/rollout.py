"""Rollouts: which model's matches count, and which deployments are being built or removed."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rolecall.schemas.common import Contract, MillisecondsSinceEpoch, OccurredAt


class Deployment(Contract):
    """One model version with collections and a consumer group of its own."""

    model_version: str
    generation: Annotated[int, Field(ge=0)] = Field(
        description="Number of the deployment, from 0. No number is used twice."
    )
    despite_gate: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Why it was built although the gate of `rolecall retrain` kept its model back.",
    )


class Rollout(Contract):
    """Matches of `live.model_version` count, those of other versions do not. The highest revision wins."""

    type: Literal["rollout"] = "rollout"
    occurred_at: OccurredAt
    revision: MillisecondsSinceEpoch
    live: Deployment
    next: Deployment | None = Field(default=None, description="It is being built and publishes no matches.")
    standby: Deployment | None = Field(
        default=None, description="It publishes matches too, so that it can go live at any moment."
    )
    leaving: Deployment | None = Field(default=None, description="It is being removed.")
    generations: Annotated[int, Field(ge=1)] = Field(default=1, description="Number of deployments so far.")

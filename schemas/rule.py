"""Exclusion rules. Each has two anchors: an entity near one never matches an entity near the other."""

from typing import Annotated, Self, cast

from pydantic import Field, JsonValue, StringConstraints, model_validator
from pydantic.config import JsonDict

from rolecall.schemas.common import Contract, EntityId, OccurredAt, Revision, Title, revision_from


class Anchor(Contract):
    """A point in embedding space: of a text, or of an entity that is already indexed."""

    text: Title | None = None
    entity_id: EntityId | None = None
    min_similarity: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Radius of the anchor's area: it holds all entities that are at least this similar."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.text is None) == (self.entity_id is None):
            raise ValueError("an anchor needs either text or entity_id")
        return self


def _as_array(schema: JsonDict) -> None:
    """Generators of code know arrays of one type, and few know `prefixItems`."""
    schema["items"] = cast(list[JsonValue], schema.pop("prefixItems"))[0]


class ExclusionRule(Contract):
    id: EntityId
    occurred_at: OccurredAt
    revision: Revision = Field(default_factory=revision_from)
    anchors: Annotated[tuple[Anchor, Anchor], Field(json_schema_extra=_as_array)]
    author: Annotated[str, StringConstraints(max_length=200)] = ""
    note: Annotated[str, StringConstraints(max_length=2000)] = ""

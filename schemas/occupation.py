"""Reference occupations: named points in embedding space. A match names the one nearest to each side."""

from typing import Annotated

from pydantic import Field

from rolecall.schemas.common import Contract, EntityId, OccurredAt, Revision, Title, revision_from


class Occupation(Contract):
    id: EntityId
    occurred_at: OccurredAt
    revision: Revision = Field(default_factory=revision_from)
    label: Title
    alternative_labels: Annotated[tuple[Title, ...], Field(max_length=1000)] = ()

"""Reference occupations: named points that vacancies and candidates are located by."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from schemas.common import Contract, EntityId, Revision, Title


class Occupation(Contract):
    id: EntityId
    occurred_at: AwareDatetime
    revision: Revision
    label: Title
    alternative_labels: Annotated[tuple[Title, ...], Field(max_length=1000)] = ()

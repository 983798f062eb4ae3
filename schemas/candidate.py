"""Candidates: what a person can do and wants. A candidate has an id, but no name, e-mail or phone."""

from typing import Annotated

from pydantic import Field
from pydantic_extra_types.country import CountryAlpha2

from rolecall.schemas.common import (
    Contract,
    EmploymentType,
    EntityId,
    Languages,
    Location,
    LongText,
    Matching,
    Moment,
    OccurredAt,
    Revision,
    Salary,
    Seniority,
    Skills,
    Status,
    Title,
    Workplace,
    revision_from,
)


class CandidateTerms(Contract):
    """The terms that the hard rules compare. A missing term never excludes a vacancy."""

    location: Location | None = None
    radius_km: Annotated[float, Field(ge=0, le=20_040)] | None = Field(
        default=None, description="Largest distance from `location` to a workplace on site."
    )
    relocate: bool = Field(
        default=False, description="Willing to move: distance does not count, work permits do."
    )
    workplaces: tuple[Workplace, ...] = Field(
        default=(), max_length=50, description="Accepted workplaces; empty: any."
    )
    work_countries: tuple[CountryAlpha2, ...] = Field(
        default=(), max_length=300, description="Countries the candidate may work in; empty: unknown."
    )
    languages: Languages = Field(default=(), description="Spoken languages; empty: unknown.")
    seniority: Seniority | None = None
    employment_types: tuple[EmploymentType, ...] = Field(
        default=(), max_length=50, description="Accepted types; empty: any."
    )
    salary: Salary | None = Field(default=None, description="Wanted pay; `min` is the lowest accepted.")
    available_from: Moment | None = None


class Candidate(CandidateTerms):
    """Full state of a candidate profile. Publish it again with a newer `occurred_at` to change it."""

    id: EntityId
    occurred_at: OccurredAt
    revision: Revision = Field(default_factory=revision_from)
    titles: Annotated[tuple[Title, ...], Field(min_length=1, max_length=50)] = Field(
        description="Desired titles, most wanted first."
    )
    summary: LongText = ""
    skills: Skills = ()
    experience_years: Annotated[float, Field(ge=0, le=100)] | None = None
    status: Status = Status.OPEN
    matching: Matching | None = None

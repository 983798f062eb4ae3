"""Vacancies: what an employer is looking for."""

from typing import Annotated

from pydantic import Field, StringConstraints

from rolecall.schemas.common import (
    Contract,
    EmploymentType,
    EntityId,
    ExpiresAt,
    Languages,
    Location,
    LongText,
    Matching,
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


class VacancyTerms(Contract):
    """The terms that the hard rules compare. A missing term never excludes a candidate."""

    location: Location | None = None
    workplace: Workplace | None = None
    languages: Languages = Field(default=(), description="Required languages, all of them.")
    seniority: Seniority | None = None
    employment_types: tuple[EmploymentType, ...] = Field(default=(), max_length=50)
    salary: Salary | None = None
    expires_at: ExpiresAt | None = None


Employer = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Vacancy(VacancyTerms):
    """Full state of a vacancy. Publish it again with a newer `occurred_at` to change it."""

    id: EntityId
    occurred_at: OccurredAt
    revision: Revision = Field(default_factory=revision_from)
    title: Title
    description: LongText = ""
    skills: Skills = ()
    status: Status = Status.OPEN
    employer: Employer | None = Field(
        default=None,
        description="Id or name of the employer. Workers can limit how many of its vacancies a list holds.",
    )
    matching: Matching | None = None

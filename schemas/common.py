"""Parts shared by the contracts: ids, revisions, places, languages, pay."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_extra_types.country import CountryAlpha2
from pydantic_extra_types.currency_code import Currency
from pydantic_extra_types.language_code import LanguageAlpha2


class Contract(BaseModel):
    """Base of every event: immutable, finite numbers only, unknown fields ignored.

    Consumers must ignore unknown fields. So a producer may send a new field before its consumers know it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, str_strip_whitespace=True)


EntityId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Skill = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Skills = Annotated[tuple[Skill, ...], Field(max_length=500)]
LongText = Annotated[str, StringConstraints(max_length=1_000_000)]

# 2^53: the vector engine compares revisions as 64-bit floats.
MillisecondsSinceEpoch = Annotated[int, Field(ge=0, le=2**53)]

OccurredAt = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC))]


def milliseconds(moment: AwareDatetime) -> int:
    """Milliseconds since the Unix epoch, rounded down."""
    return math.floor(moment.timestamp() * 1000)


def revision_from(data: Mapping[str, Any]) -> int:
    """The default of a `Revision`. Each class names it, so that a type checker knows of it."""
    return milliseconds(data["occurred_at"])


Revision = Annotated[
    MillisecondsSinceEpoch,
    Field(
        description="Milliseconds since the epoch; `occurred_at` unless given. The highest revision wins.",
    ),
]


class Seniority(StrEnum):
    """Ordered from least to most senior."""

    INTERN = "intern"
    JUNIOR = "junior"
    MID = "mid"
    SENIOR = "senior"
    LEAD = "lead"
    EXECUTIVE = "executive"

    @property
    def step(self) -> int:
        """0 (intern) to 5 (executive)."""
        return list(Seniority).index(self)


class EmploymentType(StrEnum):
    FULL_TIME = "full_time"
    PART_TIME = "part_time"
    CONTRACT = "contract"
    TEMPORARY = "temporary"
    INTERNSHIP = "internship"
    VOLUNTEER = "volunteer"


class Workplace(StrEnum):
    ONSITE = "onsite"
    HYBRID = "hybrid"
    REMOTE = "remote"


class Cefr(StrEnum):
    """Language level of the Common European Framework of Reference, lowest first."""

    A1 = "A1"
    A2 = "A2"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"

    @property
    def step(self) -> int:
        """0 (A1) to 5 (C2)."""
        return list(Cefr).index(self)


class Language(Contract):
    code: Annotated[LanguageAlpha2, Field(description="ISO 639-1, lower case: `de`.")]
    level: Cefr | None = None


Languages = Annotated[tuple[Language, ...], Field(max_length=50)]


class Location(Contract):
    country: Annotated[CountryAlpha2 | None, Field(description="ISO 3166-1 alpha-2, upper case: `DE`.")] = (
        None
    )
    city: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None

    @model_validator(mode="after")
    def _coordinates_come_in_pairs(self) -> Self:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon must be given together, or neither")
        return self

    @property
    def point(self) -> tuple[float, float] | None:
        """(lat, lon) in degrees."""
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)


class Period(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"

    @property
    def per_year(self) -> int:
        """How many paid periods a full-time year has (40 hours, 5 days, 52 weeks)."""
        return {"hour": 2080, "day": 260, "week": 52, "month": 12, "year": 1}[self.value]


# The limit keeps a year of hourly pay a finite number.
Amount = Annotated[float, Field(ge=0, le=1e15)]


class Salary(Contract):
    """A gross pay range; either end may be open."""

    min: Amount | None = None
    max: Amount | None = None
    currency: Annotated[Currency, Field(description="ISO 4217, upper case: `EUR`.")]
    period: Period = Period.YEAR

    @model_validator(mode="after")
    def _range_is_a_range(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a salary needs min, max or both; leave the salary out when it is unknown")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"salary min {self.min:g} is above max {self.max:g}")
        return self

    @property
    def yearly_min(self) -> float | None:
        return None if self.min is None else self.min * self.period.per_year

    @property
    def yearly_max(self) -> float | None:
        return None if self.max is None else self.max * self.period.per_year


class Matching(Contract):
    """How the match list of this event is made. For a missing field, the setting of the workers counts."""

    top_k: Annotated[int, Field(ge=1, le=1000)] | None = Field(default=None, description="Most matches.")
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None


class Status(StrEnum):
    OPEN = "open"
    CLOSED = "closed"

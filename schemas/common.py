"""Parts shared by the contracts: ids, revisions, places, languages, pay."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_extra_types.country import CountryAlpha2
from pydantic_extra_types.language_code import LanguageAlpha2

from rolecall.schemas.currency import Currency


class Contract(BaseModel):
    """Base of every event: immutable, finite numbers only, unknown fields ignored.

    Consumers must ignore unknown fields. So a producer may send a new field before its consumers know it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, str_strip_whitespace=True)


def _bare(value: Any) -> Any:
    """An id that was cut to size would name another record than the key does."""
    if isinstance(value, str) and value != value.strip():
        raise PydanticCustomError(
            "bare_id", "an id neither begins nor ends with white space: ids are compared byte for byte"
        )
    if value == "null":
        raise PydanticCustomError("bare_id", "the text null is no id: the producer has written a missing id")
    return value


EntityId = Annotated[
    str,
    StringConstraints(
        strip_whitespace=False,
        min_length=1,
        max_length=200,
        pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$",
    ),
    BeforeValidator(_bare),
]
Title = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Skill = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Skills = Annotated[tuple[Skill, ...], Field(max_length=500)]
LongText = Annotated[str, StringConstraints(max_length=1_000_000)]


def _whole(value: Any) -> Any:
    """JSON Schema takes 3.0 and 1.79E12 for integers, and so do we."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# 2^53: the vector engine compares revisions as 64-bit floats.
MillisecondsSinceEpoch = Annotated[int, Field(ge=0, le=2**53), BeforeValidator(_whole)]


def _time_as_text(value: Any) -> Any:
    """pydantic takes numbers, and texts of digits, for seconds since 1970: `20261231` would be a day of
    1970."""
    if isinstance(value, datetime):
        return value
    kind = _KINDS.get(type(value), "a number")
    if isinstance(value, str):
        if _TIME.match(value):
            try:
                moment = datetime.fromisoformat(value.strip().upper())
            except ValueError as error:
                kind = f"not in the calendar ({error})"
            else:
                if moment.tzinfo is not None:
                    return moment
                kind = "without a time zone"
        elif value.strip().replace(".", "").isdecimal():
            kind = "a number"
    raise PydanticCustomError(
        "time_as_text", "a time is text such as 2026-11-28T15:17:27Z, but this is {kind}", {"kind": kind}
    )


_KINDS: dict[type, str] = {
    str: "other text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    type(None): "null",
}
_TIME = re.compile(r"\s*\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
Moment = Annotated[AwareDatetime, BeforeValidator(_time_as_text)]
OccurredAt = Annotated[
    AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC)), BeforeValidator(_time_as_text)
]
# A clock's zero, such as 0001-01-01 of Go or 1970-01-01, is no time to expire at.
ExpiresAt = Annotated[
    AwareDatetime, Field(ge=datetime(1990, 1, 1, tzinfo=UTC)), BeforeValidator(_time_as_text)
]


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


# Members of a macro-language that have a code of two letters themselves: ISO 639-3.
_MEMBERS = {"no": {"nb", "nn"}, "ms": {"id"}, "ak": {"tw"}, "sh": {"sr", "hr", "bs"}}
_SPEAKS = {code: {code} | members for code, members in _MEMBERS.items()} | {
    member: {member, code} for code, members in _MEMBERS.items() for member in members
}


class Language(Contract):
    code: Annotated[LanguageAlpha2, Field(description="ISO 639-1, lower case: `de`.")]
    level: Cefr | None = None

    @property
    def understood_as(self) -> frozenset[str]:
        """The codes that a speaker of it fulfils: a macro-language and its members fulfil each other."""
        return frozenset(_SPEAKS.get(self.code, {self.code}))


Languages = Annotated[tuple[Language, ...], Field(max_length=50)]


class Location(Contract):
    country: Annotated[CountryAlpha2 | None, Field(description="ISO 3166-1 alpha-2, upper case: `DE`.")] = (
        None
    )
    city: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    point_from: Literal["city"] | None = Field(
        default=None,
        description="`city`: the coordinates are those of the city (GeoNames). Absent: of the place itself.",
    )

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

    top_k: Annotated[int, Field(ge=1, le=1000), BeforeValidator(_whole)] | None = Field(
        default=None, description="Most matches."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None


class Status(StrEnum):
    OPEN = "open"
    CLOSED = "closed"

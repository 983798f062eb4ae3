"""Dumps of applicant tracking systems and job boards: where each one's values are. docs/feeds.md has the
tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rolecall.streams.feeds.values.json_values import Json, at, objects


@dataclass(frozen=True)
class Board:
    """One format. `items` is the path of the list of jobs; a job of it has all the `marks`."""

    name: str
    items: str
    marks: frozenset[str]
    fields: Mapping[
        str, str | tuple[str, ...]
    ]  # several paths: the first one with a value; `=text`: a constant
    only_if: Mapping[str, tuple[str, Any]] = field(
        default_factory=dict
    )  # field: (path, value that forbids it)

    def raw(self, item: Json) -> Json:
        found = {name: _first(item, paths) for name, paths in self.fields.items()}
        for name, (path, forbidden) in self.only_if.items():
            if str(at(item, path)) == str(forbidden):
                found.pop(name, None)
        found["id"] = f"{self.name}/{found['id']}" if found.get("id") not in (None, "") else None
        return {name: value for name, value in found.items() if value is not None}


def _first(item: Json, paths: str | tuple[str, ...]) -> Any:
    for path in (paths,) if isinstance(paths, str) else paths:
        if path.startswith("="):
            return path[1:]
        value = at(item, path)
        if value not in (None, "", []):
            return value
    return None


BOARDS = (
    Board(
        "greenhouse",
        "jobs",
        frozenset({"absolute_url", "title", "updated_at"}),
        {
            "id": "id",
            "title": "title",
            "description": "content",
            "employer": "company_name",
            "location": "location.name",
            "occurred_at": ("first_published", "updated_at"),
            "revision": "updated_at",
            "expires_at": "application_deadline",
        },
    ),
    Board(
        "lever",
        "",
        frozenset({"text", "categories"}),
        {
            "id": "id",
            "title": "text",
            "description": ("descriptionPlain", "description"),
            "location": ("categories.allLocations", "categories.location"),
            "location.country": "country",
            "workplace": "workplaceType",
            "employment_types": "categories.commitment",
            "occurred_at": "createdAt",
            "salary.min": "salaryRange.min",
            "salary.max": "salaryRange.max",
            "salary.currency": "salaryRange.currency",
            "salary.period": "salaryRange.interval",
        },
    ),
    Board(
        "ashby",
        "jobs",
        frozenset({"title", "isRemote", "publishedAt"}),
        {
            "id": "id",
            "title": "title",
            "description": ("descriptionPlain", "descriptionHtml"),
            "location": "location",
            "location.city": "address.postalAddress.addressLocality",
            "location.country": "address.postalAddress.addressCountry",
            "workplace": ("workplaceType", "isRemote"),
            "employment_types": "employmentType",
            "occurred_at": "publishedAt",
        },
    ),
    Board(
        "recruitee",
        "offers",
        frozenset({"title", "careers_url"}),
        {
            "id": "id",
            "title": "title",
            "description": ("description", "requirements"),
            "employer": "company_name",
            "location.city": "city",
            "location.country": ("country_code", "country"),
            "employment_types": "employment_type_code",
            "workplace": "remote",
            "occurred_at": ("published_at", "created_at"),
            "revision": "updated_at",
            "expires_at": "close_at",
            "status": "status",
        },
    ),
    Board(
        "smartrecruiters",
        "content",
        frozenset({"id", "name", "releasedDate"}),
        {
            "id": ("uuid", "id"),
            "title": "name",
            "employer": "company.name",
            "location.city": "location.city",
            "location.region": "location.region",
            "location.country": "location.country",
            "workplace": "location.remote",
            "employment_types": "typeOfEmployment.label",
            "seniority": "experienceLevel.label",
            "occurred_at": "releasedDate",
        },
    ),
    Board(
        "workable",
        "jobs",
        frozenset({"title", "shortcode"}),
        {
            "id": "shortcode",
            "title": "title",
            "description": "description",
            "location.city": "city",
            "location.region": "state",
            "location.country": "country",
            "workplace": "telecommuting",
            "employment_types": "employment_type",
            "seniority": "experience",
            "occurred_at": ("published_on", "created_at"),
        },
    ),
    Board(
        "usajobs",
        "SearchResult.SearchResultItems",
        frozenset({"MatchedObjectId", "MatchedObjectDescriptor"}),
        {
            "id": "MatchedObjectId",
            "title": "MatchedObjectDescriptor.PositionTitle",
            "description": (
                "MatchedObjectDescriptor.UserArea.Details.JobSummary",
                "MatchedObjectDescriptor.QualificationSummary",
            ),
            "employer": "MatchedObjectDescriptor.OrganizationName",
            "location": "MatchedObjectDescriptor.PositionLocationDisplay",
            "employment_types": "MatchedObjectDescriptor.PositionSchedule.Name",
            "occurred_at": "MatchedObjectDescriptor.PublicationStartDate",
            "expires_at": "MatchedObjectDescriptor.ApplicationCloseDate",
            "salary.min": "MatchedObjectDescriptor.PositionRemuneration.MinimumRange",
            "salary.max": "MatchedObjectDescriptor.PositionRemuneration.MaximumRange",
            "salary.currency": "=USD",
            "salary.period": (
                "MatchedObjectDescriptor.PositionRemuneration.Description",
                "MatchedObjectDescriptor.PositionRemuneration.RateIntervalCode",
                "=",
            ),
        },
    ),
    Board(
        "remoteok",
        "",
        frozenset({"position", "epoch"}),
        {
            "id": "id",
            "title": "position",
            "description": "description",
            "employer": "company",
            "skills": "tags",
            "workplace": "=remote",
            "location": "location",
            "occurred_at": ("date", "epoch"),
        },
    ),
    Board(
        "arbeitnow",
        "data",
        frozenset({"slug", "company_name", "job_types"}),
        {
            "id": "slug",
            "title": "title",
            "description": "description",
            "employer": "company_name",
            "location": "location",
            "workplace": "remote",
            "employment_types": "job_types",
            "occurred_at": "created_at",
        },
    ),
    Board(
        "jobsuche",
        "stellenangebote",
        frozenset({"refnr", "arbeitsort"}),
        {
            "id": "refnr",
            "title": ("titel", "beruf"),
            "employer": "arbeitgeber",
            "location.city": "arbeitsort.ort",
            "location.country": ("arbeitsort.land", "=DE"),
            "location.lat": "arbeitsort.koordinaten.lat",
            "location.lon": "arbeitsort.koordinaten.lon",
            "occurred_at": "aktuelleVeroeffentlichungsdatum",
            "revision": "modifikationsTimestamp",
        },
    ),
    Board(
        "adzuna",
        "results",
        frozenset({"title", "redirect_url"}),
        {
            "id": "id",
            "title": "title",
            "description": "description",
            "employer": "company.display_name",
            "location": "location.display_name",
            "location.country": "location.area.0",
            "location.lat": "latitude",
            "location.lon": "longitude",
            "employment_types": "contract_time",
            "occurred_at": "created",
            "salary.min": "salary_min",
            "salary.max": "salary_max",
        },
        only_if={"salary.min": ("salary_is_predicted", 1), "salary.max": ("salary_is_predicted", 1)},
    ),
    Board(
        "personio",
        "position",
        frozenset({"name", "office", "jobDescriptions"}),
        {
            "id": "id",
            "title": "name",
            "description": ("jobDescriptions.jobDescription.value", "jobDescriptions.jobDescription"),
            "employer": "subcompany",
            "location": "office",
            "employment_types": "schedule",
            "seniority": "seniority",
            "occurred_at": "createdAt",
        },
    ),
    Board(
        "xml",
        "job",
        frozenset({"title", "company"}),
        {
            "id": ("referencenumber", "id", "url"),
            "title": "title",
            "description": "description",
            "employer": "company",
            "location.city": "city",
            "location.region": "state",
            "location.country": "country",
            "employment_types": "jobtype",
            "workplace": "remotetype",
            "salary": "salary",
            "salary.period": "=",
            "occurred_at": "date",
            "expires_at": ("expirationdate", "expiration_date"),
        },
    ),
)


def board_of(document: Any) -> tuple[Board, list[Json]] | None:
    """The format of a document, told by its fields, and its jobs."""
    for board in BOARDS:
        items = objects(at(document, board.items) if board.items else document)
        marked = [item for item in items if board.marks <= item.keys()]
        if marked and (board.items or isinstance(document, list)):
            return board, marked
    return None

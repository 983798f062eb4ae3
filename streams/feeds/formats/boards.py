"""Dumps of applicant tracking systems and job boards, and where each one has its values (docs/feeds.md)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.numbers import get_territory_currencies

from rolecall.streams.feeds.values.countries import country_code
from rolecall.streams.feeds.values.json_values import Json, Names, at, many, objects, text

Paths = str | tuple[str, ...]  # of several paths the first one with a value; `=text` is a constant


@dataclass(frozen=True)
class Board:
    """One format. `items` is the path of the list of jobs; a job has all the `marks`."""

    name: str
    items: str
    marks: frozenset[str]
    fields: Mapping[str, Paths]
    only_if: Mapping[str, tuple[str, Any]] = field(
        default_factory=dict
    )  # field: (path, value that forbids it)
    more_places: str = ""  # the job is at these places too: texts, or objects with a city and a country
    more: Callable[[Json], Json] = lambda item: {}

    def raw(self, item: Json) -> Json:
        """ValueError if the item is no job of this format."""
        if missing := self.marks - item.keys():
            raise ValueError(
                f"the file is a dump of {self.name}, but this job lacks {', '.join(sorted(missing))}"
            )
        found = {name: _first(item, paths) for name, paths in self.fields.items()} | self.more(item)
        for name, (path, forbidden) in self.only_if.items():
            if _flag(at(item, path)) == _flag(forbidden):
                found.pop(name, None)
        found["id"] = f"{self.name}/{found['id']}" if found.get("id") not in (None, "") else None
        found = _at_several_places(found, many(at(item, self.more_places)) if self.more_places else [])
        return {name: value for name, value in found.items() if value is not None}


def _flag(value: Any) -> str:
    """`1`, `1.0`, `"1"` and true are the same."""
    said = str(int(value)) if isinstance(value, bool | float) else str(value).casefold()
    return "1" if said == "true" else said


def _at_several_places(found: Json, others: list[Any]) -> Json:
    """Of several places, only what all of them share; the country of the main place is not that of all."""
    country = text(found.get("location.country"))
    main = [text(each) for each in many(found.get("location") or found.get("location.city"))]
    places = [(name, country if len(main) == 1 else "") for name in main]
    for name, its_country in map(_named, others):
        code = country_code(its_country)
        if name and not any(name == n and code in (None, country_code(c)) for n, c in places):
            places.append((name, its_country))
    if len(places) < 2:
        return found
    left = {name: value for name, value in found.items() if not name.startswith("location")}
    codes = {country_code(country) for _, country in places}
    if len(codes) == 1 and None not in codes:
        return left | {"location.country": codes.pop()}
    return left | {"location": "; ".join(_joined(*place) for place in places)}


def _named(place: Any) -> tuple[str, str]:
    """What a place is called, and its country if it is told apart."""
    if not isinstance(place, dict):
        return text(place), ""
    countries = (text(place.get(name)) for name in ("country_code", "countryCode", "country"))
    return text(place.get("city")), next(filter(None, countries), "")


def _joined(name: str, country: str) -> str:
    return name if country.casefold() in name.casefold() else f"{name}, {country}"


def _first(item: Json, paths: Paths) -> Any:
    for path in (paths,) if isinstance(paths, str) else paths:
        if path.startswith("="):
            return path[1:]
        value = at(item, path)
        if isinstance(value, list) and all(each == value[0] for each in value):
            value = value[0] if value else None  # the same country at each place
        if isinstance(value, dict) and isinstance(value.get("value"), str):
            value = value["value"]  # an XML element with attributes
        if value not in (None, "", []):
            return value
    return None


def _ashby_pay(item: Json) -> Json:
    """Of the components of the pay, which may include shares, the salary."""
    parts = objects(at(item, "compensation.summaryComponents"))
    pay = [part for part in parts if part.get("compensationType") == "Salary"]
    if len(pay) != 1:
        return {}
    names = {"min": "minValue", "max": "maxValue", "currency": "currencyCode", "period": "interval"}
    return {f"salary.{end}": pay[0].get(name) for end, name in names.items()}


def _adzuna_currency(item: Json) -> Json:
    """Adzuna tells pay in the currency of the country."""
    country = country_code(text(at(item, "location.area.0")))
    currencies = get_territory_currencies(country) if country else []
    return {"salary.currency": currencies[0]} if len(currencies) == 1 else {}


def _usajobs_remote(item: Json) -> Json:
    remote = at(item, "MatchedObjectDescriptor.UserArea.Details.RemoteIndicator")
    return {"workplace": "remote"} if str(remote).casefold() == "true" else {}


def _recruitee_workplace(item: Json) -> Json:
    """One of three switches, if only one is on."""
    named = {"remote": "remote", "hybrid": "hybrid", "on_site": "on-site"}
    on = [name for switch, name in named.items() if item.get(switch) is True]
    return {"workplace": on[0]} if len(on) == 1 else {}


SAMPLE = 100
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
        more_places="secondaryLocations.location",
        more=_ashby_pay,
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
            "seniority": "experience_code",
            "salary.min": "salary.min",
            "salary.max": "salary.max",
            "salary.currency": "salary.currency",
            "salary.period": ("salary.period", "="),
            "occurred_at": ("published_at", "created_at"),
            "revision": "updated_at",
            "expires_at": "close_at",
            "status": "status",
        },
        more_places="locations",
        more=_recruitee_workplace,
    ),
    Board(
        "smartrecruiters",
        "content",
        frozenset({"id", "name", "releasedDate"}),
        {
            "id": ("uuid", "id"),
            "title": "name",
            "description": "jobAd.sections.jobDescription.text",
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
        more_places="locations",
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
            "location.country": "MatchedObjectDescriptor.PositionLocation.CountryCode",
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
        more=_usajobs_remote,
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
        more=_adzuna_currency,
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
            "skills": "keywords",
            "occurred_at": "createdAt",
        },
        more_places="additionalOffices.office",
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
            "location": "location",
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


OF_XML = ("personio", "xml")


def board_of(document: Any) -> tuple[Board, list[Json], Names | None] | None:
    """The format of a document, told by the fields of one of its first jobs; all its jobs; and their path, if
    they stand in one list.

    The document is what the board gives, pages of it, a list of jobs without what is around it, or one job.
    """
    for board in BOARDS:
        for path in (board.items,) if board.name in OF_XML else dict.fromkeys((board.items, "")):
            found = many(at(document, path)) if path else many(document)
            items = [item for each in found for item in many(each)]
            if any(isinstance(item, dict) and board.marks <= item.keys() for item in items[:SAMPLE]):
                names = tuple(filter(None, path.split(".")))
                is_one_list = isinstance(document, dict) or not path
                jobs = [item for item in items if not is_notice(item)]
                return board, jobs, names if is_one_list else None
    return None


def is_notice(item: Any) -> bool:
    """RemoteOK's terms of use, which stand among its jobs."""
    return isinstance(item, dict) and "legal" in item

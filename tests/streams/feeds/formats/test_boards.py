"""One realistic dump of each job board and standard, with values made up here."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.streams.feeds.formats.boards import board_of
from rolecall.streams.feeds.read import FeedEvent, FeedReject, read
from tests.streams.feeds.reading import said

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BOARDS: list[tuple[str, Any, dict[str, Any]]] = [
    (
        "greenhouse",
        {"jobs": [{"absolute_url": "u", "id": 7, "internal_job_id": 1, "title": "Miller",
                   "updated_at": "2026-11-20T09:00:00-05:00", "requisition_id": "R7", "metadata": None,
                   "location": {"name": "Odense, Denmark"}, "company_name": "Mills",
                   "first_published": "2026-11-02T09:00:00-05:00", "departments": [{"id": 1, "name": "F"}],
                   "offices": [], "content": "&lt;p&gt;Flour &amp;amp; oat"}], "meta": {"total": 1}},
        {"id": "greenhouse/7", "location": {"country": "DK", "city": "Odense"}, "description": "Flour & oat",
         "employer": "Mills", "occurred_at": "2026-11-02T09:00:00-05:00"},
    ),
    (
        "lever",
        [{"id": "l", "text": "Miller", "categories": {"location": "Gent", "commitment": "Part-time",
                                                      "allLocations": ["Gent"], "team": "Mill"},
          "country": "BE", "workplaceType": "on-site", "createdAt": 1795338000000, "descriptionPlain": "Oats",
          "lists": [], "hostedUrl": "u",
          "salaryRange": {"min": 31000, "max": 36000, "currency": "EUR", "interval": "per-year-salary"}}],
        {"id": "lever/l", "location": {"country": "BE", "city": "Gent"}, "workplace": "onsite",
         "employment_types": ["part_time"],
         "salary": {"min": 31000.0, "max": 36000.0, "currency": "EUR", "period": "year"}},
    ),
    (
        "ashby",
        {"jobs": [{"id": "a", "title": "Miller", "location": "Porto, Portugal", "secondaryLocations": [],
                   "isListed": True, "isRemote": False, "workplaceType": "Hybrid",
                   "employmentType": "FullTime",
                   "publishedAt": "2026-11-20T09:00:00.000+00:00", "descriptionHtml": "<p>Oats</p>",
                   "address": {"postalAddress": {"addressLocality": "Porto", "addressCountry": "Portugal"}},
                   "compensation": {"summaryComponents": [
                       {"compensationType": "Salary", "interval": "1 YEAR", "currencyCode": "EUR",
                        "minValue": 30000, "maxValue": 35000},
                       {"compensationType": "EquityPercentage", "interval": "NONE", "minValue": 0.1}]}}],
         "apiVersion": "1"},
        {"id": "ashby/a", "location": {"country": "PT", "city": "Porto"}, "employment_types": ["full_time"],
         "workplace": "hybrid",
         "salary": {"min": 30000.0, "max": 35000.0, "currency": "EUR", "period": "year"}},
    ),
    (
        "ashby, several places",
        {"jobs": [{"id": "a", "title": "Miller", "location": "Porto, Portugal", "isRemote": None,
                   "secondaryLocations": [{"location": "Braga, Portugal"}], "publishedAt": "2026-11-20"}]},
        {"location": {"country": "PT"}},
    ),
    (
        "recruitee",
        {"offers": [{"id": 9, "slug": "miller", "title": "Miller", "description": "<p>Oats</p>",
                     "requirements": "", "city": "Zwolle", "country": "Netherlands", "country_code": "NL",
                     "remote": False, "hybrid": True, "on_site": False, "status": "published",
                     "employment_type_code": "fulltime_permanent", "experience_code": "mid_level",
                     "salary": {"min": "2800", "max": "3300", "currency": "EUR", "period": "month"},
                     "careers_url": "u", "company_name": "Mills", "published_at": "2026-11-20 09:00:00 UTC",
                     "locations": [{"city": "Zwolle", "country_code": "NL"}]}]},
        {"id": "recruitee/9", "location": {"country": "NL", "city": "Zwolle"}, "workplace": "hybrid",
         "employment_types": ["full_time"], "seniority": "mid", "status": "open",
         "salary": {"min": 2800.0, "max": 3300.0, "currency": "EUR", "period": "month"}},
    ),
    (
        "smartrecruiters",
        {"offset": 0, "limit": 100, "totalFound": 1,
         "content": [{"id": "744", "uuid": "s", "name": "Miller", "releasedDate": "2026-11-20T09:00:00.000Z",
                      "company": {"identifier": "Mills", "name": "Mills"},
                      "location": {"city": "Graz", "region": "Steiermark", "country": "at", "remote": True},
                      "typeOfEmployment": {"id": "permanent", "label": "Full-time"},
                      "experienceLevel": {"id": "mid_senior_level", "label": "Mid-Senior Level"}}]},
        {"id": "smartrecruiters/s", "location": {"country": "AT", "city": "Graz"}, "workplace": "remote",
         "employment_types": ["full_time"], "seniority": None},
    ),
    (
        "workable",
        {"name": "Mills", "description": "", "jobs": [
            {"title": "Miller", "shortcode": "W1", "code": "", "employment_type": "Full-time",
             "telecommuting": False, "published_on": "2026-11-20", "created_at": "2026-11-19",
             "country": "Poland", "city": "Łódź", "state": "Łódzkie", "experience": "Entry level",
             "locations": [{"country": "Poland", "countryCode": "PL", "city": "Łódź"}]}]},
        {"id": "workable/W1", "location": {"country": "PL", "city": "Łódź"}, "seniority": "junior",
         "workplace": None, "employment_types": ["full_time"]},
    ),
    (
        "usajobs",
        {"LanguageCode": "EN", "SearchResult": {"SearchResultCount": 1, "SearchResultItems": [
            {"MatchedObjectId": "81", "MatchedObjectDescriptor": {
                "PositionTitle": "Miller", "PositionLocationDisplay": "Boise, Idaho",
                "PositionLocation": [{"CountryCode": "United States", "CityName": "Boise, Idaho"}],
                "OrganizationName": "Bureau of Mills",
                "PositionSchedule": [{"Name": "Full-time", "Code": "1"}],
                "PositionRemuneration": [{"MinimumRange": "26.5", "MaximumRange": "31.0",
                                          "RateIntervalCode": "PH", "Description": "Per Hour"}],
                "PublicationStartDate": "2026-11-20T00:00:00.0000000",
                "ApplicationCloseDate": "2026-12-20T23:59:59.9970000",
                "UserArea": {"Details": {"JobSummary": "Oats", "RemoteIndicator": False}}}}]}},
        {"id": "usajobs/81", "location": {"country": "US", "city": "Boise"}, "workplace": None,
         "salary": {"min": 26.5, "max": 31.0, "currency": "USD", "period": "hour"}},
    ),
    (
        "usajobs, a pay for two weeks",
        {"SearchResult": {"SearchResultItems": [{"MatchedObjectId": "82", "MatchedObjectDescriptor": {
            "PositionTitle": "Miller", "PositionLocationDisplay": "Multiple Locations",
            "PositionRemuneration": [{"MinimumRange": "1900", "MaximumRange": "2300",
                                      "RateIntervalCode": "BW", "Description": "Bi-weekly"}]}}]}},
        {"salary": None, "location": None},
    ),
    (
        "remoteok",
        [{"last_updated": 1795338000, "legal": "Link back to us."},
         {"slug": "miller", "id": "r", "epoch": 1795338000, "date": "2026-11-20T09:00:00+00:00",
          "company": "Mills", "position": "Miller", "tags": ["oats", "rye"], "description": "<p>Oats</p>",
          "location": "Worldwide", "salary_min": 0, "salary_max": 0, "url": "u"}],
        {"id": "remoteok/r", "workplace": "remote", "skills": ["oats", "rye"], "location": None},
    ),
    (
        "arbeitnow",
        {"data": [{"slug": "miller-fulda-1", "company_name": "Mühle", "title": "Müller (m/w/d)",
                   "description": "<p>Hafer</p>", "remote": False, "tags": [], "location": "Fulda",
                   "job_types": ["Full-time"], "created_at": 1795338000}], "links": {}, "meta": {}},
        {"id": "arbeitnow/miller-fulda-1", "location": {"city": "Fulda"}, "employment_types": ["full_time"],
         "workplace": None},
    ),
    (
        "jobsuche",
        {"stellenangebote": [
            {"beruf": "Müller/in", "titel": "Müller/in", "refnr": "10000-1-S", "arbeitgeber": "Mühle",
             "arbeitsort": {"plz": "36037", "ort": "Fulda", "region": "Hessen", "land": "Deutschland",
                            "koordinaten": {"lat": 50.55, "lon": 9.68}},
             "aktuelleVeroeffentlichungsdatum": "2026-11-20",
             "modifikationsTimestamp": "2026-11-20T09:00:00.123"}], "maxErgebnisse": 1, "page": 1},
        {"id": "jobsuche/10000-1-S",
         "location": {"country": "DE", "city": "Fulda", "lat": 50.55, "lon": 9.68}},
    ),
    (
        "adzuna",
        {"count": 1, "mean": 3e4, "results": [
            {"id": "z", "title": "Miller", "description": "Oats", "redirect_url": "u", "salary_min": 30000,
             "salary_max": 30000, "salary_is_predicted": "1", "created": "2026-11-20T09:00:00Z",
             "location": {"area": ["UK", "Yorkshire", "Leeds"], "display_name": "Leeds, West Yorkshire"},
             "company": {"display_name": "Mills"}, "contract_time": "full_time", "latitude": 53.8,
             "longitude": -1.55}]},
        {"id": "adzuna/z", "salary": None, "employment_types": ["full_time"], "employer": "Mills",
         "location": {"country": "GB", "city": "Leeds", "lat": 53.8, "lon": -1.55}},
    ),
    (
        "HR Open 4 (JSON)",
        {"positionOpening": {
            "documentId": {"value": "H4"}, "positionOpeningStatusCode": "Active",
            "positionProfiles": [{
                "positionTitle": "Miller", "positionScheduleTypeCodes": ["FullTime"],
                "positionOrganizations": [{"legalName": "Mills"}],
                "positionLocations": [{"address": {"city": "Vigo", "countryCode": "ES"}}],
                "positionFormattedDescriptions": [{"content": "<p>Oats</p>"}],
                "offeredRemunerationPackages": [{"ranges": [
                    {"minimumAmount": {"value": 24000, "currency": "EUR"},
                     "maximumAmount": {"value": 27000, "currency": "EUR"}, "intervalCode": "Year"}]}],
                "postingInstructions": [{"postDate": "2026-11-20"}]}]}},
        {"id": "Mills/H4", "title": "Miller", "location": {"country": "ES", "city": "Vigo"},
         "employment_types": ["full_time"], "description": "Oats",
         "salary": {"min": 24000.0, "max": 27000.0, "currency": "EUR", "period": "year"}},
    ),
]  # fmt: skip


def values(tmp_path: Path, content: bytes) -> list[dict[str, Any]]:
    path = tmp_path / "feed"
    path.write_bytes(content)
    found = list(read(path, now=NOW))
    return [said(each) for each in found]


@pytest.mark.parametrize(("name", "document", "expected"), BOARDS, ids=[board[0] for board in BOARDS])
def test_dumps_of_boards(tmp_path: Path, name: str, document: Any, expected: dict[str, Any]) -> None:
    (found,) = values(tmp_path, orjson.dumps(document))
    assert {field: found.get(field) for field in expected} == expected


@pytest.mark.parametrize("document", [board[1] for board in BOARDS if not board[0].startswith("HR")])
def test_jobs_of_boards_in_lines_and_lists(tmp_path: Path, document: Any) -> None:
    """As people store them: jobs without what was around them, and the pages of an interface."""
    jobs = board_of(document)
    assert jobs is not None
    whole = values(tmp_path, orjson.dumps(document))
    assert values(tmp_path, orjson.dumps(jobs[1])) == whole
    assert values(tmp_path, b"\n".join(map(orjson.dumps, jobs[1] * 2))) == whole * 2
    assert values(tmp_path, orjson.dumps(jobs[1][0])) == whole[:1]
    if isinstance(document, dict):
        assert values(tmp_path, orjson.dumps([document, document])) == whole * 2


def test_personio(tmp_path: Path) -> None:
    (found,) = values(
        tmp_path,
        b"""<?xml version="1.0" encoding="UTF-8"?><workzag-jobs><position>
        <id>5</id><subcompany>Muehle GmbH</subcompany><office>Graz</office>
        <additionalOffices><office>Linz</office></additionalOffices><name>Miller</name>
        <jobDescriptions><jobDescription><name>Tasks</name><value><![CDATA[<p>Oats</p>]]></value>
        </jobDescription></jobDescriptions><employmentType>permanent</employmentType>
        <seniority>experienced</seniority><schedule>full-or-part-time</schedule>
        <createdAt>2026-11-20T09:00:00+00:00</createdAt></position></workzag-jobs>""",
    )
    assert (found["id"], found["employment_types"]) == ("personio/5", ["full_time", "part_time"])
    assert "location" not in found


def test_hr_xml_3(tmp_path: Path) -> None:
    (found,) = values(
        tmp_path,
        b"""<ProcessPositionOpening xmlns="http://www.hr-xml.org/3" releaseID="3.3">
        <DataArea><PositionOpening><DocumentID>H3</DocumentID><PositionProfile>
        <PositionTitle>Miller</PositionTitle><PositionOrganization><OrganizationName>Mills</OrganizationName>
        </PositionOrganization><PositionLocation><Address><CityName>Siena</CityName>
        <CountryCode>IT</CountryCode></Address></PositionLocation>
        <PositionScheduleTypeCode>PartTime</PositionScheduleTypeCode><PositionFormattedDescription>
        <Content>Oats</Content></PositionFormattedDescription></PositionProfile></PositionOpening></DataArea>
        </ProcessPositionOpening>""",
    )
    assert found["id"] == "Mills/H3"
    assert found["location"] == {"country": "IT", "city": "Siena"}
    assert found["employment_types"] == ["part_time"]


def test_hr_xml_2(tmp_path: Path) -> None:
    (found,) = values(
        tmp_path,
        b"""<JobPositionPostings><JobPositionPosting>
        <JobPositionPostingId>H2</JobPositionPostingId><HiringOrg><HiringOrgName>Mills</HiringOrgName></HiringOrg>
        <JobPositionInformation><JobPositionTitle>Miller</JobPositionTitle><JobPositionDescription>
        <JobPositionPurpose>Oats</JobPositionPurpose></JobPositionDescription></JobPositionInformation>
        </JobPositionPosting></JobPositionPostings>""",
    )
    assert (found["id"], found["title"], found["description"]) == ("Mills/H2", "Miller", "Oats")


def test_a_job_that_lacks_what_its_format_has_is_rejected(tmp_path: Path) -> None:
    whole = {"absolute_url": "u", "id": 1, "title": "Miller", "updated_at": "2026-11-20T09:00:00Z"}
    path = tmp_path / "feed.json"
    path.write_bytes(orjson.dumps({"jobs": [whole, {"id": 2, "title": "Baker"}, "torn"]}))
    reasons = [each.reason for each in read(path, now=NOW) if isinstance(each, FeedReject)]
    assert reasons == [
        "the file is a dump of greenhouse, but this job lacks absolute_url, updated_at",
        "a record must be a JSON object, but this is 'torn'",
    ]


def test_the_country_that_all_places_share_is_read(tmp_path: Path) -> None:
    job = {
        "PositionTitle": "Miller",
        "PositionLocationDisplay": "Multiple Locations",
        "PositionLocation": [{"CountryCode": "United States"}, {"CountryCode": "United States"}],
    }
    items = {"SearchResultItems": [{"MatchedObjectId": "9", "MatchedObjectDescriptor": job}]}
    path = tmp_path / "usajobs.json"
    path.write_bytes(orjson.dumps({"SearchResult": items}))
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedEvent)
    assert orjson.loads(found.value or b"")["location"] == {"country": "US"}


@pytest.mark.parametrize(
    ("area", "currency"), [("UK", "GBP"), ("Polska", "PLN"), ("Deutschland", "EUR"), ("Mars", None)]
)
def test_adzuna_pays_in_the_currency_of_the_country(tmp_path: Path, area: str, currency: str | None) -> None:
    job = {"id": 1, "title": "Miller", "redirect_url": "u", "salary_min": 40000, "location": {"area": [area]}}
    path = tmp_path / "adzuna.json"
    path.write_bytes(orjson.dumps({"results": [job | {"salary_period": "x"}]}))
    (found,) = read(path, now=NOW)
    assert isinstance(found, FeedEvent)
    salary = orjson.loads(found.value or b"").get("salary", {})
    assert salary.get("currency") == (currency if currency in ("GBP", "EUR") else None)


@pytest.mark.parametrize(
    "document",
    [
        [{"id": "l", "text": "Miller", "country": "ES",
          "categories": {"location": "Vigo", "allLocations": ["Vigo", "Braga"]}}],
        {"jobs": [{"id": "a", "title": "Miller", "location": "Vigo", "isRemote": None,
                   "publishedAt": "2026-11-20", "secondaryLocations": [{"location": "Braga, Portugal"}],
                   "address": {"postalAddress": {"addressLocality": "Vigo", "addressCountry": "Spain"}}}]},
        {"jobs": [{"title": "Miller", "shortcode": "W", "city": "Vigo", "country": "Spain", "locations": [
            {"city": "Vigo", "country": "Spain"}, {"city": "Braga", "country": "Portugal"}]}]},
        {"offers": [{"id": 1, "title": "Miller", "careers_url": "u", "city": "Vigo", "country_code": "ES",
                     "locations": [{"city": "Vigo", "country_code": "ES"},
                                   {"city": "Braga", "country_code": "PT"}]}]},
    ],
    ids=["lever", "ashby", "workable", "recruitee"],
)  # fmt: skip
def test_the_country_of_the_first_place_is_not_that_of_all(tmp_path: Path, document: Any) -> None:
    (found,) = values(tmp_path, orjson.dumps(document))
    assert "location" not in found


@pytest.mark.parametrize("predicted", [True, 1, "1", 1.0, "True"])
def test_a_predicted_salary_is_no_salary(tmp_path: Path, predicted: Any) -> None:
    job = {"id": "z", "title": "Miller", "redirect_url": "u", "location": {"area": ["UK"]},
           "salary_min": 30000, "salary_max": 32000, "salary_is_predicted": predicted}  # fmt: skip
    (found,) = values(tmp_path, orjson.dumps({"results": [job]}))
    assert "salary" not in found


def test_a_city_with_the_country_of_another_is_left_out(tmp_path: Path) -> None:
    job = {"id": "l", "text": "Miller", "country": "PL", "categories": {"location": "Lyon"}}
    (found,) = values(tmp_path, orjson.dumps([job]))
    assert "location" not in found


def test_an_opening_may_be_the_root_of_its_file(tmp_path: Path) -> None:
    opening = b"""<PositionOpening><DocumentID>H5</DocumentID><PositionOpeningStatusCode>%s
        </PositionOpeningStatusCode><PositionProfile><PositionTitle>Miller</PositionTitle></PositionProfile>
        </PositionOpening>"""
    (found,) = values(tmp_path, opening % b"Filled")
    assert (found["id"], found["status"]) == ("H5", "closed")
    (tmp_path / "feed").write_bytes(opening % b"On Hold")
    (reject,) = read(tmp_path / "feed", now=NOW)
    assert isinstance(reject, FeedReject)
    assert "'On Hold' is not known; write open or closed" in reject.reason


def test_an_opening_in_two_countries_is_in_neither(tmp_path: Path) -> None:
    places = [{"address": {"city": "Vigo", "countryCode": "ES"}}, {"address": {"countryCode": "PT"}}]
    profile = {"positionTitle": "Miller", "positionLocations": places}
    opening = {"positionOpening": {"documentId": "H6", "positionProfiles": [profile]}}
    path = tmp_path / "feed"
    path.write_bytes(orjson.dumps(opening))
    (found,) = read(path, now=NOW)
    assert "location" not in said(found)
    assert isinstance(found, FeedEvent)
    assert [note.field for note in found.notes] == ["location"]

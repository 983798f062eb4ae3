"""What a record must be: parsed as the worker parses it, refused with the field and the problem."""

import json

import pytest
from pydantic import ValidationError

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.feedback import Feedback
from rolecall.schemas.match import Match
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.vacancy import Vacancy

NOON = "2026-11-22T12:00:00Z"
VACANCY = {"id": "v", "occurred_at": NOON, "title": "Nurse"}
CANDIDATE = {"id": "c", "occurred_at": NOON, "titles": ["Nurse"]}
RULE = {"id": "r", "occurred_at": NOON, "anchors": [{"text": "a", "min_similarity": 0.5}] * 2}
OCCUPATION = {"id": "o", "occurred_at": NOON, "label": "Nurses"}
FEEDBACK = {
    "id": "f",
    "occurred_at": NOON,
    "vacancy_id": "v",
    "candidate_id": "c",
    "verdict": "hired",
    "actor": "vacancy",
}


def vacancy(**changes):
    return Vacancy.model_validate_json(json.dumps(VACANCY | changes), strict=True)


def candidate(**changes):
    return Candidate.model_validate_json(json.dumps(CANDIDATE | changes), strict=True)


def problems(contract, raw):
    """Field -> message, less the revision that cannot be derived once another field is wrong."""
    with pytest.raises(ValidationError) as caught:
        contract.model_validate_json(raw, strict=True)
    return {
        ".".join(map(str, error["loc"])): error["msg"]
        for error in caught.value.errors()
        if error["type"] != "default_factory_not_called"
    }


REFUSED = [
    ({"id": 7}, "id", "Input should be a valid string"),
    ({"id": ""}, "id", "String should have at least 1 character"),
    ({"id": " "}, "id", "an id neither begins nor ends with white space"),
    ({"id": "a\u0000b"}, "id", "String should match pattern"),
    ({"id": "v" * 201}, "id", "String should have at most 200 characters"),
    ({"title": None}, "title", "Input should be a valid string"),
    ({"title": ["Nurse"]}, "title", "Input should be a valid string"),
    ({"title": ""}, "title", "String should have at least 1 character"),
    ({"title": " \n\t"}, "title", "String should have at least 1 character"),
    ({"title": "x" * 1001}, "title", "String should have at most 1000 characters"),
    ({"description": "x" * 1_000_001}, "description", "String should have at most 1000000 characters"),
    ({"skills": "Python"}, "skills", "Input should be a valid array"),
    ({"skills": [1]}, "skills.0", "Input should be a valid string"),
    ({"skills": ["x"] * 501}, "skills", "Tuple should have at most 500 items after validation, not 501"),
    ({"occurred_at": "2026-11-22T12:00:00"}, "occurred_at", "this is without a time zone"),
    ({"occurred_at": "yesterday"}, "occurred_at", "a time is text such as 2026-11-28T15:17:27Z"),
    ({"occurred_at": "2026-11-22"}, "occurred_at", "a time is text such as 2026-11-28T15:17:27Z"),
    ({"occurred_at": 1_795_305_600}, "occurred_at", "a time is text such as 2026-11-28T15:17:27Z"),
    ({"occurred_at": True}, "occurred_at", "but this is true or false"),
    ({"occurred_at": None}, "occurred_at", "but this is null"),
    ({"occurred_at": "1969-12-31T23:59:59Z"}, "occurred_at", "greater than or equal to 1970-01-01T00:00:00Z"),
    ({"expires_at": "2026-12-31T00:00:00"}, "expires_at", "this is without a time zone"),
    ({"revision": -1}, "revision", "Input should be greater than or equal to 0"),
    ({"revision": 2**53 + 1}, "revision", "Input should be less than or equal to 9007199254740992"),
    ({"revision": 1.5}, "revision", "Input should be a valid integer"),
    ({"revision": "1"}, "revision", "Input should be a valid integer"),
    ({"revision": True}, "revision", "Input should be a valid integer"),
    ({"location": {"lat": 91, "lon": 0}}, "location.lat", "Input should be less than or equal to 90"),
    ({"location": {"lat": 0, "lon": -181}}, "location.lon", "Input should be greater than or equal to -180"),
    ({"location": {"lat": "52.5", "lon": 13}}, "location.lat", "Input should be a valid number"),
    ({"location": {"lat": 52.5}}, "location", "lat and lon must be given together, or neither"),
    ({"location": {"lon": 13.4}}, "location", "lat and lon must be given together, or neither"),
    ({"location": {"country": "ZZ"}}, "location.country", "Invalid country alpha2 code"),
    ({"location": "Berlin"}, "location", "Input should be an object"),
    (
        {"languages": [{"code": "de", "level": "D9"}]},
        "languages.0.level",
        "'A1', 'A2', 'B1', 'B2', 'C1' or 'C2'",
    ),
    ({"languages": [{"code": "deu"}]}, "languages.0.code", "Invalid language alpha2 code"),
    ({"languages": [{"code": "de"}] * 51}, "languages", "Tuple should have at most 50 items"),
    ({"salary": {"min": 1, "currency": "XXX"}}, "salary.currency", "Invalid currency code"),
    ({"salary": {"min": 1}}, "salary.currency", "Field required"),
    ({"salary": {"currency": "EUR"}}, "salary", "a salary needs min, max or both"),
    ({"salary": {"min": 2, "max": 1, "currency": "EUR"}}, "salary", "salary min 2 is above max 1"),
    ({"salary": {"min": -1, "currency": "EUR"}}, "salary.min", "Input should be greater than or equal to 0"),
    ({"salary": {"max": 1e300, "currency": "EUR"}}, "salary.max", "Input should be less than or equal to"),
    ({"seniority": "boss"}, "seniority", "'intern', 'junior', 'mid', 'senior', 'lead' or 'executive'"),
    ({"employment_types": ["gig"]}, "employment_types.0", "'full_time', 'part_time'"),
    ({"workplace": ["remote"]}, "workplace", "Input should be 'onsite', 'hybrid' or 'remote'"),
    ({"status": "maybe"}, "status", "Input should be 'open' or 'closed'"),
]


@pytest.mark.parametrize(("change", "field", "problem"), REFUSED)
def test_a_bad_vacancy_is_refused_with_field_and_problem(change, field, problem):
    found = problems(Vacancy, json.dumps(VACANCY | change))
    assert list(found) == [field]
    assert problem in found[field]


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"titles": []}, "titles", "Tuple should have at least 1 item"),
        ({"titles": ["Nurse", " "]}, "titles.1", "String should have at least 1 character"),
        ({"titles": ["Nurse"] * 51}, "titles", "Tuple should have at most 50 items"),
        ({"radius_km": -1}, "radius_km", "Input should be greater than or equal to 0"),
        ({"radius_km": 20_041}, "radius_km", "Input should be less than or equal to 20040"),
        ({"experience_years": 101}, "experience_years", "Input should be less than or equal to 100"),
        ({"relocate": "yes"}, "relocate", "Input should be a valid boolean"),
        ({"work_countries": ["DE", "XX"]}, "work_countries.1", "Invalid country alpha2 code"),
        ({"workplaces": ["office"]}, "workplaces.0", "Input should be 'onsite', 'hybrid' or 'remote'"),
        ({"available_from": "2027-01-01"}, "available_from", "a time is text such as 2026-11-28T15:17:27Z"),
    ],
)
def test_a_bad_candidate_is_refused_with_field_and_problem(change, field, problem):
    found = problems(Candidate, json.dumps(CANDIDATE | change))
    assert list(found) == [field]
    assert problem in found[field]


@pytest.mark.parametrize(
    ("anchors", "field", "problem"),
    [
        ([{"text": "a", "min_similarity": 1}], "anchors.1", "Field required"),
        ([{"text": "a", "min_similarity": 1}] * 3, "anchors", "Tuple should have at most 2 items"),
        ([RULE["anchors"][0], {"min_similarity": 1}], "anchors.1", "either text or entity_id"),
        (
            [RULE["anchors"][0], {"text": "a", "entity_id": "v", "min_similarity": 1}],
            "anchors.1",
            "either text or entity_id",
        ),
        (
            [RULE["anchors"][0], {"text": "a", "min_similarity": 1.1}],
            "anchors.1.min_similarity",
            "less than or equal to 1",
        ),
    ],
)
def test_a_bad_rule_is_refused_with_field_and_problem(anchors, field, problem):
    found = problems(ExclusionRule, json.dumps(RULE | {"anchors": anchors}))
    assert list(found) == [field]
    assert problem in found[field]


def test_feedback_needs_a_known_verdict():
    found = problems(Feedback, json.dumps(FEEDBACK | {"verdict": "liked"}))
    assert "'hired', 'interviewed'" in found["verdict"]


def test_feedback_counts_ranks_from_one():
    found = problems(Feedback, json.dumps(FEEDBACK | {"rank": 0}))
    assert found == {"rank": "Input should be greater than or equal to 1"}


def test_a_reason_that_only_a_later_producer_knows_is_taken_as_it_is():
    event = Feedback.model_validate_json(json.dumps(FEEDBACK | {"reason": "pay_too_low"}), strict=True)
    assert event.reason == "pay_too_low"


@pytest.mark.parametrize("reason", ["Ms Smith was late", "Filled", "", "a" * 51, 7])
def test_a_reason_is_a_short_name_and_no_text(reason):
    found = problems(Feedback, json.dumps(FEEDBACK | {"reason": reason}))
    assert list(found) == ["reason"]
    assert "lower case letters, digits and _, at most 50 characters" in found["reason"]


def test_an_occupation_has_at_most_a_thousand_alternative_labels():
    found = problems(Occupation, json.dumps(OCCUPATION | {"alternative_labels": ["x"] * 1001}))
    assert "at most 1000 items" in found["alternative_labels"]


@pytest.mark.parametrize("contract", [Vacancy, Candidate, ExclusionRule, Occupation, Feedback, Match])
def test_the_id_is_required(contract):
    assert problems(contract, "{}")["id"] == "Field required"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_coordinate_is_a_finite_number(number):
    raw = (
        f'{{"id": "v", "occurred_at": "{NOON}", "title": "Nurse", "location": {{"lat": {number}, "lon": 0}}}}'
    )
    assert problems(Vacancy, raw) == {"location.lat": "Input should be a finite number"}


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"id": "v"', b"\xff\xfe", b'{"id": "\xff"}', b'{"id": "\\ud83d"}']
)
def test_what_is_not_json_in_utf_8_is_refused_as_such(raw):
    assert problems(Vacancy, raw)[""].startswith("Invalid JSON: ")


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"v"', b"1"])
def test_json_that_is_no_object_is_refused(raw):
    assert problems(Vacancy, raw) == {"": "Input should be an object"}


def test_a_deeply_nested_record_is_refused():
    assert "recursion limit" in problems(Vacancy, '{"x":' + "[" * 10_000)[""]


def test_every_problem_of_a_record_is_reported():
    raw = json.dumps({"id": 1, "title": "", "occurred_at": "now"})
    assert set(problems(Vacancy, raw)) == {"id", "title", "occurred_at"}


def test_a_title_may_be_a_single_emoji():
    assert vacancy(title="🚀").title == "🚀"


def test_a_description_may_have_a_hundred_thousand_words():
    assert len(vacancy(description="word " * 99_999 + "word").description.split()) == 100_000


def test_white_space_around_text_is_stripped():
    assert vacancy(title=" Nurse\n").title == "Nurse"


def test_codes_may_come_in_any_case():
    event = vacancy(location={"country": "de"}, languages=[{"code": "DE"}])
    assert (event.location.country, event.languages[0].code) == ("DE", "de")


def test_whole_numbers_are_coordinates_too():
    assert vacancy(location={"lat": -90, "lon": 180}).location.point == (-90.0, 180.0)


def test_a_salary_may_be_a_single_amount():
    salary = vacancy(salary={"min": 40_000, "max": 40_000, "currency": "EUR"}).salary
    assert (salary.yearly_min, salary.yearly_max) == (40_000, 40_000)


def test_the_highest_hourly_pay_is_a_finite_yearly_pay():
    salary = vacancy(salary={"min": 1e15, "currency": "EUR", "period": "hour"}).salary
    assert salary.yearly_min == 2080e15


def test_the_revision_is_when_it_occurred_in_milliseconds():
    # 20,779 days of 86,400 s from 1970-01-01 to 2026-11-22 (56 years, 14 leap days, 325 days),
    # 9 h 30 min are 34,200 s, and 250 ms.
    assert vacancy(occurred_at="2026-11-22T09:30:00.250Z").revision == 1_795_339_800_250


def test_the_revision_does_not_depend_on_the_time_zone():
    assert (
        candidate(occurred_at="2026-11-22T00:30:00-09:00").revision
        == candidate(occurred_at="2026-11-22T09:30:00Z").revision
        == 1_795_339_800_000
    )


def test_microseconds_are_cut_off_the_revision():
    assert vacancy(occurred_at="2026-11-22T09:30:00.250999Z").revision == 1_795_339_800_250


def test_a_given_revision_wins_over_the_time():
    assert vacancy(revision=3).revision == 3


def test_the_epoch_itself_is_revision_zero():
    assert vacancy(occurred_at="1970-01-01T00:00:00Z").revision == 0


def test_an_unknown_nested_field_is_ignored():
    assert vacancy(location={"country": "DE", "planet": "Earth"}) == vacancy(location={"country": "DE"})

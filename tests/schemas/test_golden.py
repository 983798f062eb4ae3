"""Golden files are past versions as they were published. Never edit one; add a new version beside it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import (
    Cefr,
    Contract,
    EmploymentType,
    Language,
    Location,
    Matching,
    Period,
    Salary,
    Seniority,
    Status,
    Workplace,
)
from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.feedback import Feedback, Verdict, VerdictReason
from rolecall.schemas.match import Match, MatchesWithdrawn, NearestOccupation, Reasons, Side, WithdrawalReason
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.schemas.rule import Anchor, ExclusionRule
from rolecall.schemas.topics import TOPICS
from rolecall.schemas.vacancy import Vacancy

GOLDEN = {path.stem: path for path in Path(__file__).parent.glob("golden/v1/*/*.json")}
HALF_PAST_NINE = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
A_QUARTER_SECOND_LATER = HALF_PAST_NINE + timedelta(milliseconds=250)

EVENTS: dict[str, Contract] = {
    "vacancy_minimal": Vacancy(id="v-1", occurred_at=HALF_PAST_NINE, title="Data engineer"),
    "vacancy_full": Vacancy(
        id="acme/v-2 ✓",
        occurred_at=A_QUARTER_SECOND_LATER,
        revision=1_795_339_800_251,
        title="Senior Datenbank-Entwickler:in (m/w/d)",
        description="PostgreSQL & Kafka.\n„Remote“ möglich.",
        skills=("PostgreSQL", "C++", "R&D"),
        status=Status.OPEN,
        location=Location(country="DE", city="Köln", lat=50.9375, lon=6.9603),
        workplace=Workplace.HYBRID,
        languages=(Language(code="de", level=Cefr.B2), Language(code="en")),
        seniority=Seniority.SENIOR,
        employment_types=(EmploymentType.FULL_TIME, EmploymentType.PART_TIME),
        salary=Salary(min=62_000, max=78_000.5, currency="EUR", period=Period.YEAR),
        expires_at=datetime(2026, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=1))),
    ),
    "vacancy_with_matching": Vacancy(
        id="v-3",
        occurred_at=HALF_PAST_NINE,
        title="Nurse",
        employer="St. Mary's Hospital",
        matching=Matching(top_k=1000, min_confidence=0.25),
    ),
    "candidate_minimal": Candidate(id="c-1", occurred_at=HALF_PAST_NINE, titles=("Data engineer",)),
    "candidate_full": Candidate(
        id="c-2",
        occurred_at=A_QUARTER_SECOND_LATER,
        revision=7,
        titles=("Lead developer", "Architecte logiciel"),
        summary="Fifteen years of Java 🚀",
        skills=("Java", "Kafka"),
        experience_years=15.5,
        status=Status.CLOSED,
        location=Location(country="FR", city="Saint-Étienne", lat=45.4397, lon=4.3872),
        radius_km=40.5,
        relocate=True,
        workplaces=(Workplace.REMOTE, Workplace.HYBRID),
        work_countries=("FR", "DE"),
        languages=(Language(code="fr", level=Cefr.C2),),
        seniority=Seniority.LEAD,
        employment_types=(EmploymentType.CONTRACT,),
        salary=Salary(min=450, currency="CHF", period=Period.DAY),
        available_from=datetime(2027, 1, 1, tzinfo=UTC),
    ),
    "candidate_with_matching": Candidate(
        id="c-3", occurred_at=HALF_PAST_NINE, titles=("Nurse",), matching=Matching(top_k=1)
    ),
    "match_minimal": Match(
        id="5f3c1e0a-8f0e-5b0e-9d9e-0a8f2b6f7c11",
        occurred_at=HALF_PAST_NINE,
        vacancy_id="v-1",
        vacancy_revision=0,
        candidate_id="c-1",
        candidate_revision=1,
        model_version="m",
        score=0,
        confidence=1,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(vacancy_certainty=0, candidate_certainty=1),
    ),
    "match_full": Match(
        id="5f3c1e0a-8f0e-5b0e-9d9e-0a8f2b6f7c12",
        occurred_at=A_QUARTER_SECOND_LATER,
        vacancy_id="acme/v-2 ✓",
        vacancy_revision=1_795_339_800_251,
        candidate_id="c-2",
        candidate_revision=2**53,
        model_version="9f2c41d07b3e",
        score=0.4375,
        confidence=0.8125,
        found_by=Side.CANDIDATE,
        rank=10,
        reasons=Reasons(
            shared_skills=("PostgreSQL",),
            missing_skills=("C++",),
            features=("databases",),
            vacancy_certainty=0.5,
            candidate_certainty=0.75,
        ),
    ),
    "match_with_soft_rules": Match(
        id="5f3c1e0a-8f0e-5b0e-9d9e-0a8f2b6f7c13",
        occurred_at=HALF_PAST_NINE,
        vacancy_id="v-1",
        vacancy_revision=0,
        candidate_id="c-1",
        candidate_revision=1,
        model_version="m",
        score=0.5,
        confidence=0.5,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(soft_rules=("permit", "salary"), vacancy_certainty=0, candidate_certainty=1),
    ),
    "match_with_duplicates": Match(
        id="5f3c1e0a-8f0e-5b0e-9d9e-0a8f2b6f7c15",
        occurred_at=HALF_PAST_NINE,
        vacancy_id="v-1",
        vacancy_revision=0,
        candidate_id="c-1",
        candidate_revision=1,
        model_version="m",
        score=0.5,
        confidence=0.5,
        found_by=Side.CANDIDATE,
        rank=1,
        reasons=Reasons(vacancy_certainty=0, candidate_certainty=1),
        duplicate_key="1f0e188c90f22833",
        duplicates=("agency-7", "v-1 again"),
    ),
    "match_with_occupations": Match(
        id="5f3c1e0a-8f0e-5b0e-9d9e-0a8f2b6f7c14",
        occurred_at=HALF_PAST_NINE,
        vacancy_id="v-1",
        vacancy_revision=0,
        candidate_id="c-1",
        candidate_revision=1,
        model_version="m",
        score=0.5,
        confidence=0.5,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(
            vacancy_occupation=NearestOccupation(id="15-1252.00", label="Software developers", score=0.75),
            candidate_occupation=NearestOccupation(id="o-1", label="Köche", score=0.25, unfamiliar=True),
            vacancy_certainty=0,
            candidate_certainty=1,
        ),
    ),
    "matches_withdrawn_minimal": MatchesWithdrawn(
        side=Side.CANDIDATE,
        entity_id="c-1",
        revision=0,
        reason=WithdrawalReason.ERASED,
        occurred_at=HALF_PAST_NINE,
    ),
    "matches_withdrawn_full": MatchesWithdrawn(
        side=Side.VACANCY,
        entity_id="acme/v-2 ✓",
        revision=1_795_339_800_252,
        reason=WithdrawalReason.SUPERSEDED,
        occurred_at=A_QUARTER_SECOND_LATER,
    ),
    "matches_withdrawn_with_counterparts": MatchesWithdrawn(
        side=Side.VACANCY,
        entity_id="acme/v-2 ✓",
        revision=1_795_339_800_252,
        reason=WithdrawalReason.EXCLUDED,
        occurred_at=A_QUARTER_SECOND_LATER,
        counterparts={"c-1": 0, "c-2": 2**53},
    ),
    "matches_withdrawn_with_model": MatchesWithdrawn(
        side=Side.VACANCY,
        entity_id="v-1",
        revision=0,
        reason=WithdrawalReason.EXCLUDED,
        occurred_at=HALF_PAST_NINE,
        counterparts={"c-1": 1},
        model_version="9f2c41d07b3e",
    ),
    "matches_withdrawn_with_verdict": MatchesWithdrawn(
        side=Side.VACANCY,
        entity_id="v-1",
        revision=1_795_339_800_252,
        reason=WithdrawalReason.TURNED_DOWN,
        occurred_at=HALF_PAST_NINE,
        counterparts={"c-1": 1_795_339_800_252},
    ),
    "rollout_minimal": Rollout(
        occurred_at=HALF_PAST_NINE, revision=0, live=Deployment(model_version="m", generation=0)
    ),
    "rollout_full": Rollout(
        occurred_at=A_QUARTER_SECOND_LATER,
        revision=1_795_339_800_250,
        live=Deployment(model_version="9f2c41d07b3e", generation=0),
        next=Deployment(model_version="9f2c41d07b3e", generation=3),
        standby=Deployment(model_version="53fb2cb577ce", generation=2),
        leaving=Deployment(model_version="m", generation=1),
        generations=4,
    ),
    "feedback_minimal": Feedback(
        id="f-1",
        occurred_at=HALF_PAST_NINE,
        vacancy_id="v-1",
        candidate_id="c-1",
        verdict=Verdict.VIEWED,
        actor=Side.CANDIDATE,
    ),
    "feedback_full": Feedback(
        id="f-2",
        occurred_at=A_QUARTER_SECOND_LATER,
        vacancy_id="acme/v-2 ✓",
        candidate_id="c-2",
        verdict=Verdict.HIRED,
        actor=Side.VACANCY,
        actor_id="recruiter-7",
        match_id="5f3c1e0a-8f0e-5b0e-9d9e-0a8f2b6f7c12",
        rank=3,
    ),
    "feedback_with_reason": Feedback(
        id="f-3",
        occurred_at=HALF_PAST_NINE,
        vacancy_id="v-1",
        candidate_id="c-1",
        verdict=Verdict.REJECTED,
        actor=Side.VACANCY,
        reason=VerdictReason.FILLED,
    ),
    "exclusion_rule_minimal": ExclusionRule(
        id="r-1",
        occurred_at=HALF_PAST_NINE,
        anchors=(Anchor(text="Nurse", min_similarity=0.5), Anchor(entity_id="c-1", min_similarity=1)),
    ),
    "exclusion_rule_full": ExclusionRule(
        id="r-2",
        occurred_at=A_QUARTER_SECOND_LATER,
        revision=1_795_339_800_250,
        anchors=(
            Anchor(text="Pilot", min_similarity=0.25),
            Anchor(entity_id="acme/v-2 ✓", min_similarity=0.75),
        ),
        author="ops@acme",
        note="Not these two.",
    ),
    "occupation_minimal": Occupation(id="o-1", occurred_at=HALF_PAST_NINE, label="Software developers"),
    "occupation_full": Occupation(
        id="15-1252.00",
        occurred_at=A_QUARTER_SECOND_LATER,
        revision=1_795_339_800_250,
        label="Software developers",
        alternative_labels=("Programmer", "Développeuse"),
    ),
}

HEADERS = {
    "dead_letter_headers_minimal": DeadLetterHeaders(
        topic="vacancies",
        partition=0,
        offset=0,
        stage=Stage.RECEIVE,
        exception="Unacceptable",
        message="",
    ),
    "dead_letter_headers_full": DeadLetterHeaders(
        topic="candidates",
        partition=3,
        offset=2**53 + 1,
        stage=Stage.PUBLISH,
        exception="PublishFailed",
        message="NotLeaderForPartitionError: Köln 🚀",
        attempts=12,
    ),
    "dead_letter_headers_with_timestamp": DeadLetterHeaders(
        topic="vacancies",
        partition=0,
        offset=7,
        stage=Stage.MATCH,
        exception="ValueError",
        message="no",
        timestamp_ms=1_795_339_800_250,
    ),
}


def golden(name: str) -> bytes:
    return GOLDEN[name].read_bytes()


def test_every_golden_file_has_its_expected_event():
    assert GOLDEN.keys() == {*EVENTS, *HEADERS}


@pytest.mark.parametrize("name", [*EVENTS, *HEADERS])
def test_a_golden_file_lies_in_the_folder_of_its_topic(name):
    [topic] = [topic for topic in TOPICS if type((EVENTS | HEADERS)[name]) in topic.contracts]
    assert GOLDEN[name].parent.name == topic.name


@pytest.mark.parametrize("name", EVENTS)
def test_a_golden_file_parses_to_the_expected_event(name):
    assert type(EVENTS[name]).model_validate_json(golden(name), strict=True) == EVENTS[name]


@pytest.mark.parametrize("name", EVENTS)
def test_a_parsed_golden_file_serialises_to_the_same_json(name):
    event = type(EVENTS[name]).model_validate_json(golden(name), strict=True)
    assert json.loads(event.model_dump_json(exclude_unset=True)) == json.loads(golden(name))


@pytest.mark.parametrize("name", EVENTS)
def test_a_published_event_reads_back_equal(name):
    published = EVENTS[name].model_dump_json()
    assert type(EVENTS[name]).model_validate_json(published, strict=True) == EVENTS[name]


@pytest.mark.parametrize("contract", sorted({type(event) for event in EVENTS.values()}, key=str))
def test_the_golden_files_of_a_contract_set_every_field(contract):
    names = [name for name, event in EVENTS.items() if type(event) is contract]
    assert set().union(*(json.loads(golden(name)) for name in names)) == set(contract.model_fields)


@pytest.mark.parametrize("name", [name for name in EVENTS if name.endswith("_minimal")])
def test_a_minimal_golden_file_sets_required_fields_only(name):
    required = {field for field, info in type(EVENTS[name]).model_fields.items() if info.is_required()}
    assert set(json.loads(golden(name))) == required


@pytest.mark.parametrize("name", HEADERS)
def test_dead_letter_headers_are_the_golden_bytes(name):
    expected = {key: value.encode() for key, value in json.loads(golden(name)).items()}
    assert dict(HEADERS[name].records()) == expected


@pytest.mark.parametrize("name", HEADERS)
def test_golden_dead_letter_headers_read_back_equal(name):
    headers = [(key, value.encode()) for key, value in json.loads(golden(name)).items()]
    assert DeadLetterHeaders.read([*headers, ("added_in_v9", b"\xff")]) == HEADERS[name]


@pytest.mark.parametrize("headers", [[], [("__connect.errors.topic", b"vacancies")]])
def test_headers_of_another_program_are_refused(headers):
    with pytest.raises(ValueError, match="Field required"):
        DeadLetterHeaders.read(headers)


@pytest.mark.parametrize("name", EVENTS)
def test_unknown_fields_are_ignored(name):
    raw = json.loads(golden(name)) | {"added_in_v9": {"nested": [1]}}
    assert type(EVENTS[name]).model_validate_json(json.dumps(raw), strict=True) == EVENTS[name]


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_frozen(name):
    event = EVENTS[name]
    with pytest.raises(ValueError, match="frozen"):
        event.occurred_at = HALF_PAST_NINE

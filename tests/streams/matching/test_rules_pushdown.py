"""Conditions that are pushed down into the index never drop a pair that `compatible` accepts."""

from math import atan2, cos, hypot, radians, sin
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.common import Salary
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.matching.hard_rules import (
    HardRule,
    Mode,
    RuleBook,
    broken_rules,
    city_key,
    compatible,
    distance_km,
)
from rolecall.streams.matching.pushdown import (
    REACHES_KM,
    candidate_fields,
    vacancy_fields,
    wanted_candidates,
    wanted_vacancies,
)
from tests.streams.conditions import holds, values_of
from tests.streams.terms import ALL_HARD, MIXED, NOW, SOME_RATES, a_candidate, a_vacancy, at

RATE_TABLES: tuple[dict[str, float], ...] = ({}, SOME_RATES, {"USD": 1.0, "EUR": 1.11, "CHF": 1.2})

dice = st.randoms(use_true_random=False)
vacancies = dice.map(a_vacancy)
candidates = dice.map(a_candidate)
modes = st.dictionaries(st.sampled_from(HardRule), st.sampled_from(Mode))
books = st.builds(RuleBook, modes, st.sampled_from(RATE_TABLES))
strict_books = st.builds(RuleBook, rates=st.sampled_from(RATE_TABLES))
coordinates = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
northern = st.tuples(st.floats(47, 55), st.floats(5, 15))


def arc_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The angle between two vectors from the centre of the Earth: no haversine."""
    (x, y, z), (u, v, w) = ((cos(t) * cos(g), cos(t) * sin(g), sin(t)) for t, g in map(radian, (a, b)))
    cross = hypot(y * w - z * v, z * u - x * w, x * v - y * u)
    return 6371.0088 * atan2(cross, x * u + y * v + z * w)


def radian(place: tuple[float, float]) -> tuple[float, float]:
    return radians(place[0]), radians(place[1])


def pushed_down(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook = ALL_HARD
) -> tuple[bool, bool]:
    """For each side, whether its search returns the other."""
    return (
        holds(wanted_candidates(vacancy, NOW, book), candidate_fields(candidate, book)),
        holds(wanted_vacancies(candidate, NOW, book), vacancy_fields(vacancy, book)),
    )


@given(vacancies, candidates, books)
def test_a_pair_is_compatible_unless_it_breaks_a_hard_rule(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook
) -> None:
    broken = broken_rules(vacancy, candidate, NOW, RuleBook(rates=book.rates))
    hard = [rule for rule in broken if book.modes.get(rule, Mode.HARD) is Mode.HARD]
    assert compatible(vacancy, candidate, NOW, book) == (not hard)


@given(vacancies, candidates, books)
def test_rules_that_are_off_are_never_broken(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook
) -> None:
    every = broken_rules(vacancy, candidate, NOW, RuleBook(rates=book.rates))
    assert broken_rules(vacancy, candidate, NOW, book) == tuple(
        rule for rule in every if book.modes.get(rule) is not Mode.OFF
    )


@settings(max_examples=1000)
@given(vacancies, candidates, books)
def test_no_compatible_pair_is_dropped(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook
) -> None:
    if compatible(vacancy, candidate, NOW, book):
        assert pushed_down(vacancy, candidate, book) == (True, True)


@pytest.mark.parametrize("book", [*(RuleBook(rates=rates) for rates in RATE_TABLES), MIXED])
def test_no_compatible_pair_is_dropped_among_many(book: RuleBook) -> None:
    random = Random(7)
    seekers = [a_candidate(random) for _ in range(150)]
    for vacancy in (a_vacancy(random) for _ in range(150)):
        for candidate in seekers:
            if compatible(vacancy, candidate, NOW, book):
                assert pushed_down(vacancy, candidate, book) == (True, True)


@settings(max_examples=500)
@given(vacancies, candidates, books)
def test_without_distances_the_conditions_are_exact(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook
) -> None:
    candidate = candidate.model_copy(update={"radius_km": None})
    verdict = compatible(vacancy, candidate, NOW, book)
    assert pushed_down(vacancy, candidate, book) == (verdict, verdict)


@given(vacancies, candidates, modes)
def test_what_was_stored_under_other_modes_serves_these(
    vacancy: VacancyTerms, candidate: CandidateTerms, modes: dict[HardRule, Mode]
) -> None:
    book = RuleBook(modes, SOME_RATES)
    assert vacancy_fields(vacancy, book) == vacancy_fields(vacancy, ALL_HARD)
    assert candidate_fields(candidate, book) == candidate_fields(candidate, ALL_HARD)


def test_pay_stored_under_other_rates_drops_no_compatible_pair() -> None:
    vacancy = VacancyTerms(salary=Salary(max=49_000, currency="USD"))
    candidate = CandidateTerms(salary=Salary(min=60_000, currency="EUR"))
    old, new = RuleBook(rates={"USD": 1.0, "EUR": 1.1}), RuleBook(rates={"USD": 1.0, "EUR": 0.8})
    assert compatible(vacancy, candidate, NOW, new)
    assert holds(wanted_candidates(vacancy, NOW, new), candidate_fields(candidate, old))
    assert holds(wanted_vacancies(candidate, NOW, new), vacancy_fields(vacancy, old))


@settings(max_examples=1000)
@given(coordinates, coordinates)
def test_a_radius_that_just_reaches_is_enough(job: tuple[float, float], home: tuple[float, float]) -> None:
    vacancy = VacancyTerms(location=at(job))
    candidate = CandidateTerms(location=at(home), radius_km=min(distance_km(job, home), 20_040))
    assert compatible(vacancy, candidate, NOW)
    assert pushed_down(vacancy, candidate) == (True, True)


@given(coordinates, coordinates)
def test_distance_is_the_arc_between_two_places(a: tuple[float, float], b: tuple[float, float]) -> None:
    # For opposite points, the haversine is exact to half the digits of a float only.
    assert distance_km(a, b) == pytest.approx(arc_km(a, b), rel=1e-9, abs=1e-3)


@settings(max_examples=500)
@given(northern, northern, st.floats(0, 1000))
def test_what_a_northern_circle_lets_through_too_much_is_little(
    job: tuple[float, float], home: tuple[float, float], radius_km: float
) -> None:
    vacancy = VacancyTerms(location=at(job, city="Berlin"))
    candidate = CandidateTerms(location=at(home, city="Berlin"), radius_km=radius_km)
    by_vacancy, by_candidate = pushed_down(vacancy, candidate)
    rounded_up_km = next(reach for reach in REACHES_KM if radius_km <= reach)
    assert by_candidate == (distance_km(job, home) <= radius_km + 0.1)
    assert by_vacancy == (distance_km(job, home) <= rounded_up_km + 0.1)


@settings(max_examples=500)
@given(vacancies, candidates, strict_books)
def test_only_distances_let_through_too_much(
    vacancy: VacancyTerms, candidate: CandidateTerms, book: RuleBook
) -> None:
    broken = broken_rules(vacancy, candidate, NOW, book)
    if any(pushed_down(vacancy, candidate, book)) and broken:
        assert broken == (HardRule.PLACE,)
        assert candidate.radius_km is not None
        assert vacancy.location
        assert vacancy.location.point


@given(st.text(max_size=20))
def test_a_city_key_is_its_own_key(city: str) -> None:
    assert city_key(city_key(city)) == city_key(city)


@given(vacancies, candidates)
def test_fields_are_plain_json_values(vacancy: VacancyTerms, candidate: CandidateTerms) -> None:
    for payload in (vacancy_fields(vacancy), candidate_fields(candidate)):
        values = [value for field in payload if field != "coordinates" for value in values_of(payload, field)]
        assert {type(value) for value in values} <= {str, float}

"""What is pushed down into the index never drops a pair that `compatible` accepts: in theory, and on both
engines."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from math import atan2, cos, hypot, radians, sin
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import AsyncQdrantClient

from schemas.candidate import CandidateTerms
from schemas.common import Cefr, EmploymentType, Language, Location, Period, Salary, Seniority, Workplace
from schemas.match import Side
from schemas.vacancy import VacancyTerms
from streams.index import (
    All,
    AnyOf,
    AtLeast,
    AtMost,
    Condition,
    Either,
    Index,
    Near,
    Not,
    Payload,
    Point,
    Query,
    Within,
)
from streams.pushdown import (
    REACHES_KM,
    candidate_fields,
    vacancy_fields,
    wanted_candidates,
    wanted_vacancies,
)
from streams.qdrant_edge import QdrantEdge
from streams.qdrant_edge_process import start_edge
from streams.qdrant_server import QdrantServer
from streams.rules import Mode, Rule, RuleBook, broken_rules, city_key, compatible, distance_km

Item = TypeVar("Item")

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SOME_RATES = {"EUR": 1.0, "USD": 0.90, "JPY": 0.0061}
RATE_TABLES: tuple[dict[str, float], ...] = ({}, SOME_RATES, {"USD": 1.0, "EUR": 1.11, "CHF": 1.2})
ALL_HARD = RuleBook(rates=SOME_RATES)
MIXED = RuleBook(
    {
        Rule.EXPIRY: Mode.SOFT,
        Rule.PLACE: Mode.SOFT,
        Rule.SALARY: Mode.SOFT,
        Rule.SENIORITY: Mode.OFF,
        Rule.WORKPLACE: Mode.OFF,
    },
    SOME_RATES,
)

# Cities, both poles, both sides of the date line, and the far south.
BASES = (
    (52.52, 13.40),
    (47.56, 7.59),
    (-36.85, 174.76),
    (-18.14, 178.44),
    (-54.80, -68.30),
    (0.0, -180.0),
    (0.0, 180.0),
    (90.0, 30.0),
    (-90.0, -150.0),
)
EXPIRIES = (NOW - timedelta(seconds=1), NOW + timedelta(microseconds=1), NOW + timedelta(days=30))
RADII_KM = (0.0, 5.0, 10.0, 25.0, 30.0, 75.0, 250.0, 480.0, 1000.0, 4000.0, 20_040.0)


def a_place(random: Random) -> tuple[float, float]:
    lat, lon = random.choice((BASES[0], random.choice(BASES)))
    spread = random.choice((0.0, 0.0, 0.1, 0.5, 3.0))
    return min(90.0, max(-90.0, lat + random.uniform(-spread, spread))), east(
        lon + random.uniform(-spread, spread)
    )


def east(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def a_location(random: Random) -> Location | None:
    if random.random() < 0.1:
        return None
    lat, lon = a_place(random) if random.random() < 0.7 else (None, None)
    return Location(
        country=random.choice((None, "DE", "DE", "DE", "AT")),
        city=random.choice((None, "Berlin", "BERLIN ", "Łódź", "lodz", "-")),
        lat=lat,
        lon=lon,
    )


def a_salary(random: Random) -> Salary | None:
    if random.random() < 0.4:
        return None
    low, high = sorted(random.choices((0.0, 1_500.0, 4_166.1, 49_993.2, 60_000.0, 7e6, 1e15), k=2))
    ends = random.choice(({"min": low}, {"max": high}, {"min": low, "max": high}))
    currency = random.choice(("EUR", "EUR", "EUR", "USD", "JPY", "CHF"))
    return Salary(**ends, currency=currency, period=random.choice(list(Period)))


def some_languages(random: Random) -> tuple[Language, ...]:
    listed = random.choice((0, 0, 1, 2, 3))
    return tuple(
        Language(code=random.choice(("de", "en", "fr")), level=random.choice((None, *Cefr)))
        for _ in range(listed)
    )


def some(random: Random, items: list[Item]) -> tuple[Item, ...]:
    return tuple(random.sample(items, random.randrange(len(items) + 1)))


def a_vacancy(random: Random) -> VacancyTerms:
    return VacancyTerms(
        location=a_location(random),
        workplace=random.choice((None, *Workplace)),
        languages=some_languages(random),
        seniority=random.choice((None, *Seniority)),
        employment_types=some(random, list(EmploymentType)),
        salary=a_salary(random),
        expires_at=random.choice((None, None, *EXPIRIES)),
    )


def a_candidate(random: Random) -> CandidateTerms:
    return CandidateTerms(
        location=a_location(random),
        radius_km=random.choice((None, *RADII_KM)),
        relocate=random.random() < 0.15,
        workplaces=some(random, list(Workplace)),
        work_countries=random.choice(((), ("DE",), ("DE", "AT"), ("US",))),
        languages=some_languages(random),
        seniority=random.choice((None, *Seniority)),
        employment_types=some(random, list(EmploymentType)),
        salary=a_salary(random),
    )


dice = st.randoms(use_true_random=False)
vacancies = dice.map(a_vacancy)
candidates = dice.map(a_candidate)
modes = st.dictionaries(st.sampled_from(Rule), st.sampled_from(Mode))
books = st.builds(RuleBook, modes, st.sampled_from(RATE_TABLES))
strict_books = st.builds(RuleBook, rates=st.sampled_from(RATE_TABLES))
coordinates = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
northern = st.tuples(st.floats(47, 55), st.floats(5, 15))


def holds(condition: Condition, payload: Mapping[str, Any]) -> bool:
    match condition:
        case AnyOf(field, values):
            return any(value in values for value in values_of(payload, field))
        case Within(field, values):
            return all(value in values for value in values_of(payload, field))
        case AtLeast(field, value):
            return any(stored >= value for stored in values_of(payload, field))
        case AtMost(field, value):
            return any(stored <= value for stored in values_of(payload, field))
        case Near(field, lat, lon, km):
            return any(arc_km((lat, lon), (at["lat"], at["lon"])) <= km for at in values_of(payload, field))
        case All(conditions):
            return all(holds(each, payload) for each in conditions)
        case Either(conditions):
            return any(holds(each, payload) for each in conditions)
        case Not(negated):
            return not holds(negated, payload)


def values_of(payload: Mapping[str, Any], field: str) -> list[Any]:
    value = payload.get(field, [])
    return value if isinstance(value, list) else [value]


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
    """Whether each side's search lets the other through."""
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
    vacancy: VacancyTerms, candidate: CandidateTerms, modes: dict[Rule, Mode]
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
    # Opposite each other, the haversine has half the digits of a float.
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
        assert broken == (Rule.PLACE,)
        assert candidate.radius_km is not None
        assert vacancy.location
        assert vacancy.location.point


@given(st.text(max_size=20))
def test_a_city_key_is_its_own_key(city: str) -> None:
    assert city_key(city_key(city)) == city_key(city)


@given(vacancies, candidates)
def test_fields_are_plain_json_values(vacancy: VacancyTerms, candidate: CandidateTerms) -> None:
    for payload in (vacancy_fields(vacancy), candidate_fields(candidate)):
        values = [value for field in payload if field != "place" for value in values_of(payload, field)]
        assert {type(value) for value in values} <= {str, float}


def at(place: tuple[float, float], city: str | None = None) -> Location:
    return Location(lat=place[0], lon=place[1], city=city)


# On the engines


@dataclass
class Market:
    index: Index
    vacancies: list[VacancyTerms]
    candidates: list[CandidateTerms]
    book: RuleBook = ALL_HARD

    async def publish(self) -> None:
        await self.index.prepare()
        await self.index.upsert(Side.VACANCY, points([vacancy_fields(v, self.book) for v in self.vacancies]))
        await self.index.upsert(
            Side.CANDIDATE, points([candidate_fields(c, self.book) for c in self.candidates])
        )

    async def candidates_for(self, vacancies: list[VacancyTerms]) -> list[list[CandidateTerms]]:
        asked = [wanted_candidates(vacancy, NOW, self.book) for vacancy in vacancies]
        return [[self.candidates[row] for row in rows] for rows in await self._ask(Side.CANDIDATE, asked)]

    async def vacancies_for(self, candidates: list[CandidateTerms]) -> list[list[VacancyTerms]]:
        asked = [wanted_vacancies(candidate, NOW, self.book) for candidate in candidates]
        return [[self.vacancies[row] for row in rows] for rows in await self._ask(Side.VACANCY, asked)]

    async def _ask(self, side: Side, asked: list[Condition]) -> list[list[int]]:
        found = await self.index.search(side, [Query(UP, condition, 5_000) for condition in asked])
        return [sorted(int(hit.id) for hit in hits) for hits in found]


VERSIONS = count()
UP = np.array([1, 0], np.float32)


def points(payloads: list[Payload]) -> list[Point]:
    return [Point(str(row), 1, UP, payload) for row, payload in enumerate(payloads)]


@pytest.fixture(scope="module")
def edge_socket() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        socket = Path(folder, "socket")
        with start_edge(Path(folder, "data"), socket):
            yield socket


@pytest.fixture(params=["edge", "server"])
async def index(request: pytest.FixtureRequest) -> AsyncIterator[Index]:
    made: Index
    if request.param == "edge":
        made = QdrantEdge(request.getfixturevalue("edge_socket"), f"v{next(VERSIONS)}", dims=2)
    else:
        made = QdrantServer(AsyncQdrantClient(":memory:"), "v1", dims=2)
    yield made
    await made.close()


# Local mode scans in Python.
SIZES = {QdrantEdge: (2_000, 60), QdrantServer: (500, 30)}
engines = pytest.mark.filterwarnings("ignore:(Payload indexes have no effect in the l|L)ocal:UserWarning")


@cache
def some_terms(each: int) -> tuple[list[VacancyTerms], list[CandidateTerms]]:
    random = Random(11)
    return [a_vacancy(random) for _ in range(each)], [a_candidate(random) for _ in range(each)]


@pytest.fixture
async def market(index: Index) -> Market:
    made = Market(index, *some_terms(SIZES[type(index)][0]))
    await made.publish()
    return made


some_modes = pytest.mark.parametrize("book", [ALL_HARD, MIXED], ids=["all hard", "mixed"])


@engines
@some_modes
async def test_search_and_recheck_find_every_compatible_candidate(market: Market, book: RuleBook) -> None:
    market.book = book
    asked = market.vacancies[: SIZES[type(market.index)][1]]
    found = await market.candidates_for(asked)
    for vacancy, hits in zip(asked, found, strict=True):
        right = [c for c in market.candidates if compatible(vacancy, c, NOW, market.book)]
        assert [c for c in hits if compatible(vacancy, c, NOW, market.book)] == right


@engines
@some_modes
async def test_search_and_recheck_find_every_compatible_vacancy(market: Market, book: RuleBook) -> None:
    market.book = book
    asked = market.candidates[: SIZES[type(market.index)][1]]
    found = await market.vacancies_for(asked)
    for candidate, hits in zip(asked, found, strict=True):
        right = [v for v in market.vacancies if compatible(v, candidate, NOW, market.book)]
        assert [v for v in hits if compatible(v, candidate, NOW, market.book)] == right


@engines
async def test_most_of_what_the_engine_lets_through_is_compatible(market: Market) -> None:
    found = await market.candidates_for(market.vacancies[:40])
    right = sum(
        compatible(vacancy, hit, NOW, market.book)
        for vacancy, hits in zip(market.vacancies, found, strict=False)
        for hit in hits
    )
    assert right > 0.9 * sum(map(len, found)) > 0


# Found by trial on qdrant-edge 0.9.0: what its geo index forgets without the margins of `rules`.
RIMS = [
    ((-49.58143442743818, 148.77300593432398), 230.48256795044946, (-50.680137973354206, 146.1436401137517)),
    ((-36.676932777477276, 142.1274716545537), 480.13665316804304, (-39.44607881121145, 146.25259800490403)),
    ((-36.98974927500571, -177.7193640590889), 1000.0, (-45.03615646100857, -174.85399565864242)),
    ((89.96403038881140, 119.27477369842649), 100.0, (90.0, 126.81969843814295)),
    ((90.0, 0.0), 0.0, (90.0, 120.0)),
]


@engines
@pytest.mark.parametrize(("home", "radius_km", "job"), RIMS)
async def test_the_rim_of_a_circle_is_found(
    index: Index, home: tuple[float, float], radius_km: float, job: tuple[float, float]
) -> None:
    vacancy = VacancyTerms(location=at(job))
    candidate = CandidateTerms(location=at(home), radius_km=radius_km)
    assert compatible(vacancy, candidate, NOW)
    # With company elsewhere, the engine starts from the circle instead of trying it on each point.
    elsewhere = Location(lat=60, lon=10)
    jobs = [VacancyTerms(location=elsewhere)] * 200
    people = [CandidateTerms(location=elsewhere, radius_km=radius_km)] * 200
    market = Market(index, [vacancy, *jobs], [candidate, *people])
    await market.publish()
    [jobs] = await market.vacancies_for([candidate])
    [people] = await market.candidates_for([vacancy])
    assert vacancy in jobs
    assert candidate in people


@engines
async def test_an_expired_vacancy_wants_nobody(index: Index) -> None:
    market = Market(index, [], [CandidateTerms()])
    await market.publish()
    assert await market.candidates_for([VacancyTerms(expires_at=NOW)]) == [[]]
    assert await market.candidates_for([VacancyTerms()]) == [[CandidateTerms()]]

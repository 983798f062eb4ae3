from collections import Counter
from datetime import UTC, datetime

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import Status, Workplace
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.embedded.sample.jobs import JOBS
from rolecall.streams.embedded.sample.places import CITIES, COUNTRIES
from rolecall.streams.matching.hard_rules import compatible, distance_km

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VACANCIES, CANDIDATES = generate(1, 300, 300, NOW)
BOTH: list[Vacancy | Candidate] = [*VACANCIES, *CANDIDATES]


def job_of(title: str) -> int:
    """The job that the end of the title names."""
    (job,) = {n for n, job in enumerate(JOBS) for words in job.vacancy_titles if title.endswith(words)}
    return job


def test_the_same_seed_gives_the_same_sample() -> None:
    assert generate(1, 300, 300, NOW) == (VACANCIES, CANDIDATES)


def test_another_seed_gives_another_sample() -> None:
    vacancies, candidates = generate(2, 300, 300, NOW)
    assert {v.id for v in vacancies}.isdisjoint(v.id for v in VACANCIES)
    assert [c.titles for c in candidates] != [c.titles for c in CANDIDATES]


def test_ids_are_unique() -> None:
    assert len({each.id for each in BOTH}) == 600


def test_either_side_may_be_empty() -> None:
    assert generate(1, 0, 0, NOW) == ([], [])
    assert len(generate(1, 0, 5, NOW)[1]) == 5


def test_nothing_was_published_in_the_future() -> None:
    assert max(each.occurred_at for each in BOTH) < NOW


def test_some_records_are_sparse_expired_or_closed() -> None:
    assert 20 < sum(not v.description for v in VACANCIES) < 60
    assert any(v.expires_at and v.expires_at < NOW for v in VACANCIES)
    assert any(v.status is Status.CLOSED for v in VACANCIES)


def test_every_kind_of_workplace_and_many_countries_occur() -> None:
    assert {v.workplace for v in VACANCIES} == {None, *Workplace}
    assert len({v.location.country for v in VACANCIES if v.location}) > 15


def test_the_two_sides_of_a_job_use_other_words() -> None:
    for job in JOBS:
        vacancy = {title.casefold() for title in job.vacancy_titles}
        assert vacancy.isdisjoint(title.casefold() for title in job.candidate_titles)


def test_no_title_belongs_to_two_jobs() -> None:
    counts = Counter(title.casefold() for job in JOBS for title in job.vacancy_titles + job.candidate_titles)
    assert [title for title, count in counts.items() if count > 1] == []


def test_most_vacancies_have_a_compatible_candidate_of_the_same_job() -> None:
    jobs = [(c, {n for n, job in enumerate(JOBS) if c.titles[0] in job.candidate_titles}) for c in CANDIDATES]
    matched = [
        v for v in VACANCIES if any(job_of(v.title) in fits and compatible(v, c, NOW) for c, fits in jobs)
    ]
    assert len(matched) > 180


def test_every_city_lies_in_a_known_country_and_near_its_neighbours() -> None:
    assert {city.country for city in CITIES} == set(COUNTRIES)
    for a in CITIES:
        for b in CITIES:
            assert a.country != b.country or distance_km((a.lat, a.lon), (b.lat, b.lon)) < 4500

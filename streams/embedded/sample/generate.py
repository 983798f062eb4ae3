"""A seeded sample of vacancies and candidates for the demo and the tests. It is made so that many match."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import (
    Cefr,
    EmploymentType,
    Language,
    Location,
    Period,
    Salary,
    Seniority,
    Status,
    Workplace,
    milliseconds,
)
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.sample.jobs import JOBS, Job
from rolecall.streams.embedded.sample.places import CITIES, COUNTRIES, EUROPEAN_UNION, City

_PREFIXES = {
    Seniority.INTERN: "Trainee ",
    Seniority.JUNIOR: "Junior ",
    Seniority.MID: "",
    Seniority.SENIOR: "Senior ",
    Seniority.LEAD: "Lead ",
}
_PAY = {
    Seniority.INTERN: 0.45,
    Seniority.JUNIOR: 0.75,
    Seniority.MID: 1.0,
    Seniority.SENIOR: 1.3,
    Seniority.LEAD: 1.6,
}
_YEARS = {
    Seniority.INTERN: (0, 1),
    Seniority.JUNIOR: (1, 3),
    Seniority.MID: (3, 8),
    Seniority.SENIOR: (7, 16),
    Seniority.LEAD: (10, 25),
}
_OPENINGS = (
    "We are looking for someone with experience in {tasks}.",
    "Your days: {tasks}.",
    "What you will be doing: {tasks}. A small team will show you the ropes.",
    "To strengthen our site in {city} we need a colleague for {tasks}.",
)
_PROFILES = (
    "{years} of {tasks}.",
    "Experienced in {tasks}; {years} in the job.",
    "Used to {tasks}. Looking for a new position after {years}.",
    "I bring {years} in {tasks}, and enjoy working in a team.",
)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a vacancy and the candidates written for it have in common."""

    job: Job
    city: City
    seniority: Seniority


def generate(
    seed: int, vacancies: int, candidates: int, now: datetime
) -> tuple[list[Vacancy], list[Candidate]]:
    """The same arguments give the same sample. Two of three candidates are written to fit one of the
    vacancies, in other words than the vacancy's."""
    rng = random.Random(seed)
    scenes = [_scene(rng) for _ in range(max(vacancies, 1))]
    return (
        [_vacancy(rng, scenes[n], f"sample-{seed}-v{n:05}", now) for n in range(vacancies)],
        [_candidate(rng, _near(rng, scenes), f"sample-{seed}-c{n:05}", now) for n in range(candidates)],
    )


def places(rng: random.Random) -> Iterator[City]:
    """Endless. Cities of countries early in the list come more often."""
    while True:
        yield CITIES[min(rng.randrange(len(CITIES)), rng.randrange(len(CITIES)))]


def location(city: City) -> Location:
    return Location(country=city.country, city=city.name, lat=city.lat, lon=city.lon)


def languages_of(rng: random.Random, city: City) -> tuple[Language, ...]:
    """The local language, mostly at native level, and English at some level."""
    local = COUNTRIES[city.country].language
    spoken = [Language(code=local, level=rng.choice((Cefr.C2, Cefr.C2, Cefr.C2, Cefr.C1, Cefr.B2)))]
    if local != "en" and rng.random() < 0.8:
        spoken.append(Language(code="en", level=rng.choice((Cefr.B1, Cefr.B2, Cefr.C1, Cefr.C2))))
    if rng.random() < 0.2:
        other = rng.choice([code for code in ("de", "fr", "es", "pl", "tr", "uk", "ar") if code != local])
        spoken.append(Language(code=other, level=rng.choice(list(Cefr))))
    return tuple(spoken)


def experience_of(rng: random.Random, seniority: Seniority) -> float:
    low, high = _YEARS[seniority]
    return round(rng.uniform(low, high), 1)


def _scene(rng: random.Random) -> _Scene:
    levels = (Seniority.INTERN, Seniority.JUNIOR, Seniority.MID, Seniority.SENIOR, Seniority.LEAD)
    return _Scene(rng.choice(JOBS), next(places(rng)), rng.choices(levels, weights=(1, 4, 10, 6, 2))[0])


def _near(rng: random.Random, scenes: list[_Scene]) -> _Scene:
    if rng.random() > 0.67:
        return _scene(rng)
    scene = rng.choice(scenes)
    neighbours = [city for city in CITIES if city.country == scene.city.country]
    return replace(scene, city=rng.choice([scene.city, scene.city, *neighbours]))


def _vacancy(rng: random.Random, scene: _Scene, id: str, now: datetime) -> Vacancy:
    job, city = scene.job, scene.city
    title = _PREFIXES[scene.seniority] + rng.choice(job.vacancy_titles)
    published = now - timedelta(minutes=rng.randrange(1, 30 * 24 * 60))
    if rng.random() < 0.12:
        return Vacancy(id=id, occurred_at=published, revision=milliseconds(published), title=title)
    workplace = _workplace(rng, job)
    return Vacancy(
        id=id,
        occurred_at=published,
        revision=milliseconds(published),
        title=title,
        description=_text(rng, _OPENINGS, job, city, ""),
        skills=tuple(rng.sample(job.skills, rng.randint(2, 5))),
        location=location(city) if rng.random() < 0.9 else Location(country=city.country),
        workplace=workplace,
        languages=_required(rng, city, workplace),
        seniority=scene.seniority if rng.random() < 0.7 else None,
        employment_types=_employment(rng, scene.seniority),
        salary=_salary(rng, scene) if rng.random() < 0.6 else None,
        expires_at=now + timedelta(days=rng.randint(7, 60))
        if rng.random() > 0.04
        else now - timedelta(days=1),
        status=Status.OPEN if rng.random() > 0.02 else Status.CLOSED,
    )


def _candidate(rng: random.Random, scene: _Scene, id: str, now: datetime) -> Candidate:
    job, city = scene.job, scene.city
    titles = tuple(rng.sample(job.candidate_titles, rng.choice((1, 1, 2))))
    updated = now - timedelta(minutes=rng.randrange(1, 90 * 24 * 60))
    if rng.random() < 0.12:
        return Candidate(id=id, occurred_at=updated, revision=milliseconds(updated), titles=titles)
    years = experience_of(rng, scene.seniority)
    permits = EUROPEAN_UNION if city.country in EUROPEAN_UNION and rng.random() < 0.8 else (city.country,)
    return Candidate(
        id=id,
        occurred_at=updated,
        revision=milliseconds(updated),
        titles=titles,
        summary=_text(rng, _PROFILES, job, city, f"{math.floor(years)} years" if years >= 2 else "a year"),
        skills=tuple(rng.sample(job.skills, rng.randint(2, 6))),
        experience_years=years,
        location=location(city),
        radius_km=rng.choice((20, 40, 60, 100)) if rng.random() < 0.6 else None,
        relocate=rng.random() < 0.2,
        workplaces=(Workplace.REMOTE, Workplace.HYBRID) if job.at_desk and rng.random() < 0.3 else (),
        work_countries=permits if rng.random() < 0.8 else (),
        languages=languages_of(rng, city),
        seniority=scene.seniority if rng.random() < 0.7 else None,
        employment_types=_employment(rng, scene.seniority),
        salary=_wish(rng, scene) if rng.random() < 0.5 else None,
        available_from=now + timedelta(days=rng.choice((0, 14, 30, 90))) if rng.random() < 0.5 else None,
    )


def _text(rng: random.Random, forms: tuple[str, ...], job: Job, city: City, years: str) -> str:
    tasks = rng.sample(job.tasks, rng.randint(2, 3))
    listed = ", ".join(tasks[:-1]) + " and " + tasks[-1]
    text = rng.choice(forms).format(tasks=listed, city=city.name, years=years)
    return text[0].upper() + text[1:]


def _workplace(rng: random.Random, job: Job) -> Workplace:
    return rng.choice(list(Workplace)) if job.at_desk else Workplace.ONSITE


def _required(rng: random.Random, city: City, workplace: Workplace) -> tuple[Language, ...]:
    if rng.random() < 0.4:
        return ()
    local = COUNTRIES[city.country].language
    code = "en" if workplace is Workplace.REMOTE or rng.random() < 0.2 else local
    return (Language(code=code, level=rng.choice((Cefr.B1, Cefr.B2, Cefr.C1))),)


def _employment(rng: random.Random, seniority: Seniority) -> tuple[EmploymentType, ...]:
    if seniority is Seniority.INTERN:
        return (EmploymentType.INTERNSHIP,)
    choices: tuple[tuple[EmploymentType, ...], ...] = (
        (EmploymentType.FULL_TIME,),
        (EmploymentType.FULL_TIME, EmploymentType.PART_TIME),
        (EmploymentType.PART_TIME,),
        (EmploymentType.CONTRACT,),
        (EmploymentType.TEMPORARY, EmploymentType.FULL_TIME),
        (),
    )
    return rng.choices(choices, weights=(10, 4, 2, 1, 1, 3))[0]


def _salary(rng: random.Random, scene: _Scene) -> Salary:
    """Pay a year, a month or an hour."""
    country = COUNTRIES[scene.city.country]
    yearly = scene.job.pay * country.pay * _PAY[scene.seniority] * rng.uniform(0.9, 1.1)
    period = rng.choices((Period.YEAR, Period.MONTH, Period.HOUR), weights=(6, 3, 1))[0]
    low, high = yearly * 0.9 / period.per_year, yearly * 1.15 / period.per_year
    return Salary(min=_round(low), max=_round(high), currency=country.currency, period=period)


def _wish(rng: random.Random, scene: _Scene) -> Salary:
    country = COUNTRIES[scene.city.country]
    yearly = scene.job.pay * country.pay * _PAY[scene.seniority] * rng.uniform(0.75, 1.15)
    return Salary(min=_round(yearly), currency=country.currency)


def _round(amount: float) -> float:
    """Two significant digits."""
    return round(amount, 1 - math.floor(math.log10(amount)))

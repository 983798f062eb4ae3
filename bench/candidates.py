"""Candidates made from O*NET. Titles, technologies and tasks are real; the terms are invented.

python -m bench.candidates --onet DIR --count 10000 --seed 1 --out candidates.jsonl
"""

import argparse
import csv
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import EmploymentType, Salary, Seniority, Workplace, milliseconds
from rolecall.streams.embedded.sample.generate import experience_of, languages_of, location, places
from rolecall.streams.embedded.sample.places import COUNTRIES, EUROPEAN_UNION, City

_LEVELS = (Seniority.INTERN, Seniority.JUNIOR, Seniority.MID, Seniority.SENIOR, Seniority.LEAD)
_EMPLOYMENT: tuple[tuple[EmploymentType, ...], ...] = (
    (),
    (EmploymentType.FULL_TIME,),
    (EmploymentType.FULL_TIME, EmploymentType.PART_TIME),
    (EmploymentType.PART_TIME,),
    (EmploymentType.CONTRACT, EmploymentType.TEMPORARY),
)
_WORKPLACES: tuple[tuple[Workplace, ...], ...] = (
    (),
    (Workplace.REMOTE,),
    (Workplace.REMOTE, Workplace.HYBRID),
    (Workplace.HYBRID, Workplace.ONSITE),
)


def candidates(onet: Path, count: int, seed: int, now: datetime) -> Iterator[Candidate]:
    """The result depends only on the arguments and files. All occupations with a title are equally likely."""
    alternate = _column(onet / "Alternate Titles.txt", "Alternate Title")
    reported = _column(onet / "Sample of Reported Titles.txt", "Reported Job Title")
    technologies = _column(onet / "Technology Skills.txt", "Example")
    tasks = _column(onet / "Task Statements.txt", "Task")
    rng = random.Random(seed)
    codes, cities = sorted(alternate.keys() | reported.keys()), places(rng)
    for n in range(count):
        code = rng.choice(codes)
        yield _candidate(
            rng,
            f"onet-{seed}-{n:06}",
            titles=_some(rng, alternate.get(code, []) + reported.get(code, []), 3),
            skills=_some(rng, technologies.get(code, []), 8),
            tasks=_some(rng, tasks.get(code, []), 5),
            city=next(cities),
            now=now,
        )


def _column(path: Path, column: str) -> dict[str, list[str]]:
    """Distinct values of a column by O*NET-SOC code, in the order of the file."""
    values: defaultdict[str, dict[str, None]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            values[row["O*NET-SOC Code"]][row[column]] = None
    return {code: list(distinct) for code, distinct in values.items()}


def _some(rng: random.Random, values: list[str], most: int) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(values))
    return tuple(rng.sample(distinct, min(rng.randint(1, most), len(distinct))))


def _candidate(
    rng: random.Random,
    id: str,
    *,
    titles: tuple[str, ...],
    skills: tuple[str, ...],
    tasks: tuple[str, ...],
    city: City,
    now: datetime,
) -> Candidate:
    """One in ten has titles only."""
    updated = now - timedelta(seconds=rng.randrange(90 * 24 * 3600))
    if rng.random() < 0.1:
        return Candidate(id=id, occurred_at=updated, revision=milliseconds(updated), titles=titles)
    level = rng.choices(_LEVELS, weights=(1, 4, 8, 5, 2))[0]
    country = COUNTRIES[city.country]
    permits = EUROPEAN_UNION if city.country in EUROPEAN_UNION else (city.country,)
    wish = round(rng.uniform(28_000, 140_000) * country.pay, -2)
    return Candidate(
        id=id,
        occurred_at=updated,
        revision=milliseconds(updated),
        titles=titles,
        summary=" ".join(tasks),
        skills=skills,
        experience_years=experience_of(rng, level),
        location=location(city) if rng.random() < 0.9 else None,
        radius_km=rng.choice((20, 50, 100)) if rng.random() < 0.5 else None,
        relocate=rng.random() < 0.2,
        workplaces=rng.choices(_WORKPLACES, weights=(6, 1, 2, 1))[0],
        work_countries=permits if rng.random() < 0.7 else (),
        languages=languages_of(rng, city) if rng.random() < 0.8 else (),
        seniority=level if rng.random() < 0.6 else None,
        employment_types=rng.choices(_EMPLOYMENT, weights=(4, 8, 4, 1, 1))[0],
        salary=Salary(min=wish, currency=country.currency) if rng.random() < 0.4 else None,
        available_from=now + timedelta(days=rng.choice((0, 30, 90))) if rng.random() < 0.3 else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Candidates made from O*NET, as JSONL.")
    parser.add_argument("--onet", type=Path, required=True, help="folder with the O*NET text files")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="file to write; default: standard output")
    args = parser.parse_args()
    with args.out.open("w") if args.out else nullcontext(sys.stdout) as out:
        for candidate in candidates(args.onet, args.count, args.seed, datetime.now(UTC)):
            out.write(candidate.model_dump_json(exclude_defaults=True) + "\n")


if __name__ == "__main__":
    main()

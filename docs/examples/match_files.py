"""Match two JSONL files in Python, without a broker or an index server.

    python match_files.py jobs.jsonl people.jsonl

`rolecall match jobs.jsonl people.jsonl` does the same and reads more formats.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from rolecall import Candidate, Settings, Vacancy, match

Entity = TypeVar("Entity", Vacancy, Candidate)


def read(path: str, contract: type[Entity]) -> Iterator[Entity]:
    with Path(path).open() as file:
        for line in file:
            yield contract.model_validate_json(line)


def main(jobs: str, people: str) -> None:
    vacancies = {vacancy.id: vacancy for vacancy in read(jobs, Vacancy)}
    candidates = {candidate.id: candidate for candidate in read(people, Candidate)}
    settings = Settings(top_k=3, min_confidence=0.3)
    for each in match(vacancies.values(), candidates.values(), settings=settings):
        vacancy, candidate = vacancies[each.vacancy_id], candidates[each.candidate_id]
        skills = ", ".join(each.reasons.shared_skills)
        print(f"{each.confidence:.0%}  {vacancy.title} - {candidate.titles[0]}  ({skills})")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])

"""Jobs of the sample, in the words of vacancies and of candidates. The texts are in jobs.txt."""

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Job:
    vacancy_titles: tuple[str, ...]
    candidate_titles: tuple[str, ...]
    skills: tuple[str, ...]
    tasks: tuple[str, ...]  # each completes "experience in ..."
    pay: int  # USD a year, mid-career, in the United States
    at_desk: bool  # may be done remotely


def _jobs(table: str, *, at_desk: bool) -> list[Job]:
    """Paragraphs of five lines: vacancy titles, candidate titles, skills, tasks, pay."""
    jobs = []
    for paragraph in table.strip().split("\n\n"):
        vacancy, candidate, skills, tasks, pay = (
            tuple(part.strip() for part in line.split("|")) for line in paragraph.splitlines()
        )
        jobs.append(Job(vacancy, candidate, skills, tasks, int(pay[0]), at_desk))
    return jobs


_TEXT = (files(__package__) / "jobs.txt").read_text(encoding="utf-8")
_ON_SITE, _AT_DESK = _TEXT.removeprefix("== on site ==\n").split("== at a desk ==\n")
JOBS = tuple(_jobs(_ON_SITE, at_desk=False) + _jobs(_AT_DESK, at_desk=True))

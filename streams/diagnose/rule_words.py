"""The terms of both sides that a hard rule compares, in the words of docs/rules.md."""

from collections.abc import Sequence

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.common import Language, Location, Salary, Workplace
from rolecall.schemas.vacancy import VacancyTerms
from rolecall.streams.matching.hard_rules import HardRule, distance_km


def said(rule: HardRule, vacancy: VacancyTerms, candidate: CandidateTerms) -> tuple[str, str]:
    """The term of the vacancy and the term of the candidate; empty if the side has none."""
    match rule:
        case HardRule.EXPIRY:
            return f"expires {vacancy.expires_at:%Y-%m-%d %H:%M %Z}" if vacancy.expires_at else "", ""
        case HardRule.PERMIT:
            country = vacancy.location and vacancy.location.country
            return f"country {country}" if country else "", _listed("may work in", candidate.work_countries)
        case HardRule.WORKPLACE:
            return _listed("", [vacancy.workplace or ""]), _listed("", candidate.workplaces)
        case HardRule.PLACE:
            return _job(vacancy), _home(candidate, vacancy.location)
        case HardRule.LANGUAGES:
            return _languages(vacancy.languages), _languages(candidate.languages)
        case HardRule.EMPLOYMENT_TYPE:
            return _listed("", vacancy.employment_types), _listed("", candidate.employment_types)
        case HardRule.SENIORITY:
            return vacancy.seniority or "", candidate.seniority or ""
        case HardRule.SALARY:
            return _pay(vacancy.salary, "max"), _pay(candidate.salary, "min")


def _listed(word: str, values: Sequence[str]) -> str:
    return f"{word} {', '.join(values)}".strip() if values else ""


def _languages(languages: Sequence[Language]) -> str:
    return _listed("", [f"{each.code} {each.level or ''}".strip() for each in languages])


def _place(location: Location | None) -> list[str]:
    if location is None:
        return []
    named = {"country": location.country, "city": location.city}
    return [f"{word} {value}" for word, value in named.items() if value]


def _job(vacancy: VacancyTerms) -> str:
    remote = [Workplace.REMOTE.value] if vacancy.workplace is Workplace.REMOTE else []
    return "; ".join([*remote, *_place(vacancy.location)])


def _home(candidate: CandidateTerms, job: Location | None) -> str:
    home = candidate.location
    told = _place(home)
    if candidate.radius_km is not None:
        told.append(f"radius {candidate.radius_km:g} km")
    if home and home.point and job and job.point:
        told.append(f"{distance_km(home.point, job.point):.1f} km away")
    return "; ".join([*told, *(["relocates"] if candidate.relocate else [])])


def _pay(salary: Salary | None, end: str) -> str:
    """The end of the range that the rule compares, as yearly pay."""
    if salary is None:
        return ""
    yearly = salary.yearly_max if end == "max" else salary.yearly_min
    limit = "up to" if end == "max" else "from"
    return "no limit" if yearly is None else f"{limit} {yearly:,.0f} {salary.currency} a year"

"""Periods, levels of work and workplaces, in words. Expected values are by hand."""

import pytest

from rolecall.schemas.common import EmploymentType, Period
from rolecall.streams.feeds.values import words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bi-weekly", None),
        ("semi-monthly", None),
        ("fortnightly", None),
        ("planned", None),
        ("pro Monat", Period.MONTH),
        ("à l'heure", Period.HOUR),
        ("per annum", Period.YEAR),
        ("tygodniowo", Period.WEEK),
        ("halbjährlich", None),
        ("quincenal", None),
        ("bimensuel", None),
        ("kwartalnie", None),
        ("14-täglich", None),
        ("monthly or yearly", None),
        ("brutto/mies.", Period.MONTH),
    ],
)
def test_periods(text: str, expected: Period | None) -> None:
    assert words.period(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Associate Director", None),
        ("non-manager", None),
        ("Mid-Senior level", None),
        ("Senior level", "senior"),
        ("Jr.", "junior"),
        ("Geschäftsführer", "executive"),
        ("Junior/Mid", None),
        ("not senior", None),
        ("Deputy director", None),
        ("sênior", "senior"),
        ("Senior+", None),
        ("< Senior", None),
        ("młodszy", "junior"),
    ],
)
def test_levels_of_work(text: str, expected: str | None) -> None:
    assert words.seniority(text) == expected


@pytest.mark.parametrize(
    ("text", "one", "several"),
    [
        ("Remote or hybrid", None, ("remote", "hybrid")),
        ("remote not possible", None, None),
        ("kein Homeoffice", None, None),
        ("Vor Ort", "onsite", ("onsite",)),
        ("praca zdalna", "remote", ("remote",)),
        ("brak pracy zdalnej", None, None),
        ("sin teletrabajo", None, None),
        ("pas de télétravail", None, None),
        ("smart working", None, None),  # in Italy often only some days
        ("thuiswerken mogelijk", None, None),
        ("em regime híbrido", None, None),
        ("híbrido", "hybrid", ("hybrid",)),
    ],
)
def test_workplaces(text: str, one: str | None, several: tuple[str, ...] | None) -> None:
    assert (words.workplace(text), words.workplaces(text)) == (one, several)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vollzeit/Teilzeit", ("full_time", "part_time")),
        ("Voll- oder Teilzeit", ("full_time", "part_time")),
        ("Minijob", None),
        ("no part-time", None),
        ("kein Praktikum", None),
        ("CDI temps plein", ("full_time",)),
        ("CDD 6 mois", None),
        ("umowa zlecenie", None),
        ("Full time, permanent", ("full_time",)),
    ],
)
def test_employment_types(text: str, expected: tuple[str, ...] | None) -> None:
    assert words.employment_types(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "permanent or contract",
        "Permanent contract",
        "CDI/CDD",
        "Festanstellung oder freie Mitarbeit",
        "vast contract",
        "indefinido o temporal",
        "Regular, Intern",
    ],
)
def test_a_permanent_job_or_another_is_no_type_of_ours(text: str) -> None:
    assert words.employment_types(text) is None


def test_permanent_says_nothing_beside_the_hours() -> None:
    assert words.employment_types("Festanstellung, Teilzeit") == (EmploymentType.PART_TIME,)


def test_a_status_in_other_languages() -> None:
    assert [
        words.status(text) for text in ("Ouverte", "zamknięta", "CERRADA", "nicht offen", "not active")
    ] == [
        "open",
        "closed",
        "closed",
        None,
        None,
    ]

"""ESCO's skills: their names and descriptions, and which of them an occupation needs.

The files come from a folder `esco_skills/`; a number in one of them is a row of `skills_en*.tsv`.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rolecall.training.data.ontology import Occupation, unique

RELATIONS = "occupation_skills*.tsv"
NAMES = "skills_en*.tsv"
DESCRIPTIONS = "skill_descriptions_en.tsv.gz"
FRENCH = "skills_fr.csv"


def read(folder: Path) -> list[Occupation]:
    """Names of one skill, in the shape of an occupation's titles; its description as a text. By row."""
    french = _french(folder / FRENCH)
    descriptions = dict(_descriptions(folder / DESCRIPTIONS))
    return [
        Occupation(
            id="skill:" + row["conceptUri"],
            branch="",
            titles=unique([row["preferredLabel"], *row["altLabels(|)"].split("|")]),
            texts=tuple(filter(None, [descriptions.get(row["n"], "")])),
            translations=(("fr", names),) if (names := french.get(row["conceptUri"])) else (),
        )
        for row in _rows(_newest(folder, NAMES))
    ]


def needed(occupations: Iterable[Occupation], folder: Path, skills: list[Occupation]) -> list[Occupation]:
    """The occupations with the preferred names of the skills that they need, essential ones first."""
    numbers = {
        "esco:" + row["occupation"]: f"{row['essential(skill n)']} {row['optional(skill n)']}".split()
        for row in _rows(_newest(folder, RELATIONS))
    }
    return [
        replace(o, skills=tuple(skills[int(n)].titles[0] for n in numbers[o.id])) if o.id in numbers else o
        for o in occupations
    ]


def files(folder: Path) -> list[Path]:
    """What is read."""
    return sorted(file for name in (RELATIONS, NAMES, DESCRIPTIONS, FRENCH) for file in folder.glob(name))


def _newest(folder: Path, name: str) -> Path:
    return sorted(folder.glob(name))[-1]


def _french(file: Path) -> dict[str, tuple[str, ...]]:
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        return {
            row["conceptUri"].rpartition("/")[2]: unique(
                [row["preferredLabel"], *row["altLabels"].split("\n")]
            )
            for row in csv.DictReader(lines)
        }


def _descriptions(file: Path) -> Iterator[tuple[str, str]]:
    if file.is_file():
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                number, _, text = line.rstrip("\n").partition("\t")
                yield number, text


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)

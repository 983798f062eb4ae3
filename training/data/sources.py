"""A folder of ontologies -> occupations, with a fingerprint of every file that was read."""

import csv
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rolecall.schemas.errors import RolecallError
from rolecall.training.data import ontology
from rolecall.training.data.ontology import Occupation, Split

ONET_FILES = (
    "Occupation Data.txt",
    "Alternate Titles.txt",
    "Sample of Reported Titles.txt",
    "Task Statements.txt",
    "Technology Skills.txt",
)


@dataclass(frozen=True, slots=True)
class Sources:
    occupations: list[Occupation]
    aside: list[Occupation]  # names of one skill, titles of a coarse classification: never judged
    unlabelled: list[str]  # titles of nobody knows which occupation, for a teacher's opinion
    fingerprints: dict[str, str]  # file -> sha256
    excluded_titles: int

    def split(self) -> Split:
        return ontology.split(self.occupations, self.aside, self.unlabelled)


class SourceError(RolecallError):
    """Nothing to learn from. The text says what to put where."""


def read(folder: Path) -> Sources:
    """Reads what is there: `onet/`, the newest `esco/occupations_*.csv`, and `*.csv` of (concept, text).

    Names of skills in the newest `esco/skills_*.csv` and titles in `uk_soc/*.csv` are learned from, and never
    judged.
    Titles in `vacancies/*.csv` (column title) are read without a label.
    Titles that are queries of a benchmark (`melo_*/queries.tsv`) are dropped: they were taken from O*NET.
    """
    occupations: list[Occupation] = []
    files: list[Path] = []
    banned: set[str] = set()
    for queries in sorted(folder.glob("melo_*/queries.tsv")):
        banned |= {line.split("\t")[1] for line in queries.read_text(encoding="utf-8").splitlines()}
        files.append(queries)
    if (folder / "onet").is_dir():
        onet = ontology.read_onet(folder / "onet")
        occupations += ontology.without_titles(onet, banned)
        files += [folder / "onet" / name for name in ONET_FILES]
    for esco in sorted((folder / "esco").glob("occupations_*.csv"))[-1:]:
        occupations += ontology.read_esco(esco)
        files.append(esco)
    aside: list[Occupation] = []
    for skills in sorted((folder / "esco").glob("skills_*.csv"))[-1:]:
        aside += ontology.read_esco_skills(skills)
        files.append(skills)
    for index in sorted((folder / "uk_soc").glob("*.csv")):
        aside += ontology.read_uk_index(index)
        files.append(index)
    for table in sorted(folder.glob("*.csv")):
        occupations += ontology.read_csv(table)
        files.append(table)
    unlabelled: set[str] = set()
    for table in sorted((folder / "vacancies").glob("*.csv")):
        with table.open(encoding="utf-8", newline="") as lines:
            unlabelled |= {row["title"] for row in csv.DictReader(lines)}
        files.append(table)
    if not occupations:
        raise SourceError(
            f"{folder} has no ontology. Put the O*NET text files in {folder / 'onet'}, the ESCO "
            f"occupations CSV in {folder / 'esco'}, or a CSV with the columns concept and text beside them."
        )
    return Sources(
        occupations,
        ontology.without_titles(aside, banned),
        ontology.unlike(sorted(unlabelled), banned),
        {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files},
        len(banned),
    )

"""A folder of ontologies -> occupations, with a fingerprint of every file that was read."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from rolecall.schemas.errors import RolecallError
from rolecall.training.data import labels, ontology, skills, technologies
from rolecall.training.data.ontology import Occupation, Split

ONET_FILES = (
    "Occupation Data.txt",
    "Alternate Titles.txt",
    "Sample of Reported Titles.txt",
    "Task Statements.txt",
    "Technology Skills.txt",
)


NEWER = "alternate_titles_added.tsv"


@dataclass(frozen=True, slots=True)
class Sources:
    occupations: list[Occupation]
    aside: list[Occupation]  # skills, coarse classifications, technologies: no occupations to be judged
    unlabelled: list[str]  # titles without a known occupation, which only a teacher reads
    fingerprints: dict[str, str]  # file -> sha256
    excluded_titles: int
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)  # titles of training occupations, by id

    def split(self) -> Split:
        return ontology.split(self.occupations, self.aside, self.unlabelled, self.more)


class SourceError(RolecallError):
    """Nothing to learn from. The text says what to put where."""


def read(folder: Path) -> Sources:
    """Reads what is there: `onet/`, the newest `esco/occupations_*.csv`, and `*.csv` of (concept, text).

    `esco_labels/` adds names in other languages, `esco_skills/` the skills that occupations need,
    `onet_newer/` titles for training. Skills, titles in `noc2016/titles.tsv` and technologies are learned
    from and are no occupations to be judged. Titles in `vacancies/*.csv` (column title) are read without a
    label. Titles that are queries of a benchmark (`melo_*/queries.tsv`) are dropped: they were taken from
    O*NET.
    """
    queries = sorted(folder.glob("melo_*/queries.tsv"))
    banned = {line.split("\t")[1] for file in queries for line in file.read_text("utf-8").splitlines()}
    occupations, files = _occupations(folder, banned)
    if not occupations:
        raise SourceError(
            f"{folder} has no ontology. Put the O*NET text files in {folder / 'onet'}, the ESCO "
            f"occupations CSV in {folder / 'esco'}, or a CSV with the columns concept and text beside them."
        )
    aside: list[Occupation] = []
    if (folder / "esco_labels").is_dir():
        occupations, aside = labels.translated(occupations, folder / "esco_labels")
        files += sorted((folder / "esco_labels").glob("*.tsv"))
    if found := skills.files(folder / "esco_skills"):
        names = skills.read(folder / "esco_skills")
        occupations = skills.needed(occupations, folder / "esco_skills", names)
        aside += names
        files += found
    if (noc := folder / "noc2016" / "titles.tsv").is_file():
        aside += ontology.read_noc(noc)
        files.append(noc)
    if (newer := folder / "onet_newer" / NEWER).is_file():
        files.append(newer)
    unlabelled: set[str] = set()
    for table in sorted((folder / "vacancies").glob("*.csv")):
        with table.open(encoding="utf-8", newline="") as lines:
            unlabelled |= {row["title"] for row in csv.DictReader(lines)}
        files.append(table)
    return Sources(
        occupations,
        ontology.without_titles([*aside, *technologies.groups()], banned),
        ontology.unlike(sorted(unlabelled), banned),
        {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in [*queries, *files]},
        len(banned),
        _unlike_each(ontology.read_newer_onet(newer), banned) if newer.is_file() else {},
    )


def _occupations(folder: Path, banned: set[str]) -> tuple[list[Occupation], list[Path]]:
    occupations: list[Occupation] = []
    files: list[Path] = []
    if (folder / "onet").is_dir():
        occupations += ontology.without_titles(ontology.read_onet(folder / "onet"), banned)
        files += [folder / "onet" / name for name in ONET_FILES]
    for esco in sorted((folder / "esco").glob("occupations_*.csv"))[-1:]:
        occupations += ontology.read_esco(esco)
        files.append(esco)
    for table in sorted(folder.glob("*.csv")):
        occupations += ontology.read_csv(table)
        files.append(table)
    return occupations, files


def _unlike_each(titles: Mapping[str, Sequence[str]], banned: set[str]) -> dict[str, list[str]]:
    return {name: ontology.unlike(each, banned) for name, each in titles.items()}

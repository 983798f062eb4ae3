"""Occupation ontologies -> groups of texts that mean the same work.

An occupation of O*NET and one of ESCO are never merged because a string matches: they share thousands of
titles that mean different things.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType

csv.field_size_limit(1 << 24)
SPLIT_ASIDE = {"skill", "esco"}  # sources that stand aside and are held out in part all the same


@dataclass(frozen=True, slots=True)
class Occupation:
    id: str  # "onet:11-1011.00", "esco:<uuid>"
    branch: str  # code in a tree of occupations: the longer the common prefix, the closer the work
    titles: tuple[str, ...]  # preferred first
    texts: tuple[str, ...] = ()  # descriptions
    tasks: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    translations: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (language, titles) of languages but English

    @property
    def names(self) -> tuple[str, ...]:
        """Titles in all languages."""
        return (*self.titles, *(title for _, titles in self.translations for title in titles))

    @property
    def source(self) -> str:
        return self.id.partition(":")[0]


def read_onet(folder: Path) -> list[Occupation]:
    """O*NET database, tab-separated text files."""
    titles = _collect(folder / "Alternate Titles.txt", "Alternate Title")
    short = _collect(folder / "Alternate Titles.txt", "Short Title")
    reported = _collect(folder / "Sample of Reported Titles.txt", "Reported Job Title")
    tasks = _collect(folder / "Task Statements.txt", "Task")
    skills = _collect(folder / "Technology Skills.txt", "Example")
    return [
        Occupation(
            id=f"onet:{code}",
            branch=code.replace("-", "").replace(".", ""),
            titles=unique(
                [row["Title"], *titles.get(code, ()), *short.get(code, ()), *reported.get(code, ())]
            ),
            texts=(row["Description"],),
            tasks=tuple(tasks.get(code, ())),
            skills=tuple(skills.get(code, ())),
        )
        for row in _rows(folder / "Occupation Data.txt")
        for code in [row["O*NET-SOC Code"]]
    ]


def read_esco(file: Path) -> list[Occupation]:
    """ESCO occupations CSV in one language."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            Occupation(
                id="esco:" + row["conceptUri"].rpartition("/")[2],
                branch=row["iscoGroup"],
                titles=unique([row["preferredLabel"], *row["altLabels"].split("\n")]),
                texts=(row["description"],),
            )
            for row in csv.DictReader(lines)
        ]


def read_noc(file: Path) -> list[Occupation]:
    """Canada's NOC 2016: English titles by unit group. A domain stands behind a dash."""
    titles: dict[str, list[str]] = {}
    for row in _rows(file):
        titles.setdefault(row["noc2016"], []).append(row["title"])
    return [Occupation(f"noc:{code}", code, unique(group)) for code, group in titles.items()]


def read_newer_onet(file: Path) -> dict[str, list[str]]:
    """Titles that a later edition of O*NET added, by the id of their occupation."""
    return {f"onet:{code}": titles for code, titles in _collect(file, "Alternate Title").items()}


def read_csv(file: Path, *, concept: str = "concept", text: str = "text") -> list[Occupation]:
    """Any CSV of (concept, text), one title a row."""
    titles: dict[str, list[str]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            titles.setdefault(row[concept], []).append(row[text])
    return [Occupation(f"{file.stem}:{key}", "", unique(group)) for key, group in titles.items()]


def clean(title: str) -> str:
    """Whitespace, and the abbreviation O*NET adds in brackets: "Chief Executive Officer (CEO)"."""
    return " ".join(re.sub(r"\([A-Z][A-Za-z&/.-]{1,9}\)\s*$", "", title).split())


def unique(titles: Iterable[str]) -> tuple[str, ...]:
    """Cleaned, first spelling of each kept, order kept; O*NET writes n/a where it has nothing."""
    first: dict[str, str] = {}
    for title in map(clean, titles):
        if title and title != "n/a":
            first.setdefault(key(title), title)
    return tuple(first.values())


def key(title: str) -> str:
    """What makes two titles nearly the same string: case, punctuation, order and plurals do not count."""
    return " ".join(sorted(word.removesuffix("s") for word in re.findall(r"[^\W_]+", title.casefold())))


def unlike(titles: Iterable[str], others: Iterable[str]) -> list[str]:
    """The titles that are nearly the same string as none of the others."""
    keys = {key(title) for title in others}
    return [title for title in titles if key(title) not in keys]


def without_titles(occupations: Iterable[Occupation], banned: Iterable[str]) -> list[Occupation]:
    """Drops titles in every language, and occupations left with none.

    For benchmarks whose queries are titles, and for the titles of held-out occupations.
    """
    keys = {key(title) for title in banned}

    def kept(titles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(title for title in titles if key(title) not in keys)

    rest = (
        replace(
            o,
            titles=kept(o.titles),
            translations=tuple((code, left) for code, each in o.translations if (left := kept(each))),
        )
        for o in occupations
    )
    return [occupation for occupation in rest if occupation.names]


def ancestors(occupation: Occupation) -> tuple[str, ...]:
    """The branch's groups from the widest to the closest, in the tree of its own ontology.

    ISCO-08: major, sub-major, minor and unit group. SOC 2018: major, minor, broad and detailed group.
    """
    lengths = (2, 3, 5, 6) if occupation.source == "onet" else (1, 2, 3, 4)
    return tuple(
        f"{occupation.source}:{occupation.branch[:length]}"
        for length in lengths
        if len(occupation.branch) >= length
    )


def split_of(occupation: Occupation) -> str:
    """Decided by a hash of the id: 92 % train, 3 % validation, 5 % test, the same everywhere."""
    share = int.from_bytes(blake2b(occupation.id.encode(), digest_size=4).digest(), "big") / 2**32
    return "train" if share < 0.92 else "validation" if share < 0.95 else "test"


@dataclass(frozen=True, slots=True)
class Split:
    train: list[Occupation]
    validation: list[Occupation]
    test: list[Occupation]
    aside: Sequence[Occupation] = ()  # what is learned from and is no occupation to be judged
    skills: Sequence[Occupation] = ()  # skills held out for validation
    unlabelled: Sequence[str] = ()  # titles without a known occupation


def split(
    occupations: Sequence[Occupation],
    aside: Iterable[Occupation] = (),
    unlabelled: Iterable[str] = (),
    more: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Split:
    """By occupation, the same in every language.

    No title of a held-out occupation stays in training, not even under another, and no name of a held-out
    skill. Nor does an unlabelled title stay that any occupation has, held out or not. more: titles that
    training occupations have besides, by the occupation's id.
    """
    parts: dict[str, list[Occupation]] = {"train": [], "validation": [], "test": []}
    for occupation in occupations:
        parts[split_of(occupation)].append(occupation)
    beside: dict[str, list[Occupation]] = {"train": [], "validation": [], "test": []}
    for group in aside:
        beside[split_of(group) if group.source in SPLIT_ASIDE else "train"].append(group)
    held_out = [name for part in ("validation", "test") for o in parts[part] for name in o.names]
    hidden = [name for part in ("validation", "test") for o in beside[part] for name in o.names]
    keys = {key(name) for name in hidden}
    train = [
        replace(
            o,
            titles=unique([*o.titles, *more.get(o.id, ())]),
            skills=tuple(skill for skill in o.skills if o.source == "onet" or key(skill) not in keys),
        )
        for o in parts["train"]
    ]
    skills = [o for o in beside["train"] if o.source == "skill"]
    others = [o for o in beside["train"] if o.source != "skill"]
    return Split(
        train=without_titles(train, held_out),
        validation=parts["validation"],
        test=parts["test"],
        aside=[*without_titles(others, held_out), *without_titles(skills, [*held_out, *hidden])],
        skills=[o for o in beside["validation"] if o.source == "skill"],
        unlabelled=unlike(unique(unlabelled), (title for o in occupations for title in o.titles)),
    )


def _collect(file: Path, column: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in _rows(file):
        found.setdefault(row["O*NET-SOC Code"], []).append(row[column])
    return found


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)

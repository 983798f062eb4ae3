"""ESCO's names of occupations in 21 languages, cleaned.

The files come from a folder `esco_labels/`: `concepts.tsv` numbers the concepts, and a file for each language
(`de.tsv`) has one label a row.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rolecall.training.data.ontology import Occupation, unique

# A gender code behind the last slash, as Swedish and Spanish labels have it: "kock//fmn".
GENDER_CODE = re.compile(r"\s*/+\s*(?:[fmns]{1,3}|[mfwd](?:/[mfwdx])+)?\s*$")
INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0xFEFF))  # soft hyphen and zero-width characters


def languages(folder: Path) -> list[str]:
    """Codes of the languages that the folder has."""
    return sorted(file.stem for file in folder.glob("??.tsv"))


def read(folder: Path, language: str) -> dict[str, tuple[str, ...]]:
    """Concept -> its labels in one language, in the order of the file.

    A concept is named as in `Occupation.id`: `esco:<uuid>`, or `isco:<code>` for a group of ISCO-08.
    """
    concepts = {row["n"]: _name(row["conceptUri"]) for row in _rows(folder / "concepts.tsv")}
    found: dict[str, list[str]] = {}
    for row in _rows(folder / f"{language}.tsv"):
        found.setdefault(concepts[row["n"]], []).append(clean(row["label"]))
    labels = {concept: unique(each) for concept, each in found.items()}
    return {concept: each for concept, each in labels.items() if each}


def clean(label: str) -> str:
    """Without gender codes, stray slashes and invisible characters. Empty for a label without a letter."""
    visible = GENDER_CODE.sub("", label.translate(INVISIBLE)).strip(" /-–")
    return " ".join(visible.split()) if any(map(str.isalpha, visible)) else ""


def translated(occupations: Iterable[Occupation], folder: Path) -> tuple[list[Occupation], list[Occupation]]:
    """The occupations with their names in other languages than English, and the concepts that they lack."""
    names: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for code in languages(folder):
        if code != "en":
            for concept, labels in read(folder, code).items():
                names.setdefault(concept, []).append((code, labels))
    english = read(folder, "en") if "en" in languages(folder) else {}
    done = [replace(o, translations=tuple(names.pop(o.id, ()))) for o in occupations]
    missing = sorted(names.keys() | english.keys() - {o.id for o in done})
    return done, [
        Occupation(concept, "", english.get(concept, ()), translations=tuple(names.get(concept, ())))
        for concept in missing
    ]


def _name(uri: str) -> str:
    kind, _, name = uri.partition("/")
    return f"esco:{name}" if kind == "occupation" else f"{kind}:{name}"


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)

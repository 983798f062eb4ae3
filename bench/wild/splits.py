"""Names of ESCO's concepts, and which part of the split a concept belongs to.

One hash of a concept's id decides (`training.ontology.split_of`), so an occupation that is held out in one
language is held out in all. Ids are "esco:<uuid>" for occupations and "skill:<uuid>" for skills.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rolecall.training.data import labels as labels_of
from rolecall.training.data.ontology import Occupation, split_of

LANGUAGES = (
    "bg", "cs", "da", "de", "en", "es", "et", "fr", "hr", "hu", "it",
    "lt", "lv", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sv",
)  # fmt: skip

Labels = Mapping[str, tuple[str, ...]]  # concept id -> its labels in one language


def part_of(concept: str) -> str:
    """ "train", "validation" or "test"."""
    return split_of(Occupation(concept, "", ()))


def read_labels(folder: Path, language: str) -> Labels:
    """Of ESCO's occupations in `esco_labels/`, without ISCO's groups. `preferred` tells the main one."""
    found = labels_of.read(folder, language)
    return {concept: labels for concept, labels in found.items() if concept.startswith("esco:")}


def names(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Labels grouped into names: "directeur/directrice" and its two gender forms are one name.

    The form with the slash comes first.
    """
    left = dict.fromkeys(labels)
    found: list[tuple[str, ...]] = []
    for label in [label for label in left if label.count("/") == 1]:
        forms = dict.fromkeys(form for form in _gender_forms(label) if form in left)
        if forms:
            found.append((label, *forms))
    taken = {form for name in found for form in name}
    return found + [(label,) for label in left if label not in taken]


def preferred(labels: Sequence[str]) -> tuple[str, ...]:
    """The name that stands for a concept: the shortest with both gender forms, or else the shortest.

    In the languages that write both forms with a slash, ESCO does so for the preferred label.
    """
    return min(names(labels), key=lambda name: ("/" not in name[0], len(name[0]), name[0]))


def _gender_forms(label: str) -> Sequence[str]:
    """Of "a x/b x" these are "a x" and "b x"; of "a/b x" they are the same."""
    before, _, after = (part.strip() for part in label.partition("/"))
    if not before or not after:
        return ()
    head, first = before.split()[:-1], before.split()[-1]
    second, tail = after.split()[0], after.split()[1:]
    return (before, " ".join([*head, first, *tail]), after, " ".join([*head, second, *tail]))

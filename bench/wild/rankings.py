"""Descriptions, skills and labels of other languages look for names. Only what was held out asks."""

import random
from collections.abc import Mapping, Sequence

import numpy as np

from bench.rig.benchmarks import Ranking
from bench.wild import splits
from bench.wild.splits import Labels
from rolecall.encoder.document import Document
from rolecall.training.data.ontology import Occupation, key

JUDGED_LANGUAGES = ("de", "fr", "es", "it", "nl", "pl", "pt")
MOST_NAMES = 3  # of a skill that ask


def descriptions(judged: Sequence[Occupation], others: Sequence[Occupation], *, named: bool) -> Ranking:
    """The description of an ESCO occupation looks for its preferred label among all of them.

    ESCO's descriptions begin with that label ("Florists create ..."), so finding it is mostly finding the
    same words. named=False takes the words of the label out of the description.
    """
    mine = [o for o in judged if o.source == "esco" and any(o.texts)]
    rest = [o for o in [*judged, *others] if o.source == "esco" and o not in mine]
    return Ranking(
        queries=[Document("", text=" ".join(o.texts) if named else unnamed(o)) for o in mine],
        wanted=[{number} for number in range(len(mine))],
        labels=[Document(o.titles[0]) for o in [*mine, *rest]],
        concepts=np.arange(len(mine) + len(rest)),
    )


def unnamed(occupation: Occupation) -> str:
    """The description without the words of the preferred label, plural or not."""
    label = set(key(occupation.titles[0]).split())
    words = " ".join(occupation.texts).split()
    return " ".join(word for word in words if not label & set(key(word).split()))


def skills(known: Sequence[Occupation], part: str, *, seed: int = 0) -> dict[str, Ranking]:
    """Other names of skills, and descriptions of skills, look for the preferred names of all skills.

    A name stands where a title stands. A name that several skills have may find any of them.
    """
    rng = random.Random(seed)
    owners = _owners([skill.titles for skill in known])
    judged = [n for n, skill in enumerate(known) if splits.part_of(skill.id) == part]
    labels = [Document(skill.titles[0]) for skill in known]
    names = [
        name
        for n in judged
        for name in rng.sample(known[n].titles[1:], min(len(known[n].titles) - 1, MOST_NAMES))
    ]
    told = [n for n in judged if known[n].texts]
    numbers = np.arange(len(labels))
    return {
        "another name": Ranking(
            [Document(name) for name in names], [owners[name.casefold()] for name in names], labels, numbers
        ),
        "description": Ranking(
            [Document("", text=known[n].texts[0]) for n in told], [{n} for n in told], labels, numbers
        ),
    }


def alternatives(labels: Labels, part: str, *, seed: int = 0) -> Ranking:
    """Other names of an occupation look for the preferred ones of all occupations, in one language.

    Of a name with two gender forms one form asks. A name that several occupations have may find any of them.
    """
    rng = random.Random(seed)
    concepts = sorted(labels)
    owners = _owners([labels[concept] for concept in concepts])
    queries: list[str] = []
    for concept in concepts:
        if splits.part_of(concept) == part:
            target = splits.preferred(labels[concept])
            queries += [rng.choice(name) for name in splits.names(labels[concept]) if name != target]
    return Ranking(
        queries=[Document(query) for query in queries],
        wanted=[owners[query.casefold()] for query in queries],
        labels=[Document(splits.preferred(labels[concept])[0]) for concept in concepts],
        concepts=np.arange(len(concepts)),
    )


def across(labels: Labels, english: Mapping[str, str], part: str) -> Ranking:
    """The preferred name in one language looks for the English one among all. english: id -> label."""
    place = {concept: n for n, concept in enumerate(english)}
    judged = [concept for concept in sorted(labels) if splits.part_of(concept) == part and concept in place]
    return Ranking(
        queries=[Document(splits.preferred(labels[concept])[0]) for concept in judged],
        wanted=[{place[concept]} for concept in judged],
        labels=[Document(label) for label in english.values()],
        concepts=np.arange(len(english)),
    )


def _owners(names: Sequence[Sequence[str]]) -> dict[str, set[int]]:
    """Case-folded name -> numbers of the concepts that have it."""
    owners: dict[str, set[int]] = {}
    for number, mine in enumerate(names):
        for name in mine:
            owners.setdefault(name.casefold(), set()).add(number)
    return owners

"""The model card, in the style of Hugging Face: front matter, use, data, training, figures, limits."""

from collections.abc import Collection
from pathlib import Path

from rolecall.encoder.model import Encoder
from rolecall.training.config import TrainConfig

TEMPLATE = """---
language: [{languages}]
license: apache-2.0
library_name: rolecall
tags: [sentence-similarity, job-matching, static-embeddings, metric-learning]
---

# rolecall encoder {version}

Turns vacancies, candidate profiles and bare job titles into vectors of {dims} numbers whose dot
product says how likely they mean the same work. {kind}

```python
from rolecall import Document, Encoder

encoder = Encoder.load()  # or a directory
found = encoder.encode([Document("Senior Java Developer"), Document("software engineer")])
score = found.vectors[:1] @ found.vectors[1:].T
encoder.confidence(score[0], found.certainty[:1], found.certainty[1:])
```

## What it is

Square roots of {groups} softmax groups of {size} values, divided by the square root of {groups}: a
dot product is the mean Bhattacharyya coefficient of the groups, in [0, 1]. Certainty is one minus
the groups' mean normalised entropy. Confidence is a logistic and isotonic calibration of score,
certainties and how much both sides tell (`document.told`), fitted on occupations that were held out of
training. For sides that tell as much, it never falls when a score or a certainty rises. It is 0 for a
document without a known word. `features.json` names a value by its
most typical titles, if these are of one kind.

## Data

- O*NET 27.0 Database by the U.S. Department of Labor, Employment and Training Administration
  (USDOL/ETA), used under the CC BY 4.0 license, modified. O*NET is a trademark of USDOL/ETA.
  USDOL/ETA has not approved, endorsed, or tested these modifications.
- ESCO v1.2, European Skills, Competences, Qualifications and Occupations, of the European
  Commission.{aside}
- Starting weights{teacher_use}: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0){meanings}.

Positive pairs are two titles of one occupation, or two documents made of different tasks and skills
of it. No manual labels and no person's data. Titles that are queries of the MELO
benchmark were dropped, and 8 % of all occupations were held out with all their titles, in every
language.{unlabelled}

## Training

```
{command}
```

{settings}

## Figures on held-out occupations

{figures}

`metrics.json` has the history of the run and the hash of every file that was read. `python -m
bench.quality` compares with baselines and published benchmarks.

## Limits

{reads} It knows the occupations of two ontologies made in the USA and the EU; titles
that are new, local or playful get low certainty at best. It reads bags of words: "manager of nurses"
and "nurse manager" are one to it. It was not built to judge people: use it to find candidates, not to
reject them. Titles carry gender and age ("waitress", "junior"), and the vectors may too.
"""


ASIDE = {
    "esco_skills/": """
- ESCO's skills, their descriptions, and which skills an occupation needs, of the European Commission.""",
    "esco_labels/": """
- ESCO's names of occupations in 21 languages, of the European Commission.""",
    "noc2016/": """
- Titles of Canada's National Occupational Classification 2016. Contains information licensed under
  the Open Government Licence - Canada.""",
    "onet_newer/": """
- Titles that a later edition of O*NET added, under the CC BY 4.0 license, modified.""",
}
LABELS = "esco_labels/"
READS = """It learned English best; of other languages it has read names of occupations
alone. It reads no Chinese, Japanese or Korean: its certainty is 0 there."""


def write(
    encoder: Encoder, config: TrainConfig, figures: dict[str, float], *, command: str, files: Collection[str]
) -> str:
    """files: what was read, below the data folder."""
    shape = encoder.network.shape
    read = (Path(file) for file in files if file.startswith(LABELS))
    languages = sorted({"en", *(file.stem for file in read if len(file.stem) == 2)})
    lines = [f"| {name} | {value:.4g} |" for name, value in figures.items()]
    settings = config.model_dump(exclude={"teacher"})
    return TEMPLATE.format(
        version=encoder.version,
        dims=encoder.dims,
        kind=(
            "A static bag of word pieces: no transformer runs when it serves."
            if shape.backbone == "static"
            else f"A transformer of {shape.layers} layers."
        ),
        groups=shape.groups,
        size=shape.size,
        aside="".join(line for start, line in ASIDE.items() if _any(files, start)),
        languages=", ".join(languages),
        reads=READS if len(languages) > 1 else "It reads English only.",
        meanings=_meanings(config),
        teacher_use=" and teacher" if config.teacher else "",
        unlabelled=_unlabelled(files) if config.distil else "",
        command=command,
        settings=", ".join(f"{name} {value}" for name, value in settings.items()),
        figures="\n".join(["| figure | value |", "|---|---|", *lines]),
    )


def _meanings(config: TrainConfig) -> str:
    words = f"; meanings of single words: {config.meanings}" if config.meanings else ""
    return words + (f"; opinions of titles: {config.opinions}" if config.distil and config.opinions else "")


def _unlabelled(files: Collection[str]) -> str:
    names = " and ".join(f"`{file}`" for file in sorted(files) if file.startswith("vacancies/"))
    return f"\nThe teacher also read the job titles in {names}, which nobody labelled." if names else ""


def _any(files: Collection[str], start: str) -> bool:
    return any(file.startswith(start) for file in files)

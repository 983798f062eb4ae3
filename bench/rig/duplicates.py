"""Which vacancies have the same duplicate key, and how long does a key take?

    python -m bench.rig.duplicates --vacancies open_jobs.csv --onet DIRECTORY [--pairs 6000]

Real vacancies, without a text: how many share a key, and in how many groups the columns `locations` and
`department` of the file tell the members apart.

Texts made of O*NET tasks, some 250 words: what the employer says of itself, half of the tasks of an
occupation or more, and the employer's closing words. Pairs of one title and place, by the Jaccard similarity
of their shingles of five words:

- copy: the same text after up to three edits: words before it or behind it, a sentence left out, two
  sentences exchanged, a word replaced, other punctuation and capitals
- one employer: another draw of the tasks, with the same words about the employer. About half of the text is
  the same, so a reader may well call them one job
- two employers: another draw of the tasks, and another employer
"""

import csv
import json
import random
import re
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.candidates import _column
from bench.pipeline import market_parser, read_vacancies
from rolecall.schemas.common import Location
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.duplicates import duplicate_key

BANDS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BOILERPLATE = Path(__file__).parent.with_name("wild") / "boilerplate.tsv"

Text = Sequence[str]  # its sentences


def groups(path: Path) -> dict[str, int]:
    rows = {
        f"{row['platform']}-{row['jobId']}-{row['locations']}": row
        for row in csv.DictReader(path.open(encoding="utf-8"))
    }
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    vacancies, _ = read_vacancies(path, NOW)
    for each in vacancies:
        if isinstance(each, Vacancy) and (key := duplicate_key(each)):
            by_key[key].append(each.id)
    shared = [[rows[id] for id in ids] for ids in by_key.values() if len(ids) > 1]
    return {
        "vacancies": len(vacancies),
        "with_key": sum(map(len, by_key.values())),
        "groups": len(shared),
        "in_groups": sum(map(len, shared)),
        "largest": max(map(len, shared), default=0),
        **{f"differ_in_{name}": sum(len({row[name] for row in some}) > 1 for some in shared)
           for name in ("locations", "department")},
    }  # fmt: skip


class Texts:
    def __init__(self, onet: Path, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        tasks = _column(onet / "Task Statements.txt", "Task")
        self._jobs = [some for _, some in sorted(tasks.items()) if len(some) >= 15]
        self._sentences = [task for some in self._jobs for task in some]
        lines = BOILERPLATE.read_text(encoding="utf-8").splitlines()
        self._agency = [line.split("\t")[1] for line in lines if line.startswith("en\t")]

    def pairs(self, count: int) -> Iterator[tuple[str, Text, Text]]:
        for _ in range(count):
            employer, other = self._employer(), self._employer()
            tasks = self._chance.choice(self._jobs)
            text = self._text(employer, tasks)
            yield "copy", text, self._copy(text)
            yield "one employer", text, self._text(employer, tasks)
            yield "two employers", text, self._text(other, tasks)

    def _employer(self) -> tuple[Text, Text]:
        return self._some(self._sentences, 2, 5), self._some(self._sentences, 2, 6)

    def _text(self, employer: tuple[Text, Text], tasks: Text) -> Text:
        return [*employer[0], *self._some(tasks, 7, 14), *employer[1]]

    def _some(self, sentences: Text, least: int, most: int) -> Text:
        return self._chance.sample(sentences, self._chance.randint(least, most))

    def _copy(self, text: Text) -> Text:
        edits: Sequence[Callable[[list[str]], object]] = (
            lambda some: some.__setitem__(slice(0, 0), self._some(self._agency, 1, 3)),
            lambda some: some.extend(self._some(self._agency, 1, 3)),
            lambda some: some.pop(self._chance.randrange(len(some))),
            lambda some: some.append(some.pop(self._chance.randrange(len(some)))),
            lambda some: some.append(re.sub(r"\w+$", "team", some.pop().rstrip("."))),
            lambda some: some.append(some.pop().upper().replace(".", "!")),
        )
        copied = list(text)
        for edit in self._chance.choices(edits, k=self._chance.randint(0, 3)):
            edit(copied)
        return copied


def similarity(one: Text, other: Text) -> float:
    """Jaccard, of shingles of five words."""
    words = (re.findall(r"[^\W\d_]+", " ".join(text).casefold()) for text in (one, other))
    a, b = ({tuple(some[start : start + 5]) for start in range(len(some) - 4)} for some in words)
    return len(a & b) / len(a | b)


def shares(onet: Path, count: int) -> Iterator[dict[str, object]]:
    pairs: Counter[tuple[str, float]] = Counter()
    same: Counter[tuple[str, float]] = Counter()
    seconds = 0.0
    for kind, *texts in Texts(onet).pairs(count):
        jobs = [
            Vacancy(
                id="v",
                occurred_at=NOW,
                title="Job",
                location=Location(city="Bonn"),
                description=" ".join(text),
            )
            for text in texts
        ]
        band = BANDS[bisect_right(BANDS, similarity(*texts)) - 1]
        started = time.perf_counter()
        one, other = map(duplicate_key, jobs)
        seconds += time.perf_counter() - started
        pairs[kind, band] += 1
        same[kind, band] += one == other
    for (kind, band), of_them in sorted(pairs.items()):
        yield {"pairs": kind, "similarity_from": band, "count": of_them, "share_a_key": same[kind, band]}
    yield {"microseconds_a_key": round(1e6 * seconds / (2 * pairs.total()))}


def main() -> None:
    parser = market_parser(__doc__)
    parser.add_argument("--pairs", type=int, default=6000, help="of each kind")
    options = parser.parse_args()
    print(json.dumps(groups(options.vacancies)))
    for line in shares(options.onet, options.pairs):
        print(json.dumps(line))


if __name__ == "__main__":
    main()

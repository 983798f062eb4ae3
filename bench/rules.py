"""Cost of the rules: filters, recall, exclusion rules, reasons.

    python -m bench.rules --onet DIRECTORY

The embedded index holds 50,000 candidates, encoded by the bundled model. Vacancies arrive in batches of 128.
With O*NET's files, candidates and anchors have real titles. Without them, they come from the seeded sample.
Exclusion rules are compared batch by batch: the same events with 0, 100 and 10,000 rules in turn. The last
line is one JSON object.
"""

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import click
import numpy as np
import numpy.typing as npt
import orjson

from bench import candidates as onet_candidates
from rolecall.encoder.document import Document, document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Side
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.events.receive import Defined, Entity, Limits
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.areas import INSIDE
from rolecall.streams.index.conditions import AtMost
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import start_edge
from rolecall.streams.index.port import Lookup, Point, Query
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.hard_rules import compatible
from rolecall.streams.matching.match import matches
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import compatible_hits, wanted
from rolecall.streams.worker.batch import BatchRunner
from rolecall.streams.worker.occupations import Occupations, References

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BATCH = 128
WRITE = 512
RADIUS = 0.9  # as in the examples of docs/rules.md
RULES = (0, 100, 10_000)
SHARES = (0.01, 0.1, 0.5, 1.0)
ORACLE_EVENTS = 20

Vectors = npt.NDArray[np.float32]


@click.command()
@click.option(
    "--onet", type=click.Path(exists=True, file_okay=False, path_type=Path), help="O*NET's text files."
)
@click.option("--points", default=50_000, show_default=True)
@click.option("--batches", default=15, show_default=True, help="Batches for each number of rules.")
def main(onet: Path | None, points: int, batches: int) -> None:
    """Time the rules."""
    with TemporaryDirectory() as folder:
        socket = Path(folder, "socket")
        with start_edge(Path(folder, "data"), socket):
            bench = Bench(Encoder.load(threads=1), socket, onet)
            figures = asyncio.run(bench.measure(points, batches))
    click.echo(orjson.dumps(figures).decode())


class Bench:
    def __init__(self, encoder: Encoder, socket: Path, onet: Path | None) -> None:
        self.encoder = encoder
        self.socket = socket
        self.onet = onet
        self.indexes = {count: self.connect(f"rules{count}") for count in RULES}  # each index has all points
        self.index = self.indexes[0]

    def connect(self, version: str) -> QdrantEdge:
        return QdrantEdge(self.socket, version, self.encoder.dims, 120)

    async def measure(self, count: int, batches: int) -> dict[str, float]:
        vacancies, sample = generate(7, BATCH * batches, 1 if self.onet else count, NOW)
        people: list[Candidate] = sample
        if self.onet:
            people = list(onet_candidates.candidates(self.onet, count, 7, NOW))
        for index in self.indexes.values():
            await index.prepare()
        vectors = await self.fill(people)
        click.echo(f"{count:,} candidates indexed")
        figures = await self.selectivity(vectors, vacancies)
        figures |= await self.oracle(vacancies, people)
        figures |= await self.exclusion(vacancies, vectors, batches)
        figures |= await self.reasons(vacancies[:BATCH])
        return {name: round(float(value), 4) for name, value in figures.items()}

    async def fill(self, people: Sequence[Candidate]) -> Vectors:
        """Revisions are 1, 2, 3… in random order, so that a filter on them can pass any share of points."""
        order = np.random.default_rng(7).permutation(len(people)) + 1
        parts = []
        for start in range(0, len(people), WRITE):
            part = people[start : start + WRITE]
            embedded = self.encoder.encode([document_of(each) for each in part])
            points = [
                replace(point(Embedded(each, vector, float(certainty))), revision=int(revision))
                for each, vector, certainty, revision in zip(
                    part, embedded.vectors, embedded.certainty, order[start:], strict=False
                )
            ]
            for index in self.indexes.values():
                await index.upsert(Side.CANDIDATE, points)
            parts.append(embedded.vectors)
        self.order = order
        return np.concatenate(parts)

    async def selectivity(self, vectors: Vectors, vacancies: Sequence[Vacancy]) -> dict[str, float]:
        asked = self.encoder.encode([document_of(each) for each in vacancies[: 2 * BATCH]]).vectors
        figures: dict[str, float] = {}
        recalls = []
        for share in SHARES:
            limit = round(share * len(vectors))
            queries = [Query(vector, AtMost("revision", limit), 10) for vector in asked]
            found, times = [], []
            for start in range(0, len(queries), BATCH // 2):
                started = perf_counter()
                found += await self.index.search(Side.CANDIDATE, queries[start : start + BATCH // 2])
                times.append((perf_counter() - started) * 1000 / (BATCH // 2))
            passing = vectors[self.order <= limit]
            tenth = np.partition(asked @ passing.T, -10, axis=1)[:, -10]  # (queries,)
            right = sum(
                hit.score >= least - 1e-6 for hits, least in zip(found, tenth, strict=True) for hit in hits
            )
            recalls.append(right / (10 * len(queries)))
            figures[f"search_{share:.0%}_ms".replace("%", "pct")] = median(times)
            click.echo(f"{share:5.0%} pass: {median(times):6.2f} ms a query, recall@10 {recalls[-1]:.4f}")
        return figures | {"recall10": min(recalls)}

    async def oracle(self, vacancies: Sequence[Vacancy], people: Sequence[Candidate]) -> dict[str, float]:
        """Both directions: few vacancies against all candidates, and the same number of pairs reversed."""
        encoded = self.encoder.encode([document_of(each) for each in vacancies])
        embedded = map(Embedded, vacancies, encoded.vectors, encoded.certainty.tolist())
        # This revision is older than all later ones.
        await self.index.upsert(Side.VACANCY, [replace(point(each), revision=0) for each in embedded])
        askers = people[: ORACLE_EVENTS * len(people) // len(vacancies)]
        pairs = mismatches = 0
        for side, asking, others in (
            (Side.CANDIDATE, vacancies[:ORACLE_EVENTS], people),
            (Side.VACANCY, askers, vacancies),
        ):
            asked: Sequence[Entity] = asking
            for entity, vector in zip(
                asked, self.encoder.encode(list(map(document_of, asked))).vectors, strict=True
            ):
                [hits] = await self.index.search(side, [Query(vector, wanted(entity, NOW), len(others))])
                kept = {found.hit.id for found in compatible_hits(entity, hits, NOW)}
                expected = {other.id for other in others if compatible(*_ordered(entity, other), NOW)}
                mismatches += len(kept ^ expected)
            pairs += len(asked) * len(others)
        click.echo(f"{pairs:,} pairs against the predicate, both ways: {mismatches} mismatches")
        return {"oracle_pairs": pairs, "oracle_mismatches": mismatches}

    async def exclusion(
        self, vacancies: Sequence[Vacancy], vectors: Vectors, batches: int
    ) -> dict[str, float]:
        workers = {count: await self.worker(count, vectors) for count in RULES}
        times: dict[int, list[float]] = {count: [] for count in RULES}
        for number in range(batches):
            part = vacancies[number * BATCH : (number + 1) * BATCH]
            for worker in workers.values():
                await worker.run(Side.VACANCY, records(part, 0))  # warm up, and index the vacancies
            for turn, count in enumerate(random.Random(number).sample(RULES, len(RULES)), start=1):
                again = records([_changed(each, turn) for each in part], turn)
                started = perf_counter()
                await workers[count].run(Side.VACANCY, again)
                times[count].append((perf_counter() - started) * 1000)
        figures: dict[str, float] = {}
        for count in RULES:
            paired = [b / a - 1 for a, b in zip(times[0], times[count], strict=True)]
            click.echo(
                f"{count:6,} rules: {median(times[count]):7.1f} ms a batch of {BATCH}, {median(paired):+.1%}"
            )
            figures[f"batch_{count}_rules_ms"] = median(times[count])
        many = [b / a - 1 for a, b in zip(times[0], times[RULES[-1]], strict=True)]
        return figures | {"rules_10k_overhead": median(many)}

    async def worker(self, rules: int, vectors: Vectors) -> BatchRunner:
        anchors = self.anchors(2 * rules, vectors)
        areas = anchors / np.float32(RADIUS)
        points = [Point(f"r{row // 2}#{row % 2}", 1, area, {}) for row, area in enumerate(areas)]
        for start in range(0, len(points), WRITE):
            await self.indexes[rules].upsert(Lookup.ANCHOR, points[start : start + WRITE])
        if rules:
            inside = (vectors[:1000] @ areas.T).max(axis=1) >= INSIDE
            click.echo(f"{rules:6,} rules: {inside.mean():.1%} of the candidates lie in some area")
        return BatchRunner(
            encoder=self.encoder,
            index=self.indexes[rules],
            publisher=Nowhere(),
            policy=Policy(10, 0.5),
            limits=Limits(1_048_576, 300_000),
            now=lambda: NOW,
        )

    def anchors(self, count: int, vectors: Vectors) -> Vectors:
        if self.onet is None:
            return vectors[np.random.default_rng(5).integers(len(vectors), size=count)]
        lines = (self.onet / "Alternate Titles.txt").read_text(encoding="utf-8").splitlines()[1:]
        titles = sorted({line.split("\t")[1] for line in lines})
        chosen = random.Random(5).sample(titles, count)
        return self.encoder.encode([Document(title) for title in chosen]).vectors if chosen else vectors[:0]

    async def reasons(self, vacancies: Sequence[Vacancy]) -> dict[str, float]:
        """Time and bytes of a match, for every vacancy and its ten best, with references loaded."""
        labels = sorted({vacancy.title for vacancy in vacancies})
        occupations = [
            Occupation(
                id=f"http://data.europa.eu/esco/occupation/{n}", occurred_at=NOW, revision=1, label=label
            )
            for n, label in enumerate(labels)
        ]
        events = [Defined(records(vacancies, 0)[0], occupation) for occupation in occupations]
        await Occupations(self.encoder, self.index).apply(events, NOW)
        encoded = self.encoder.encode([document_of(each) for each in vacancies])
        nearest = await References(self.index, 0.5).nearest(list(encoded.vectors))
        policy = Policy(10, 0.0)
        made, seconds = [], 0.0
        for vacancy, vector, occupation in zip(vacancies, encoded.vectors, nearest, strict=True):
            embedded = Embedded(vacancy, vector, 0.5, occupation=occupation)
            [hits] = await self.index.search(Side.CANDIDATE, [Query(vector, wanted(vacancy, NOW), 16)])
            found = [
                replace(each, card=each.card.model_copy(update={"occupation": occupation}))
                for each in compatible_hits(vacancy, hits, NOW)
            ]
            started = perf_counter()
            made += matches(self.encoder, embedded, found, policy, NOW)
            seconds += perf_counter() - started
        largest = max(len(match.model_dump_json()) for match in made)
        each_us = seconds * 1e6 / len(made)
        click.echo(f"{each_us:.0f} us a match with its reasons; the largest has {largest} bytes")
        return {"match_us": each_us, "reason_bytes_max": largest}


class Nowhere:
    async def publish(self, records: Iterable[Outgoing]) -> None:
        for _ in records:
            pass


def _changed(vacancy: Vacancy, turn: int) -> Vacancy:
    """A worker leaves out what did not change."""
    return vacancy.model_copy(update={"description": f"{vacancy.description or ''} {turn}"})


def _ordered(one: Entity, other: Entity) -> tuple[Vacancy, Candidate]:
    vacancy, candidate = (one, other) if isinstance(one, Vacancy) else (other, one)
    assert isinstance(vacancy, Vacancy)
    assert isinstance(candidate, Candidate)
    return vacancy, candidate


def records(entities: Sequence[Entity], turn: int) -> list[Record]:
    """Each turn gives newer revisions."""
    return [
        Record(
            "vacancies",
            0,
            number,
            each.id.encode(),
            each.model_copy(update={"revision": turn + 1}).model_dump_json(exclude_defaults=True).encode(),
            0,
        )
        for number, each in enumerate(entities)
    ]


if __name__ == "__main__":
    main()

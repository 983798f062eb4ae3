"""Does feedback improve the model? Three rounds of match, feedback, retraining and rollout.

    python -m bench.loop --onet DIRECTORY --plot docs/figures/loop.png

It runs on the embedded stack. Recruiters of an invented market have a preference that titles do not show
(bench/rig/market.py). Each round publishes people and vacancies, lets the worker match them, lets recruiters
judge shown matches and applicants, trains on the `feedback` topic, and rolls the model out if the gate
allows it. Recall is measured on vacancies and people of a later period without verdicts. Then the same is
done with poisoned feedback. The last line is one JSON object.
"""

import asyncio
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
import numpy as np
import orjson
import torch

from bench.pipeline import effects
from bench.rig.market import Market, Period, flipped, sample_split, spam
from rolecall.encoder.artifact import BUNDLED
from rolecall.encoder.document import candidate_document, vacancy_document
from rolecall.encoder.model import Encoder
from rolecall.schemas.feedback import Feedback
from rolecall.schemas.match import Match, Side
from rolecall.schemas.rollout import Deployment
from rolecall.schemas.topics import CANDIDATES, FEEDBACK, MATCHES, VACANCIES
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.stack import FETCH_MAX_WAIT_MS, Stack, embedded_stack, worker
from rolecall.streams.events.receive import Entity, read_event
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.kafka.lag import lag
from rolecall.streams.kafka.publisher import producer
from rolecall.streams.rollout import steps as deployment
from rolecall.streams.rollout import switch as rollout
from rolecall.streams.settings import Settings
from rolecall.training.data import ontology
from rolecall.training.feedback import entities, gate, topics, verdicts
from rolecall.training.feedback import pairs as feedback
from rolecall.training.feedback.config import GateConfig, RetrainConfig
from rolecall.training.feedback.finetune import Judged
from rolecall.training.feedback.gate import Decision
from rolecall.training.feedback.retrain import Ground, retrain
from rolecall.training.judge import evaluate, metrics

T = TypeVar("T")

ROUNDS = 3
OCCUPATIONS = 40
VACANCIES_A_ROUND, CANDIDATES_A_ROUND = 100, 240
LATER_CANDIDATES = 160  # four of each occupation, so a vacancy's team is eight people
APPLICATIONS = 4  # number of applications of each person
MONTH = timedelta(days=30)


@dataclass
class Loop:
    stack: Stack
    market: Market
    ground: Ground
    folder: Path
    start: datetime
    config: RetrainConfig
    model: Path = BUNDLED

    def __post_init__(self) -> None:
        self.published: list[Entity] = []
        self.serving = self.ground.encoder
        self.live = Deployment(model_version=self.serving.version, generation=deployment.FOUNDING)
        self.later = self.market.period(
            ROUNDS, OCCUPATIONS * 2, LATER_CANDIDATES, self.start + ROUNDS * MONTH
        )
        self.wanted = self.market.later_matches(self.later)

    def recall(self, encoder: Encoder) -> float:
        """Recall@10 of the later period's matches."""
        vacancies = encoder.encode([vacancy_document(v) for v in self.later.vacancies]).vectors
        people = encoder.encode([candidate_document(c) for c in self.later.candidates]).vectors
        relevant = np.array(
            [[c.id in self.wanted[v.id] for c in self.later.candidates] for v in self.later.vacancies]
        )
        scores = evaluate.dense_scores(vacancies, people)
        asked = relevant.any(1)
        return float(metrics.recall_at(scores[asked], relevant[asked], 10).mean())

    def round(self, number: int) -> Decision:
        """Match, judge, retrain. If the gate promotes the new model, it serves next."""
        now = self.start + number * MONTH
        period = self.market.period(
            number, VACANCIES_A_ROUND, CANDIDATES_A_ROUND, now, joined=(number + 1) / ROUNDS
        )
        with self.serve():
            self.publish(period)
        found = asyncio.run(self.matches(period))
        events = [
            *self.market.on_matches(found, now),
            *self.market.on_applications(period, APPLICATIONS, now),
        ]
        asyncio.run(
            send(self.stack, [(FEEDBACK.name, e.vacancy_id, e.model_dump_json().encode()) for e in events])
        )
        received = asyncio.run(verdicts.read(self.stack.settings))
        out = self.folder / f"round-{number + 1}"
        decision = self.retrain(received.events, out)
        click.echo(f"  {len(found)} matches shown, {len(events)} events; {verdict(decision)}")
        if decision.promoted:
            self.model, self.serving = out, Encoder.load(out, device="cpu")
        return decision

    def retrain(self, events: Sequence[Feedback], out: Path) -> Decision:
        here, _ = asyncio.run(entities.read(self.stack.settings))
        rules, dropped = self.config.rules, Counter[str]()
        pairs = feedback.graded_pairs(events, here, rules, dropped)
        judged = Judged(pairs, here.documents, feedback.second_thoughts(events, here, rules))
        return retrain(self.ground, judged, self.serving, self.config, out, origin={"dropped": dict(dropped)})

    @contextmanager
    def serve(self) -> Iterator[None]:
        """Runs a worker of the current model. If the model is new, rolls it out first."""
        rolled_out = self.serving.version == self.live.model_version
        if not rolled_out:
            self.roll_out(lambda at: rollout.start(at, self.model))
        environment = {
            **self.stack.environment(),
            "ROLECALL_MODEL": str(self.model),
            "ROLECALL_MIN_CONFIDENCE": "0",
            "ROLECALL_LOG_LEVEL": "error",
        }
        with worker(environment) as process:
            if not rolled_out:
                self.live = self.roll_out(lambda at: rollout.switch(at, click.echo)).live
                self.roll_out(lambda at: rollout.drop(at, click.echo))
            group = deployment.group(self.live, "rolecall")
            asyncio.run(self.drained(group, process))
            yield
            asyncio.run(self.drained(group, process))

    def roll_out(self, step: Callable[[rollout.RolloutSession], Awaitable[T]]) -> T:
        settings = Settings(
            broker=self.stack.broker,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            idempotent_producer=False,
            index="edge",
            edge_socket=self.stack.edge_socket,
            stop_seconds=1,  # no worker serves the dropped deployment
        )

        async def run() -> T:
            async with rollout.session(settings) as at:
                return await step(at)

        return asyncio.run(run())

    async def drained(self, group: str, process: subprocess.Popen[bytes]) -> None:
        while await lag(self.stack.settings, group):
            if process.poll() is not None:
                raise RuntimeError(f"the worker of {self.model} ended with exit code {process.returncode}")
            await asyncio.sleep(0.2)

    def publish(self, period: Period) -> None:
        """Publishes people first, so that the list of each vacancy can hold all of them."""
        records = [
            (VACANCIES.name if isinstance(each, Vacancy) else CANDIDATES.name, each.id, event(each))
            for each in period.entities
        ]
        self.published += period.entities
        asyncio.run(send(self.stack, records))

    async def matches(self, period: Period) -> list[Match]:
        """The lists of the period's vacancies."""
        mine = {vacancy.id for vacancy in period.vacancies}
        records, _ = await topics.read(self.stack.settings, MATCHES.name)
        events = (read_event(record.value) for record in records if record.value)
        lists = (each for each in events if isinstance(each, Match) and each.found_by is Side.VACANCY)
        return [
            match
            for match in lists
            if match.vacancy_id in mine and match.model_version == self.serving.version
        ]

    async def lost(self) -> int:
        """Number of published ids that the index of the serving model lacks."""
        collections = deployment.collections(self.live)
        index = QdrantEdge(self.stack.edge_socket, collections, self.serving.dims)
        try:
            return len({each.id for each in self.published} - await effects(index, self.published))
        finally:
            await index.close()

    def poison(self) -> int:
        """Number of poisoned runs that the gate let through: it promoted a model over the bundled one, and
        clean feedback gives another model."""
        clean = Encoder.load(self.folder / f"round-{ROUNDS}", device="cpu")
        self.serving = self.ground.encoder
        events = asyncio.run(verdicts.read(self.stack.settings)).events
        flood = [*events, *spam(self.later, 10_000, self.start + ROUNDS * MONTH, days=20)]
        through = 0
        for name, poisoned in (
            ("30 % flipped", flipped(events, 0.3, 0)),
            ("10,000 votes of a spammer", flood),
        ):
            out = self.folder / name.partition(" ")[0]
            raw = [(each.model_dump_json().encode(), datetime.now(UTC)) for each in poisoned]
            decision = self.retrain(feedback.parse(raw, Counter()), out)
            same = Encoder.load(out, device="cpu").version == clean.version
            click.echo(f"{name}: {verdict(decision)}{'; the same model as without' if same else ''}")
            through += decision.promoted and not same
        return through


def verdict(decision: Decision) -> str:
    if not decision.promoted:
        return "kept back: " + "; ".join(decision.reasons)
    return "promoted, " + ", ".join(f"{check.name} {check.after:.3f}" for check in decision.checks)


def event(entity: Entity) -> bytes:
    return entity.model_dump_json(exclude_defaults=True).encode()


async def send(stack: Stack, records: Sequence[tuple[str, str, bytes]]) -> None:
    sender = producer(stack.settings)
    await sender.start()
    try:
        sent = [await sender.send(topic, value=value, key=key.encode()) for topic, key, value in records]
        await asyncio.gather(*sent)
    finally:
        await sender.stop()


def draw(recalls: Sequence[float], titles: Sequence[float], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3), layout="constrained")
    axes.plot(recalls, "o-", label="later matches of the market")
    axes.plot(titles, "s--", label="titles of held-out occupations")
    axes.set(xlabel="rounds of feedback", ylabel="recall@10", ylim=(0, 1), xticks=range(len(recalls)))
    axes.legend(frameon=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=80)


@click.command()
@click.option(
    "--onet",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the O*NET text files; by default, the few jobs of the bundled sample.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="PNG to draw.")
def main(onet: Path | None, seed: int, plot: Path | None) -> None:
    torch.set_num_threads(1)
    began = time.monotonic()
    split = ontology.split(ontology.read_onet(onet)) if onet else sample_split()
    # The sample has only 108 titles to judge by, so the margin is larger.
    gates = GateConfig() if onet else GateConfig(title_margin=0.05)
    config = RetrainConfig(later=0.15, calibration=0.05, gate=gates)
    with (
        tempfile.TemporaryDirectory(prefix="rolecall-loop-") as folder,
        embedded_stack(Path(folder)) as stack,
    ):
        market = Market(split.train, OCCUPATIONS, seed)
        start = datetime.now(UTC) - (ROUNDS + 1) * MONTH
        loop = Loop(stack, market, Ground.read(BUNDLED, split, seed), Path(folder), start, config)
        recalls, scores = [loop.recall(loop.serving)], [loop.ground.scores]
        click.echo(f"bundled model: recall@10 of later matches {recalls[0]:.3f}")
        for number in range(ROUNDS):
            loop.round(number)
            recalls.append(loop.recall(loop.serving))
            scores.append(gate.ontology_scores(loop.serving, split))
            click.echo(
                f"round {number + 1}: recall@10 of later matches {recalls[-1]:.3f}, of held-out titles "
                f"{scores[-1].titles.mean():.3f} ({time.monotonic() - began:.0f} s)"
            )
        with loop.serve():
            loop.publish(loop.later)
        lost = asyncio.run(loop.lost())
        poisoned = loop.poison()
    titles = [float(each.titles.mean()) for each in scores]
    matched = [float(each.matches.mean()) for each in scores]
    if plot:
        draw(recalls, titles, plot)
    figures = {
        "recall10_by_round": [round(recall, 4) for recall in recalls],
        "ontology_delta": round(min(titles[-1] - titles[0], matched[-1] - matched[0]), 4),
        "ontology_delta_titles": round(titles[-1] - titles[0], 4),
        "ontology_delta_matches": round(matched[-1] - matched[0], 4),
        "lost": lost,
        "poisoned_promoted": poisoned,
        "seconds": round(time.monotonic() - began),
    }
    print(orjson.dumps(figures).decode())


if __name__ == "__main__":
    main()

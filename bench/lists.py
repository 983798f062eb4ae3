"""Are the matches that a consumer holds a function of the market, and what does that cost?

    python -m bench.lists --vacancies open_jobs.csv --onet DIRECTORY [--points 26000] [--orders 3]

Real vacancies and generated candidates go through the batch runner and an embedded index, in several random
orders, without a broker. Then a part of them goes again with other skills, a part is closed, and all are sent
again unchanged. A consumer's state is compared with offline matching of the same entities, which compares
every pair. The first order is also run without lists, as each event once did: its own list and nothing else.

- order_difference: share of the pairs that two orders do not have in common; the largest of any two orders
- completeness, soundness: share of the pairs that belong and are held, and of the held ones that belong
- fill_ratio, changed_ratio: events/s with lists against events/s without, in this run
- nights_*: three nightly feeds of all vacancies, 2 % of them changed; how many pairs a consumer held before
  and after, how many withdrawals and matches were published
- refill_*: one entity is closed at a time; milliseconds until its lists have their next best one
"""

import argparse
import asyncio
import gc
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from bench.candidates import candidates
from bench.pipeline import market_parser, newer, read_vacancies
from bench.worker import LIMITS, batches
from rolecall.encoder.model import Encoder
from rolecall.schemas.common import Status
from rolecall.schemas.match import MatchesWithdrawn, Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import Entity, Published, read_event
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import start_edge
from rolecall.streams.matching.policy import Policy
from rolecall.streams.monitor.tally import Tally
from rolecall.streams.offline.match import market, matches_of
from rolecall.streams.worker.batch import BatchRunner

Pairs = set[tuple[str, str]]
Step = tuple[str, Sequence[Entity]]

NIGHTS = 3
CLOSED_ALONE = 400


@dataclass
class Consumer:
    """Keeps what was published, and how long each pair took."""

    values: list[bytes] = field(default_factory=list)

    async def publish(self, records: Iterable[Outgoing]) -> None:
        self.values += [record.value for record in records if record.value is not None]

    def pairs(self, top_k: int) -> Pairs:
        state = MatchState(event for value in self.values if (event := read_event(value)))
        return {(match.vacancy_id, match.candidate_id) for match in state.belonging(top_k)}


class OwnListOnly(BatchRunner):
    """As each event did before there were floors."""

    async def _note_left(self, *_: object) -> None:
        pass


async def run(runner: BatchRunner, entities: Sequence[Entity], size: int) -> list[Tally]:
    """With the lists beside, as in a worker."""
    running = True
    keeping = asyncio.create_task(runner.lists.keep(lambda: running))
    tallies = [await runner.run(side, some) for side, some in batches(entities, size)]
    running = False
    await runner.lists.work()  # not in the middle of a search: its lists would be forgotten
    keeping.cancel()
    await asyncio.wait([keeping])
    return tallies


async def drain(runner: BatchRunner) -> float:
    started = time.perf_counter()
    while await runner.lists.work():
        pass
    return time.perf_counter() - started


async def market_of(
    index: QdrantEdge, encoder: Encoder, policy: Policy, steps: Sequence[Step], size: int, *, lists: bool
) -> tuple[BatchRunner, Consumer, dict[str, float]]:
    """Brings the steps through a new index. Figures by step."""
    await index.prepare()
    gc.collect()
    gc.freeze()  # as a worker does: what was there before is not looked through for garbage again
    consumer = Consumer()
    made = BatchRunner if lists else OwnListOnly
    runner = made(encoder=encoder, index=index, publisher=consumer, policy=policy, limits=LIMITS)
    figures: dict[str, float] = {}
    for name, entities in steps:
        before, started = len(consumer.values), time.perf_counter()
        await run(runner, entities, size)
        seconds = time.perf_counter() - started
        figures[f"{name}_events_per_s"] = len(entities) / seconds
        figures[f"{name}_records_per_event"] = (len(consumer.values) - before) / len(entities)
        if lists:
            figures[f"{name}_lists_due"] = runner.lists.behind
            figures[f"{name}_drain_s"] = await drain(runner)
    figures["cut"] = runner.lists.counts.cut
    return runner, consumer, figures


async def nights(
    runner: BatchRunner,
    consumer: Consumer,
    entities: Sequence[Entity],
    options: argparse.Namespace,
    now: datetime,
) -> dict[str, float]:
    jobs: dict[str, Entity] = {each.id: each for each in entities if is_of(each, Side.VACANCY)}
    before, published = consumer.pairs(options.top_k), len(consumer.values)
    for night in range(1, NIGHTS + 1):
        later = now + timedelta(seconds=2 + night)
        some = random.Random(night).sample(sorted(jobs), len(jobs) // 50)
        changed = {each.id: each for each in newer([jobs[id] for id in some], later)}
        repeated = {"occurred_at": later, "revision": _ms(later)}
        jobs |= {id: changed.get(id) or each.model_copy(update=repeated) for id, each in jobs.items()}
        await run(runner, list(jobs.values()), options.batch)
        await drain(runner)
    events = [event for value in consumer.values[published:] if (event := read_event(value))]
    withdrawals = sum(isinstance(event, MatchesWithdrawn) for event in events)
    return {
        "nights_changed": NIGHTS * len(some),
        "nights_withdrawals": withdrawals,
        "nights_matches": len(events) - withdrawals,
        "nights_held_before": len(before),
        "nights_held_after": len(consumer.pairs(options.top_k)),
    }


async def refills(runner: BatchRunner, entities: Sequence[Entity], now: datetime) -> dict[str, float]:
    later = now + timedelta(seconds=3 + NIGHTS)
    closed = {"status": Status.CLOSED, "occurred_at": later, "revision": _ms(later)}
    times: list[float] = []
    for each in random.Random(4).sample(entities, CLOSED_ALONE):
        started = time.perf_counter()
        for side, some in batches([each.model_copy(update=closed)], 1):
            await runner.run(side, some)
        if runner.lists.behind:
            await drain(runner)
            times.append(1000 * (time.perf_counter() - started))
    p50, p99 = np.percentile(times, [50, 99]) if times else (0.0, 0.0)
    return {"refills": len(times), "refill_p50_ms": p50, "refill_p99_ms": p99}


def steps_of(entities: Sequence[Entity], seed: int, now: datetime) -> tuple[list[Step], list[Entity]]:
    """What is sent, and what is left at the end."""
    order = list(entities)
    random.Random(seed).shuffle(order)
    by_id = sorted(entities, key=lambda entity: entity.id)
    changed = newer(random.Random(1).sample(by_id, len(by_id) // 4), now)
    closing = random.Random(2).sample(by_id, len(by_id) // 10)
    closed = [
        each.model_copy(update={"status": Status.CLOSED, "occurred_at": later, "revision": _ms(later)})
        for later in [now + timedelta(seconds=1)]
        for each in closing
    ]
    left = {entity.id: entity for entity in [*entities, *changed]}
    for each in closed:
        del left[each.id]
    again = [
        each.model_copy(update={"occurred_at": later, "revision": _ms(later)})
        for later in [now + timedelta(seconds=2)]
        for each in left.values()
    ]
    for some in (changed, closed, again):
        random.Random(seed).shuffle(some)
    return [("fill", order), ("changed", changed), ("closed", closed), ("again", again)], list(left.values())


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def belonging(entities: Sequence[Entity], encoder: Encoder, policy: Policy, now: datetime) -> Pairs:
    sides = {
        side: [Published(Record("", 0, 0, None, None, 0), each) for each in entities if is_of(each, side)]
        for side in Side
    }
    with market(sides, (), encoder, policy, now) as opened:
        return {(match.vacancy_id, match.candidate_id) for match in matches_of(opened)}


def is_of(entity: Entity, side: Side) -> bool:
    return isinstance(entity, Vacancy) is (side is Side.VACANCY)


async def measure(connect: Callable[[str, int], QdrantEdge], options: argparse.Namespace) -> dict[str, float]:
    encoder = Encoder.load(threads=1)
    now = datetime.now(UTC) - timedelta(seconds=10)
    jobs, _ = read_vacancies(options.vacancies, now)
    people: list[Entity] = list(candidates(options.onet, count=options.candidates, seed=1, now=now))
    share = min(1.0, options.points / (len(jobs) + len(people)))
    chance = random.Random(3)
    entities = [entity for some in (jobs, people) for entity in chance.sample(some, round(share * len(some)))]
    policy = Policy(
        options.top_k, options.min_confidence, duplicates_share_a_place=not options.duplicates_apart
    )
    wanted = belonging(steps_of(entities, 0, now)[1], encoder, policy, now)
    held: list[Pairs] = []
    figures: dict[str, float] = {"entities": len(entities), "belonging": len(wanted)}
    for seed in range(options.orders):
        steps, left = steps_of(entities, seed, now)
        if seed == 0:
            alone = replace(policy, max_entered=0)
            index = connect("alone", encoder.dims)
            _, _, old = await market_of(index, encoder, alone, steps, options.batch, lists=False)
            await index.close()
        index = connect(f"order{seed}", encoder.dims)
        runner, consumer, found = await market_of(index, encoder, policy, steps, options.batch, lists=True)
        held.append(consumer.pairs(options.top_k))
        if seed == 0:
            figures |= found
            figures |= await nights(runner, consumer, left, options, now)
            figures |= await refills(runner, left, now)
            figures |= {
                f"{name}_ratio": found[f"{name}_events_per_s"] / old[f"{name}_events_per_s"]
                for name in ("fill", "changed", "closed", "again")
            }
            figures["fill_records_per_event_alone"] = old["fill_records_per_event"]
            figures["changed_records_per_event_alone"] = old["changed_records_per_event"]
        await index.close()
    pairs = combinations(held, 2)
    figures["order_difference"] = max((len(a ^ b) / max(len(a | b), 1) for a, b in pairs), default=0.0)
    figures["completeness"] = min(len(wanted & each) / len(wanted) for each in held)
    figures["soundness"] = min(len(wanted & each) / len(each) for each in held)
    return {name: float(np.round(figure, 4)) for name, figure in figures.items()}


def main() -> None:
    parser = market_parser(__doc__)
    parser.add_argument("--points", type=int, default=26_000, help="so many of both sides, at random")
    parser.add_argument("--orders", type=int, default=3)
    parser.add_argument("--top-k", type=int, default=10)
    parser.add_argument("--min-confidence", type=float, default=0.2)
    parser.add_argument("--duplicates-apart", action="store_true", help="each takes a place of its own")
    parser.add_argument("--batch", type=int, default=128, help="records a batch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rolecall-bench-") as folder:
        socket = Path(folder) / "socket"
        with start_edge(Path(folder) / "index", socket):
            figures = asyncio.run(measure(partial(QdrantEdge, socket), options))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Inject many faults while events flow. Nothing may be lost, invented or dead-lettered without cause.

    python -m bench.chaos --faults 115 --events 55000 --seed 1
    python -m bench.chaos --kafka PATH/TO/KAFKA --faults 500 --events 200000

Two workers, four partitions, the embedded stack behind gates; with --kafka, Apache Kafka from this folder,
with compaction that runs, idempotent producers, a foreign transactional producer and a second group of
readers beside ours, and more kinds of faults. Each fault happens while a part of the events is published.
The workers have recovered once all of these are committed. Then the ids of that part are compared with the
expected state; at the end, all ids are. The same seed gives the same events and the same faults in the same
order; where in a batch one strikes is up to the machine. Duplicates are matches published more than once,
those that both sides found among them.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import inf
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.rig.faults import FAULTS, ON_KAFKA
from bench.rig.population import Population
from bench.rig.ward import Account, Ward

POPULATION = 400  # vacancies, and as many candidates
PAUSE_SECONDS = 0.3


@dataclass
class Row:
    """Results of one kind of fault."""

    recovered: list[float] = field(default_factory=list)  # seconds from the end of the fault
    lost: int = 0
    repeated: int = 0
    repeated_after_dedup: int = 0


@dataclass
class Outcome:
    rows: dict[str, Row]
    events: int
    lost: list[str]
    wrong_letters: list[str]
    wrong_pairs: int
    repeated_after_dedup: int
    restarts: int
    rss_mb: list[float]
    erased_back: int

    @property
    def recovered(self) -> list[float]:
        return [seconds for row in self.rows.values() for seconds in row.recovered]

    def figures(self) -> dict[str, int | float]:
        fifth = max(1, len(self.rss_mb) // 5)
        return {
            "faults": len(self.recovered),
            "events": self.events,
            "lost": len(self.lost),
            "erased_back": self.erased_back,
            "wrong_pairs": self.wrong_pairs,
            "wrong_dead_letters": len(self.wrong_letters),
            "duplicates_after_dedup": self.repeated_after_dedup,
            "recovery_p50_s": round(median(self.recovered), 1),
            "recovery_max_s": round(max(self.recovered), 1),
            "rss_growth": round(median(self.rss_mb[-fifth:]) / median(self.rss_mb[:fifth]) - 1, 3),
        }


def schedule(seed: int, count: int, kinds: list[str]) -> list[str]:
    """Kinds of faults in random order. The counts of two kinds differ by at most one."""
    rng = random.Random(seed)
    chosen = list(islice(cycle(rng.sample(kinds, len(kinds))), count))
    rng.shuffle(chosen)
    return chosen


class Run:
    """A stack under faults, and what was measured so far."""

    def __init__(self, ward: Ward, truth: Population, events: int) -> None:
        self._ward = ward
        self._truth = truth
        self._account = Account(ward, truth)
        self._each = events  # published beside each fault
        self._rows: defaultdict[str, Row] = defaultdict(Row)
        self._lost: list[str] = []
        self._rss_mb: list[float] = []
        self._account.publish(events)
        ward.until_drained()
        self._before = self._account.repeated()

    def strike(self, name: str, rng: random.Random, beside: Executor) -> str:
        """Cause one fault while events are published. Returns one line about the recovery."""
        row = self._rows[name]
        publishing = beside.submit(self._account.publish, self._each, pause_seconds=PAUSE_SECONDS)
        time.sleep(rng.uniform(0, 1))  # anywhere in a batch, not always at the same step
        (FAULTS | ON_KAFKA)[name](self._ward, rng)
        over = time.monotonic()
        keys = publishing.result()
        self._ward.until_drained()
        row.recovered.append(time.monotonic() - over)
        missing = self._account.lost(keys)
        repeated = self._account.repeated()
        row.lost += len(missing)
        row.repeated += repeated[0] - self._before[0]
        row.repeated_after_dedup += repeated[1] - self._before[1]
        self._before = repeated
        self._lost += missing
        self._rss_mb.append(self._ward.rss_mb())
        return (
            f"{name}: recovered in {row.recovered[-1]:.1f} s, {len(missing)} lost, "
            f"{self._ward.restarts} restarts, {self._rss_mb[-1]:.0f} MB"
            + "".join(f"\n  {it}" for it in missing)
        )

    def outcome(self) -> Outcome:
        """Compares everything with the expected state."""
        lost = {*self._lost, *self._account.lost(self._truth.newest.keys()), *self._account.wrong_beside()}
        erased_back = self._account.erased_back()
        self._ward.stop_workers()
        return Outcome(
            dict(self._rows),
            self._account.events,
            sorted(lost),
            self._account.wrong_letters(),
            len(self._account.wrong_pairs()),
            self._account.repeated()[1],
            self._ward.restarts,
            self._rss_mb,
            erased_back,
        )


def run(
    seed: int,
    faults: list[str],
    events: int,
    population: int,
    *,
    minutes: float = inf,
    console: Console | None = None,
) -> Outcome:
    rng = random.Random(seed)
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rolecall-chaos-")))
        ward = Ward(directory, running)
        beside = running.enter_context(ThreadPoolExecutor(1))  # ends before what it publishes to
        going = Run(ward, Population(seed, population), events // (len(faults) + 1))
        deadline = time.monotonic() + 60 * minutes
        for number, name in enumerate(faults, 1):
            if time.monotonic() > deadline:
                break
            told = going.strike(name, rng, beside)
            if console:
                console.print(f"{number}/{len(faults)}  {told}")
        return going.outcome()


def table(outcome: Outcome) -> Table:
    drawn = Table("fault", "times", "recovery p50 s", "max s", "lost", "duplicates", "after dedup")
    for name, row in sorted(outcome.rows.items()):
        p50, longest = f"{median(row.recovered):.1f}", f"{max(row.recovered):.1f}"
        counts = row.lost, row.repeated, row.repeated_after_dedup
        drawn.add_row(name, str(len(row.recovered)), p50, longest, *map(str, counts))
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=115)
    parser.add_argument("--events", type=int, default=55_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", choices=FAULTS | ON_KAFKA, action="append", help="these kinds alone; repeat it"
    )
    parser.add_argument("--minutes", type=float, default=inf, help="no fault after so long")
    parser.add_argument("--kafka", type=Path, help="folder of an Apache Kafka distribution, to run on it")
    options = parser.parse_args()
    kinds = list(FAULTS)
    if options.kafka:
        os.environ["KAFKA_HOME"] = str(options.kafka.resolve())
        kinds += ON_KAFKA
    console = Console(width=110)
    faults = schedule(options.seed, options.faults, options.only or kinds)
    outcome = run(options.seed, faults, options.events, POPULATION, minutes=options.minutes, console=console)
    console.print(table(outcome))
    for what in outcome.lost[:20]:
        console.print(f"lost: {what}")
    for what in outcome.wrong_letters[:20]:
        console.print(f"wrong dead letter: {what}")
    figures = outcome.figures()
    print(json.dumps(figures))
    bad = ("lost", "erased_back", "wrong_pairs", "wrong_dead_letters", "duplicates_after_dedup")
    sys.exit(1 if any(figures[name] for name in bad) else 0)


if __name__ == "__main__":
    main()

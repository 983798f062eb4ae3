"""Back-pressure: many cheap events, a burst of them, and an index that is slow for some time.

    python -m bench.soak --events 300000

The events close vacancies: the worker writes them and withdraws matches, but encodes nothing. Gates count the
bytes that the one worker takes from the broker, and how often it joins its group.
"""

import argparse
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.rig.faults import delayed
from bench.rig.history import EPOCH
from bench.rig.ward import GROUP, Ledger, Ward
from bench.rig.wire import Sent
from rolecall.schemas.common import Status
from rolecall.schemas.topics import VACANCIES
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.kafka.lag import lag

CHUNK = 10_000
FIRST = 50_000
BURST = 100_000
IDS = 1_000
SLOW_SECONDS = 30.0
DELAY_SECONDS = 1.0  # delay of every answer of the index


class Deaf(Ledger):
    """Drops the output, because it would fill the memory of the bench."""

    def _keep(self, record: Any) -> None:
        if record.value == b'{"type":"fence"}' or b'"fence"' in (record.value or b""):
            super()._keep(record)


def closing(number: int) -> Sent:
    vacancy = Vacancy(
        id=f"v{number % IDS}",
        revision=EPOCH + number,
        occurred_at=datetime.fromtimestamp(EPOCH / 1000, UTC),
        title="nurse",
        status=Status.CLOSED,
    )
    value = vacancy.model_dump_json(exclude_defaults=True).encode()
    return Sent(VACANCIES.name, vacancy.id.encode(), value)


class Soak:
    def __init__(self, ward: Ward) -> None:
        self._ward = ward
        self.published = 0

    def publish(self, count: int) -> None:
        for start in range(self.published, self.published + count, CHUNK):
            end = min(start + CHUNK, self.published + count)
            self._ward.ledger.send_all(map(closing, range(start, end)))
        self.published += count

    def through(self, count: int) -> float:
        """Events per second, from their publication to the last commit."""
        started = time.monotonic()
        self.publish(count)
        self._ward.until_drained()
        return count / (time.monotonic() - started)

    def slow(self) -> dict[str, float]:
        """Figures while the index is slow and more events wait than fit into the buffers."""
        kafka, ward = self._ward.kafka, self._ward
        with delayed(ward.index_gate, DELAY_SECONDS):
            self.publish(20_000)
            waiting = ward.ledger.run(lag(ward.settings, GROUP))
            time.sleep(SLOW_SECONDS / 2)  # until the buffers are full
            taken = kafka.taken_bytes
            left = ward.ledger.run(lag(ward.settings, GROUP))
            time.sleep(SLOW_SECONDS / 2)
            figures = {
                "slow_events_per_s": (left - ward.ledger.run(lag(ward.settings, GROUP))) / (SLOW_SECONDS / 2),
                "slow_taken_bytes_per_s": (kafka.taken_bytes - taken) / (SLOW_SECONDS / 2),
                "slow_lag": float(waiting),
                "slow_rss_mb": ward.rss_mb(),
            }
        ward.until_drained()
        return figures


def measure(events: int, console: Console) -> dict[str, float]:
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rolecall-soak-")))
        ward = Ward(directory, running, workers=1, ledger=Deaf, ROLECALL_BATCH_SIZE="256")
        soak = Soak(ward)
        first = min(FIRST, events)
        rate = soak.through(first)
        early = ward.rss_mb()
        console.print(f"{soak.published:,} events: {rate:,.0f} events/s, {early:.0f} MB")
        slow = soak.slow()
        console.print(f"index slow: {slow}")
        joins = ward.kafka.joins
        burst = min(BURST, max(0, events - soak.published))
        burst_rate = soak.through(burst) if burst else 0.0
        joins = ward.kafka.joins - joins
        console.print(
            f"burst of {burst:,}: {burst_rate:,.0f} events/s, {joins} joins, {ward.rss_mb():.0f} MB"
        )
        while soak.published < events:
            soak.through(min(FIRST, events - soak.published))
            console.print(f"{soak.published:,} events: {ward.rss_mb():.0f} MB")
        late = ward.rss_mb()
        ward.stop_workers()
    figures = {
        "events": soak.published,
        "events_per_s": rate,
        **slow,
        "burst": burst,
        "burst_events_per_s": burst_rate,
        "burst_joins": joins,
        "restarts": ward.restarts,
        "rss_mb_first": early,
        "rss_mb_last": late,
        "rss_growth": late / early - 1,
    }
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=300_000)
    figures = measure(parser.parse_args().events, Console(width=110))
    print(json.dumps(figures))
    sys.exit(1 if figures["rss_growth"] > 0.2 or figures["burst_joins"] or figures["restarts"] else 0)


if __name__ == "__main__":
    main()

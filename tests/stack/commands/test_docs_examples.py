"""The producer and the consumer of the documentation, on a broker with workers."""

import asyncio
import runpy
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.rig.wire import poll
from rolecall.streams.embedded.stack import Stack

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
PAIRS = {("v-1", "c-1"), ("v-2", "c-2")}
NONE: set[tuple[str, str]] = set()


class Consumer:
    """consumer_sqlite.py, run until the test ends."""

    def __init__(self, broker: str, path: Path) -> None:
        self._broker = broker
        self._path = path
        self._names = runpy.run_path(str(EXAMPLES / "consumer_sqlite.py"))

    async def run(self) -> None:
        with closing(self._names["opened"](str(self._path))) as database:
            await self._names["consume"](self._broker, database)

    async def holds(self, pairs: set[tuple[str, str]], others: set[tuple[str, str]] = NONE) -> None:
        """Wait until the database has these pairs, and none of the others."""

        def ready() -> bool:
            held = self._held()
            return pairs <= held and held.isdisjoint(others)

        await asyncio.to_thread(poll, ready, f"{pairs} in the database")

    def _held(self) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(self._path)) as database:
            try:
                return set(database.execute("SELECT vacancy_id, candidate_id FROM current"))
            except sqlite3.OperationalError:  # the consumer has not made its tables yet
                return set()


@pytest.mark.usefixtures("workers")
async def test_what_is_published_is_held_until_it_is_erased(stack: Stack, tmp_path: Path) -> None:
    producer = runpy.run_path(str(EXAMPLES / "producer.py"))
    consumer = Consumer(stack.broker, tmp_path / "matches.db")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(consumer.run())
        await producer["publish"](stack.broker)
        await consumer.holds(PAIRS)
        await producer["erase"](stack.broker, "candidates", "c-2")
        await consumer.holds({("v-1", "c-1")}, {("v-2", "c-2")})
        running.cancel()

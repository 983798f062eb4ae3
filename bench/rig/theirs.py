"""Somebody else's programs on the same Kafka: a transactional producer, and a second group of readers.

What the producer commits must be in the index, and what it takes back must not. The group must see all
matches that were published. Its vacancies lie in a country where nobody else is, so they match nobody.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from bench.rig.history import EPOCH
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.match import Side
from rolecall.schemas.topics import MATCHES, VACANCIES

GROUP = "theirs"
SECONDS = 20.0  # of one transaction, the start of its producer included
STOP_SECONDS = 2.0
COUNTRY = "ZW"
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Theirs:
    def __init__(self, settings: BrokerSettings, run: Run) -> None:
        """`run`: on the event loop that everything here belongs to."""
        self._settings = settings
        self._run = run
        self._producer: AIOKafkaProducer | None = None
        self._number = 0
        self.committed: dict[str, int] = {}  # revisions
        self.aborted: set[str] = set()
        self.seen: set[str] = set()  # ids of matches
        self._reading = run(self._start_reading())

    def write(self) -> None:
        """One transaction that is committed, and one that is taken back; none while the broker is away."""
        for kept in (True, False):
            self._run(self._transaction(kept=kept))

    def close(self) -> None:
        self._run(self._close())

    def wrong(self, points: Callable[[Side, Iterable[str]], Any], published: set[str]) -> list[str]:
        """What the index lacks or holds wrongly, and matches that the group did not see."""
        held = points(Side.VACANCY, [*self.committed, *self.aborted])
        lacking = [
            f"vacancy {id}, committed in a transaction"
            for id, revision in self.committed.items()
            if id not in held or held[id].revision != revision
        ]
        taken = [f"vacancy {id}, of an aborted transaction" for id in self.aborted if id in held]
        return [*lacking, *taken, *(f"match {id}, not seen by {GROUP}" for id in published - self.seen)]

    async def _transaction(self, *, kept: bool) -> None:
        ids = [f"theirs-{self._number + each}" for each in range(3)]
        self._number += len(ids)
        try:
            async with asyncio.timeout(SECONDS):
                producer = await self._started()
                await producer.begin_transaction()
                for id in ids:
                    value = json.dumps(_vacancy(id)).encode()
                    await producer.send_and_wait(VACANCIES.name, key=id.encode(), value=value)
                await (producer.commit_transaction() if kept else producer.abort_transaction())
        except (KafkaError, TimeoutError):  # nobody knows what became of it
            await self._begin_anew()
            return
        if kept:
            self.committed |= dict.fromkeys(ids, EPOCH)
        else:
            self.aborted |= set(ids)

    async def _begin_anew(self) -> None:
        """The start takes back what is open. Until then, nobody reads what was written behind it."""
        if self._producer is not None:
            doomed, self._producer = self._producer, None
            await asyncio.wait([asyncio.create_task(doomed.stop())], timeout=STOP_SECONDS)
        while self._producer is None:
            try:
                async with asyncio.timeout(SECONDS):
                    await self._started()
            except (KafkaError, TimeoutError):
                await asyncio.sleep(0.5)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            made = AIOKafkaProducer(**self._settings.client(), transactional_id="theirs")
            await made.start()
            self._producer = made
        return self._producer

    async def _start_reading(self) -> "asyncio.Task[None]":
        self._consumer = AIOKafkaConsumer(
            MATCHES.name, **self._settings.reader(), group_id=GROUP, auto_offset_reset="earliest"
        )
        await self._consumer.start()
        return asyncio.create_task(self._read())

    async def _read(self) -> None:
        while True:
            try:
                async for record in self._consumer:
                    event = orjson.loads(record.value)
                    if event["type"] == "match":
                        self.seen.add(event["id"])
            except KafkaError:  # the broker is away
                await asyncio.sleep(0.5)

    async def _close(self) -> None:
        """A broker that was started again is stopped before this: nothing of it is waited for."""
        self._reading.cancel()
        stopping = [asyncio.create_task(self._consumer.stop())]
        if self._producer is not None:
            stopping.append(asyncio.create_task(self._producer.stop()))
        await asyncio.wait([self._reading, *stopping], timeout=STOP_SECONDS)
        for task in stopping:
            task.cancel()


def _vacancy(id: str) -> dict[str, object]:
    return {
        "id": id,
        "revision": EPOCH,
        "occurred_at": datetime.fromtimestamp(EPOCH / 1000, UTC).isoformat(),
        "title": "night watch",
        "workplace": "onsite",
        "location": {"country": COUNTRY},
    }

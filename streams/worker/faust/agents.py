"""The agents: take a batch of an input topic, run it, and ack it once its effects are confirmed.

A batch is split into parts. Their size is chosen so that a part takes at most `part_seconds`. Each part is
acked before the next begins.

`stream.noack().noack_take` is the one Faust loop that loses nothing (docs/operations.md, "Why not take"):
`take` acks in a `finally`, and bare `noack_take` restores acks on the way out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import faust

from rolecall.schemas.topics import Topic
from rolecall.streams.events.record import Record
from rolecall.streams.worker.faust.part_size import Pace

SETTLE_SECONDS = 0.002  # between the first event of a batch and the question whether more are waiting

Acknowledge = Callable[[], Awaitable[None]]
Handle = Callable[[str, list[Record], Acknowledge], Awaitable[None]]  # of a topic


def add_agents(
    app: faust.App,
    handle: Handle,
    inputs: Sequence[Topic],
    *,
    batch_size: int,
    within_seconds: float,
    part_seconds: float,
) -> None:
    for name in (topic.name for topic in inputs):
        topic = app.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )
        agent = _agent(name, handle, batch_size, within_seconds, part_seconds)
        app.agent(topic, name=f"take_{name}", concurrency=1)(agent)


def _agent(topic: str, handle: Handle, batch_size: int, within_seconds: float, part_seconds: float) -> Any:
    pace = Pace(batch_size, part_seconds)

    async def take(stream: Any) -> None:
        batches = stream.noack()
        arrivals = Arrivals(batches)
        async for events in batches.noack_take(batch_size, within=within_seconds):
            arrivals.taken(len(events))
            left = events
            while left:
                part, left = left[: pace.size], left[pace.size :]
                started = time.monotonic()
                await handle(
                    topic, [record(event.message) for event in part], partial(_acknowledge, batches, part)
                )
                pace.took(len(part), time.monotonic() - started)

    return take


class Arrivals:
    """Makes `noack_take` of a stream wait for the first event of a batch, then while more are waiting.

    By itself it looks for events every `within` seconds, whether there are any or not. Five agents look 500
    times a second, and each look costs three asyncio tasks. A batch still waits no longer than `within`.
    """

    def __init__(self, stream: Any) -> None:
        self._ahead = 0  # events that have arrived and are in no batch yet
        self._some = asyncio.Event()
        self._waiting = stream.channel.queue
        self._wait = stream.wait_for_stopped
        stream.add_processor(self._arrived)
        stream.wait_for_stopped = self._wait_for_batch  # `noack_take` calls it between two batches

    def taken(self, events: int) -> None:
        self._ahead -= events
        if self._ahead <= 0:
            self._some.clear()

    def _arrived(self, value: Any) -> Any:
        self._ahead += 1
        self._some.set()
        return value

    async def _wait_for_batch(self, full: asyncio.Event, *, timeout: float) -> bool:  # noqa: ASYNC109
        """Whether the stream was stopped."""
        if not self._some.is_set() and await self._wait(self._some):
            return True
        began = time.monotonic()
        await asyncio.sleep(SETTLE_SECONDS)
        while not (  # noqa: ASYNC110 - nothing tells when the queue is empty
            full.is_set() or self._waiting.empty() or time.monotonic() - began > timeout
        ):
            await asyncio.sleep(0)  # the stream's own task takes the next event
        return False


async def _acknowledge(stream: Any, events: list[Any]) -> None:
    for event in events:  # in order of arrival: out of order, Faust commits past the head (#606)
        await stream.ack(event)


def record(message: Any) -> Record:
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        timestamp_ms=-1 if message.timestamp is None else round(message.timestamp * 1000),
        headers=tuple(message.headers or ()),
    )

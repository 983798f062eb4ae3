"""The agents: a batch off each input topic, through the runner, acked when its effects are confirmed.

`stream.noack().noack_take` is the one Faust loop that loses nothing (docs/operations.md, "Why not take"):
`take` acks in a `finally`, and bare `noack_take` restores acks on the way out.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import faust

from schemas.topics import CANDIDATES, OCCUPATIONS, RULES, VACANCIES
from streams.receive import Record

Acknowledge = Callable[[], Awaitable[None]]
Handle = Callable[[str, list[Record], Acknowledge], Awaitable[None]]  # of a topic

INPUTS = (RULES.name, OCCUPATIONS.name, VACANCIES.name, CANDIDATES.name)


def add_agents(app: faust.App, handle: Handle, *, batch_size: int, within_seconds: float) -> None:
    for name in INPUTS:
        topic = app.topic(
            name,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
            allow_empty=True,
        )
        app.agent(topic, name=f"take_{name}", concurrency=1)(_agent(name, handle, batch_size, within_seconds))


def _agent(topic: str, handle: Handle, batch_size: int, within_seconds: float) -> Any:
    async def take(stream: Any) -> None:
        batches = stream.noack()
        async for events in batches.noack_take(batch_size, within=within_seconds):
            await handle(
                topic, [record(event.message) for event in events], partial(_acknowledge, batches, events)
            )

    return take


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
    )

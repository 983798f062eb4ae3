"""Feedback events from the topic or a file. An event without a rank gets the rank of its match."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from rolecall.schemas.broker.reading import TopicError
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.cloud_event import cloud_event
from rolecall.schemas.feedback import Feedback
from rolecall.schemas.match import Match
from rolecall.schemas.record import Record
from rolecall.schemas.topics import FEEDBACK, MATCHES, event_type
from rolecall.training.feedback import pairs as feedback
from rolecall.training.feedback import snapshot, topics
from rolecall.training.feedback.topics import Ranges


@dataclass(frozen=True, slots=True)
class Received:
    events: list[Feedback]  # by time, each once
    offsets: Ranges  # empty for a file
    dropped: Counter[str]


async def read(settings: BrokerSettings, offsets: Ranges | None = None) -> Received:
    """offsets: those of an earlier `Received`; None: all that the topic holds now."""
    records, read_offsets = await topics.read(settings, FEEDBACK.name, offsets)
    dropped: Counter[str] = Counter()
    moments = [datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) for record in records]
    events = feedback.parse(zip((record.value for record in records), moments, strict=True), dropped)
    if any(event.rank is None and event.match_id for event in events):
        matches, _ = await topics.read(settings, MATCHES.name)
        events = with_ranks(events, matches)
    return Received(events, read_offsets, dropped)


def read_file(path: Path, now: datetime) -> Received:
    """Reads a file that `rolecall feedback export` wrote."""
    dropped: Counter[str] = Counter()
    lines = (line for line in snapshot.lines(path) if line.strip())
    return Received(feedback.parse(((line, now) for line in lines), dropped), {}, dropped)


def read_strictly(path: Path) -> list[Feedback]:
    """Raises ValueError for the first line that is not feedback. The text names the line."""
    events = []
    for number, line in enumerate(snapshot.lines(path), start=1):
        try:
            events.append(Feedback.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the line"
            raise ValueError(f"{path}, row {number}: {place}: {first['msg']}") from error
    return events


async def publish(settings: BrokerSettings, events: Sequence[Feedback]) -> None:
    """Return once the broker has stored every event."""
    try:
        sender = AIOKafkaProducer(
            **settings.client(), acks="all", enable_idempotence=settings.idempotent_producer
        )
        try:
            await sender.start()
            sent = [
                await sender.send(
                    FEEDBACK.name,
                    key=event.vacancy_id.encode(),
                    value=event.model_dump_json(exclude_none=True).encode(),
                    headers=cloud_event(event.id, event_type(Feedback), event.occurred_at),
                )
                for event in events
            ]
            await asyncio.gather(*sent)
        finally:
            await sender.stop()
    except (KafkaError, OSError) as error:
        raise TopicError(
            f"topic feedback cannot be written at {settings.broker} ({error}); set ROLECALL_BROKER"
        ) from error


def with_ranks(events: Sequence[Feedback], matches: Iterable[Record]) -> list[Feedback]:
    """An event that names a match and no rank gets the rank of the match."""
    ranks: dict[str, int] = {}
    for record in matches:
        try:
            match = Match.model_validate_json(record.value or b"")
        except ValidationError:  # a withdrawal
            continue
        ranks[match.id] = match.rank
    return [
        event.model_copy(update={"rank": ranks.get(event.match_id)})
        if event.rank is None and event.match_id
        else event
        for event in events
    ]

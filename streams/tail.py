"""The matches topic, live, for people and for pipes."""

import sys
from collections.abc import Iterator

import orjson
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.text import Text

from schemas.match import Match, MatchesWithdrawn
from schemas.topics import MATCHES
from streams.settings import Settings

HEADER = f"{'confidence':<10}  {'vacancy':<24}  {'candidate':<24}  why"


def read_event(value: bytes) -> Match | MatchesWithdrawn:
    kind = orjson.loads(value)["type"]
    return (MatchesWithdrawn if kind == "matches_withdrawn" else Match).model_validate_json(value)


def line(event: Match | MatchesWithdrawn) -> Text:
    if isinstance(event, MatchesWithdrawn):
        return Text(f"{'withdrawn':<10}  {event.side} {event.entity_id}: {event.reason}", style="dim")
    colour = "green" if event.confidence >= 0.8 else "yellow" if event.confidence >= 0.5 else "red"
    text = Text(f"{event.confidence:>8.0%}    ", style=colour)
    text.append(f"{event.vacancy_id:<24.24}  {event.candidate_id:<24.24}  ", style="default")
    text.append("; ".join(why(event)), style="dim")
    return text


def why(match: Match) -> Iterator[str]:
    reasons = match.reasons
    if reasons.features:
        yield reasons.features[0]
    if reasons.shared_skills:
        yield "skills " + ", ".join(reasons.shared_skills[:3])
    if reasons.missing_skills:
        yield "missing " + ", ".join(reasons.missing_skills[:2])


async def follow(settings: Settings, *, as_json: bool, from_start: bool, count: int | None) -> None:
    consumer = AIOKafkaConsumer(
        MATCHES.name,
        bootstrap_servers=settings.broker,
        fetch_max_wait_ms=settings.fetch_max_wait_ms,
        auto_offset_reset="earliest" if from_start else "latest",
    )
    console = Console()
    await consumer.start()
    shown = 0
    try:
        if not as_json:
            console.print(HEADER, style="bold")
        async for record in consumer:
            if as_json:
                sys.stdout.buffer.write(record.value + b"\n")
                sys.stdout.buffer.flush()
            else:
                console.print(line(read_event(record.value)), overflow="ellipsis", no_wrap=True)
            shown += 1
            if shown == count:
                return
    finally:
        await consumer.stop()

"""Feedback events, from the topic or from a file, with the rank of the match where only that knows it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from schemas.feedback import Feedback
from schemas.match import Match
from schemas.topics import FEEDBACK, MATCHES
from training import feedback, topics
from training.topics import Ranges, Record


@dataclass(frozen=True, slots=True)
class Received:
    events: list[Feedback]  # by time, each once
    offsets: Ranges  # empty for a file
    dropped: Counter[str]


async def read(broker: str, offsets: Ranges | None = None) -> Received:
    """offsets: as an earlier `Received` has them; None: all that the topic holds now."""
    records, read_offsets = await topics.read(broker, FEEDBACK.name, offsets)
    dropped: Counter[str] = Counter()
    moments = [datetime.fromtimestamp(record.timestamp_ms / 1000, UTC) for record in records]
    events = feedback.parse(zip((record.value for record in records), moments, strict=True), dropped)
    if any(event.rank is None and event.match_id for event in events):
        matches, _ = await topics.read(broker, MATCHES.name)
        events = with_ranks(events, matches)
    return Received(events, read_offsets, dropped)


def read_file(path: Path, now: datetime) -> Received:
    """JSONL, as `rolecall feedback export` writes it."""
    dropped: Counter[str] = Counter()
    lines = (line for line in path.read_bytes().splitlines() if line.strip())
    return Received(feedback.parse(((line, now) for line in lines), dropped), {}, dropped)


def with_ranks(events: Sequence[Feedback], matches: Iterable[Record]) -> list[Feedback]:
    """Events that name a match and no rank get the match's."""
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

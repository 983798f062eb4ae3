"""What `streams` reads from topics: inputs with the reader that training shares, and our own match events."""

import orjson

from rolecall.schemas.match import Match, MatchesWithdrawn
from rolecall.schemas.receive import (
    AnyEvent,
    D,
    Defined,
    Entity,
    Erased,
    Event,
    Limits,
    Published,
    Reject,
    TurnedDown,
    newest,
    receive,
    receive_definitions,
    receive_feedback,
)

__all__ = [
    "AnyEvent",
    "D",
    "Defined",
    "Entity",
    "Erased",
    "Event",
    "Limits",
    "Published",
    "Reject",
    "TurnedDown",
    "newest",
    "read_event",
    "receive",
    "receive_definitions",
    "receive_feedback",
]


def read_event(value: bytes) -> Match | MatchesWithdrawn | None:
    """None for a type this version does not know."""
    kind = orjson.loads(value)["type"]
    if kind == "matches_withdrawn":
        return MatchesWithdrawn.model_validate_json(value)
    return Match.model_validate_json(value) if kind == "match" else None

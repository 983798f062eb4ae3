"""Results of a batch: counts and seconds for its log line, and what was upserted, for the drift figures."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import NearestOccupation, Side
from rolecall.streams.events.receive import Reject
from rolecall.streams.matching.card import Vector

COUNTS = "cache_hits", "cache_misses", "upserted", "removed", "unchanged", "stale", "matches", "retries"


@dataclass(slots=True)
class Tally:
    """Results of one batch, logged as one line. The seconds of parallel parts add up."""

    side: Side
    events: int
    seconds: dict[Stage, float] = field(default_factory=lambda: dict.fromkeys(Stage, 0.0))
    stage: Stage = Stage.RECEIVE
    cache_hits: int = 0
    cache_misses: int = 0
    upserted: int = 0
    removed: int = 0
    unchanged: int = 0  # stored already; they lead to nothing
    stale: int = 0
    matches: int = 0
    retries: int = 0
    rejects: list[Reject] = field(default_factory=list)
    certainties: list[float] = field(default_factory=list)  # of the upserted entities
    vectors: list[Vector] = field(default_factory=list)
    located: list[NearestOccupation] = field(default_factory=list)

    @property
    def dead_letters(self) -> int:
        return len(self.rejects)

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        self.stage = stage
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def add(self, part: "Tally") -> None:
        for stage, seconds in part.seconds.items():
            self.seconds[stage] += seconds
        for count in COUNTS:
            setattr(self, count, getattr(self, count) + getattr(part, count))
        self.certainties += part.certainties
        self.vectors += part.vectors
        self.located += part.located


@dataclass(frozen=True, slots=True)
class ListCounts:
    """Of the lists that are searched again beside the events."""

    due: int = 0
    matches: int = 0  # published, in all
    cut: int = 0  # events that could enter more lists than they may


@dataclass(slots=True)
class LookupTally:
    events: int
    published: int = 0
    retries: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def dead_letters(self) -> int:
        return len(self.rejects)

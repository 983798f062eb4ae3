"""The port of the vector index: points, queries, hits, and what an index must do with them.

It has two implementations, `qdrant_server` and `edge`. One contract test suite checks both.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID, uuid5

import numpy as np
import numpy.typing as npt

from rolecall.schemas.match import Side
from rolecall.streams.index.conditions import Condition, Payload


class Lookup(StrEnum):
    """Spaces that events are looked up in and never matched with."""

    ANCHOR = "anchor"
    OCCUPATION = "occupation"
    VERDICT = "verdict"


Space = Side | Lookup
SPACES: tuple[Space, ...] = (*Side, *Lookup)


def space_named(value: str) -> Space:
    return next(space for space in SPACES if space == value)


_ENTITIES = UUID("8f3b2a54-6c1d-5e0f-9a7b-2d4c6e8f0a1b")


SCORE_UNITS = 100_000  # of a score of 1
UNREACHABLE = 2**31 - 1


def point_id(entity_id: str) -> UUID:
    return uuid5(_ENTITIES, entity_id)


@dataclass(frozen=True, slots=True)
class Point:
    """One revision of an entity. Without a vector it is a tombstone: id and revision, nothing else."""

    id: str
    revision: int
    vector: npt.NDArray[np.float32] | None = None  # (dims,)
    payload: Payload | None = None

    @property
    def edition(self) -> str:
        """A hash of the content alone, to tell two contents of one revision apart; empty if not known."""
        return str((self.payload or {}).get("edition", ""))


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything of a partition below `offset` was applied to the space, as of `at_ms`."""

    offset: int
    at_ms: int


Least = npt.NDArray[np.int32]
"""(kinds + 1,): in units, a least score by the `kind` of a point. The last one is the lowest, and for points
without a kind."""


@dataclass(frozen=True, slots=True)
class Query:
    vector: npt.NDArray[np.float32]  # (dims,)
    condition: Condition
    limit: int
    min_score: float | None = None
    useful: Least | None = None  # hits that score less may be left out
    reach: int = 0  # how many more hits may follow: points whose `floor` the score reaches
    reach_useful: Least | None = None  # of these, those that score less and have no `asks` may be left out


@dataclass(frozen=True, slots=True)
class Hit:
    id: str
    revision: int
    score: float  # dot product
    payload: Payload  # of the fields of PAYLOAD_INDEXES, only `floor`

    @property
    def reaches(self) -> bool:
        """Whether the score reaches the hit's `floor`. A point without one is never reached."""
        return in_units(self.score) >= int(str(self.payload.get("floor", UNREACHABLE)))


@dataclass(frozen=True, slots=True)
class Repetition:
    """An event that may say what is stored already."""

    id: str
    revision: int
    digest: str  # of everything that its matches depend on


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of a point was searched, and what it lacked is published. Scores are in `SCORE_UNITS`."""

    id: str
    since: int  # with `digest`: the content that was searched with
    digest: str
    listed: int  # how often it was listed before this search began
    floor: int  # whatever scores as much from now on may enter the list
    held: int  # everything that scores as much is published
    members: str = ""  # those that are known, see `worker/members.py`

    @classmethod
    def stored(cls, id: str, payload: Payload) -> "Listing":
        """As the index holds it. Of a point that was never listed, nothing is published."""

        def number(field: str, default: int = UNREACHABLE) -> int:
            return int(str(payload.get(field, default)))

        digest, listed = str(payload.get("digest", "")), number("listed", 0)
        members = str(payload.get("members", ""))
        return cls(id, number("since"), digest, listed, number("floor"), number("held"), members)

    def is_of(self, other: "Listing") -> bool:
        """Whether both are of the same content."""
        return (self.since, self.digest) == (other.since, other.digest)

    def written(self) -> Payload:
        """The fields that it sets."""
        return {"floor": self.floor, "held": self.held, "listed": self.listed + 1, "members": self.members}


LISTING = ["id", "live", "since", "digest", "listed", "floor", "held", "members"]
"""The fields that a listing is compared with, or consists of."""


class Index(Protocol):
    """The points of one deployment, each in its space. Every method may raise `IndexUnavailable`.

    No method but `prepare` creates anything. The others raise `IndexGone` for a space that does not exist.
    """

    contested: int
    """How often `upsert` met one revision with two contents, since this client was made."""

    async def prepare(self) -> None:
        """Create what is missing: one collection a space, payload indexes before any data.

        Call this only where nothing was ever committed, or nothing is missing. Raises `IndexMismatch` if a
        collection cannot hold our vectors exactly, or has limits that events would meet.
        """

    async def missing(self) -> list[Space]:
        """The spaces that do not exist."""

    async def mark(self, space: Space, marks: Mapping[int, Mark]) -> None:
        """Note, by partition, how far its topic was applied. A mark never goes back."""

    async def marks(self, space: Space, partitions: Sequence[int]) -> dict[int, Mark]:
        """The marks of those partitions that have one."""

    async def upsert(self, space: Space, points: Sequence[Point]) -> list[int | None]:
        """Write each point unless a revision as high is stored already; visible to searches on return.

        A tombstone also replaces the live point of its own revision, and is never replaced by one: what is
        taken out in the millisecond of its last change is out. Ids within one call are distinct.

        Of two live points with one revision and two editions, the higher edition wins, in whatever order
        they come.

        Of two writers of one id, each returns what its own write replaced: the reading of what was stored and
        the write are one step.

        Returns the revision stored before, None for a new id. A returned revision above the point's own says
        that the write was stale and ignored (one above it: a tombstone of that very revision is stored, or a
        higher edition); an equal one says that it had been written before.
        """

    async def repeated(self, space: Space, repetitions: Sequence[Repetition]) -> set[str]:
        """Ids of those that are stored with this digest, live, settled and not newer. Their stored revisions
        become the given ones."""

    async def settle(
        self, space: Space, listings: Sequence[Listing], *, own: bool = True
    ) -> dict[str, Listing | None]:
        """The lists of these points are published. A point that was written again since then, so that its
        `since` or its digest is another one, stays as it is.

        own: the event of the point itself publishes its list. Another one only changes what is known of it.

        Returns those that stay as they are, by id: as they are stored if another listing came between, None
        if the point is not the one that was searched with any more.
        """

    async def search(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        """The best hits of each query, best first; tombstones never appear.

        With a `min_score`, none that scores as much is missed, up to the limit. With a `reach`, the points
        follow whose floor the score reaches, unless they are among the best: the best of these, up to `reach`
        with those among the best.
        """

    async def search_allowed(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        """As `search`, less what exclusion rules forbid: hits in an area across from one that the query's
        vector is in. The areas are those of the end of the search, or later ones."""

    async def fetch(self, space: Space, ids: Sequence[str]) -> dict[str, Point]:
        """The stored points, tombstones included; unknown ids are left out."""

    async def page(self, space: Space, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """Ids of live points, and where the next page begins; None after the last. A point that is there
        from the first page to the last is on one of them."""

    async def vectors(self, space: Space, ids: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Of those ids that are live; nothing else is read."""

    async def count(self, space: Space) -> int:
        """How many points are searchable (tombstones are not)."""

    async def expired(self, space: Space, before_ms: int, limit: int) -> list[tuple[str, int]]:
        """Id and revision of live points whose `expires` is below `before_ms`; no more than `limit`."""

    async def purge(self, space: Space, before_ms: int) -> None:
        """Remove the tombstones that were written before that time."""

    async def drop(self) -> None:
        """Remove the collections with all points; none of them need exist. `prepare` makes them anew."""

    async def close(self) -> None: ...


class Stored(NamedTuple):
    revision: int
    live: bool
    edition: str = ""

    def differs(self, revision: int, edition: str) -> bool:
        """Whether a live point of that revision has another content than this one."""
        known = bool(self.edition and edition)
        return known and self.live and self.revision == revision and self.edition != edition


def write_decision(
    stored: tuple[int, bool] | Stored | None, revision: int, *, live: bool, edition: str = ""
) -> tuple[int | None, bool]:
    """What `upsert` returns for a point, and whether it writes it."""
    if stored is None:
        return None, True
    was, was_live, was_edition = there = Stored(*stored)
    if live and there.differs(revision, edition):
        return (was, True) if edition > was_edition else (was + 1, False)
    if was != revision or live == was_live:
        return was, was < revision
    return (was + 1, False) if live else (was, True)


def repeats(stored: Payload, revision: int, digest: str) -> bool:
    """Whether an event with this digest says what the point with this payload says, and its matches are
    published."""
    return (
        "live" in stored
        and stored.get("digest") == digest
        and stored.get("settled") == stored.get("since")
        and int(str(stored["revision"])) <= revision
    )


def in_units(score: float) -> int:
    """A score in the unit of floors, rounded: engines and request sizes differ in the last bits."""
    return round(score * SCORE_UNITS)


def mark_id(partition: int) -> str:
    """Of the point that keeps a mark. No entity can have this id: it has a control character."""
    return f"\x00mark/{partition}"


def now_ms() -> int:
    return time.time_ns() // 1_000_000

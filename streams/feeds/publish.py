"""Files -> input topics; what cannot be read goes to a file of rejects."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

import orjson

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Side
from rolecall.streams.errors import TooManyToClose
from rolecall.streams.events.records import Outgoing, input_record
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject, Parsed
from rolecall.streams.feeds.read import read
from rolecall.streams.feeds.seen import Seen
from rolecall.streams.feeds.topic_state import State, content_digest, newest_state, source_name
from rolecall.streams.kafka.publisher import KafkaPublisher, Publisher, producer, start
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings

CHUNK = 500
T = TypeVar("T")
LARGEST_CLOSED_SHARE = 0.3


@dataclass(slots=True)
class Count:
    """What is done so far, also after an interruption. Published means confirmed by the broker.

    read = published + unchanged + repeated + rejected; `noted` of the published ones lack a field.
    """

    read: int = 0
    published: int = 0
    unchanged: int = 0
    repeated: int = 0
    noted: int = 0
    rejected: int = 0
    closed: int = 0
    notes: Counter[str] = field(default_factory=Counter)  # by field
    examples: dict[str, str] = field(default_factory=dict)  # the first of each kind

    def tell(self, kind: str, example: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        self.examples.setdefault(kind, example)


@dataclass(frozen=True, slots=True)
class Options:
    """How files are published."""

    side: Side | None = None
    mapping: Mapping[str, str] | None = None
    rejects: Path = Path("rejects.jsonl")
    source: str | None = None  # the name of the feed
    only_changed: bool = False
    full_list: bool = False  # what this feed has published and the files lack is closed; needs `source`
    close_any_share: bool = False


async def publish_files(
    settings: Settings,
    files: Sequence[Path],
    options: Options,
    *,
    count: Count,
    advanced: Callable[[Path, int], None],
) -> None:
    """When this returns, the broker has confirmed every published record.

    advanced: called with the file and how many more of its records are done. Raises `TooManyToClose`.
    """
    await require_topics(settings)
    state: State | None = None
    if options.only_changed or options.full_list:
        state = await newest_state(settings, [options.side] if options.side else list(Side), options.source)
    sender = producer(settings)
    try:
        await start(sender)
        with Rejects(options.rejects) as refused:
            run = Run(KafkaPublisher(sender), refused, options, count, state, settings)
            for path in files:
                now = datetime.now(UTC)
                parsed = read(path, now=now, side=options.side, mapping=options.mapping)
                for chunk in _chunks(parsed):
                    await run.publish(chunk, now)
                    advanced(path, len(chunk))
                    await asyncio.sleep(0)
            if options.full_list:
                await run.close_missing(datetime.now(UTC))
    finally:
        await sender.stop()


class Run:
    """One run of `publish`: every record that was read is published, or told why not."""

    def __init__(
        self,
        publisher: Publisher,
        refused: "Rejects",
        options: Options,
        count: Count,
        state: State | None,
        settings: Settings,
    ) -> None:
        self._publisher, self._refused, self._options, self._count = publisher, refused, options, count
        self._state, self._seen = state, Seen()
        self._max_ahead_ms = settings.limits().max_clock_skew_ms
        self._max_bytes = settings.limits().max_record_bytes

    async def publish(self, chunk: Sequence[Parsed], now: datetime) -> None:
        outgoing: list[Outgoing] = []
        noted: list[FeedEvent] = []
        for each in chunk:
            self._count.read += 1
            verdict = self._judged(each, milliseconds(now))
            if isinstance(verdict, FeedReject):
                self._refused.write(verdict.line())
                kind = "repeated" if verdict.repeated else "rejected"
                self._count.tell(kind, f"{verdict.source}, row {verdict.row}: {verdict.reason}")
            elif verdict is not None:
                record = input_record(verdict.side, verdict.id, verdict.value, now)
                outgoing.append(self._from_source(record))
                if verdict.notes:
                    noted.append(verdict)
        await self._publisher.publish(outgoing)
        self._count.published += len(outgoing)
        for event in noted:
            self._refused.write(event.line())
            self._count.tell("noted", f"{event.source}, row {event.row}: {event.notes[0]}")
            self._count.notes.update(note.field for note in event.notes)

    def _judged(self, each: Parsed, now_ms: int) -> FeedEvent | FeedReject | None:
        """The event to publish, a reject that says why not, or None for one that is unchanged."""
        if isinstance(each, FeedReject):
            return each
        revision = now_ms if each.revision is None else each.revision
        ahead = revision - now_ms
        if ahead > self._max_ahead_ms:
            return self._not_published(
                each, f"revision {revision} is {ahead / 1000:,.0f} s ahead of the clock"
            )
        if each.value is not None and len(each.value) > self._max_bytes:
            return self._not_published(
                each,
                f"{len(each.value):,} bytes, but workers take {self._max_bytes:,}; shorten the description",
            )
        before = self._seen.newest(each.side, each.id)
        if before is not None and revision <= before and each.value is not None:
            reason = (
                f"id {each.id!r} was published before in this run, under the same revision or a newer one"
            )
            return FeedReject(each.source, each.row, reason, each.raw, repeated=True)
        self._seen.add(each.side, each.id, revision)
        stored = self._state.get((each.side, each.id)) if self._state else None
        if stored and self._options.only_changed and each.value is not None:
            if stored.digest == content_digest(each.value):
                self._count.tell("unchanged", f"{each.source}, row {each.row}: id {each.id!r}")
                return None
            if revision <= stored.revision:
                kind = (
                    "is not newer than the erasure of"
                    if not stored.digest
                    else "is not newer than what is stored of"
                )
                return self._not_published(each, f"revision {revision} {kind} {each.id!r}: {stored.revision}")
        return each

    def _not_published(self, each: FeedEvent, reason: str) -> FeedReject:
        return FeedReject(each.source, each.row, reason, each.raw)

    def _from_source(self, record: Outgoing) -> Outgoing:
        if self._options.source is None:
            return record
        named = source_name(self._options.source).encode()
        return replace(
            record, headers=[(key, named if key == "ce_source" else value) for key, value in record.headers]
        )

    async def close_missing(self, now: datetime) -> None:
        """Closes what this feed published before and these files lack. `TooManyToClose` refuses it as a
        whole."""
        assert self._state is not None
        assert self._options.source is not None
        named = source_name(self._options.source)
        ours = {key: each for key, each in self._state.items() if each.source == named and each.is_open}
        missing = {key: each for key, each in ours.items() if self._seen.newest(*key) is None}
        if missing and not self._options.close_any_share:
            if self._count.rejected:
                raise TooManyToClose(
                    f"{self._count.rejected:,} rows were rejected, and {len(missing):,} entities are not "
                    "in the list; they may be the same. Nothing was closed; mend the rows, or say --yes"
                )
            if len(missing) > LARGEST_CLOSED_SHARE * len(ours):
                raise TooManyToClose(
                    f"{len(missing):,} of {len(ours):,} entities of {self._options.source!r} are not in "
                    "the list. "
                    f"More than {LARGEST_CLOSED_SHARE:.0%} are not closed without --yes; is the list whole?"
                )
        for some in _chunks(iter(sorted(missing))):
            records = []
            for side, id in some:
                value = orjson.loads(missing[side, id].value)
                value |= {"status": "closed", "occurred_at": now.isoformat(), "revision": milliseconds(now)}
                records.append(self._from_source(input_record(side, id, orjson.dumps(value), now)))
            await self._publisher.publish(records)
            for _, id in some:
                self._count.tell("closed", f"id {id!r}")


def _chunks(parsed: Iterator[T]) -> Iterator[list[T]]:
    while chunk := list(islice(parsed, CHUNK)):
        yield chunk


def changed_files(paths: Iterable[Path], known: dict[Path, tuple[int, int]]) -> list[Path]:
    """Files, and files of folders, whose size or time is not the known one. Remembers the new ones."""
    found = []
    for path in paths:
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file() and not file.name.startswith("."):
                stat = file.stat()
                if known.get(file) != (now := (stat.st_size, stat.st_mtime_ns)):
                    known[file] = now
                    found.append(file)
    return found


class Rejects:
    """The file of rejects, created with its first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(line)

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

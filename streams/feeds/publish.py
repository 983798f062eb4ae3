"""Files -> input topics; what cannot be read goes to a file of rejects."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from rolecall.schemas.match import Side
from rolecall.streams.events.records import input_record
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject, Parsed
from rolecall.streams.feeds.read import read
from rolecall.streams.kafka.publisher import KafkaPublisher, Publisher, producer, start
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings

CHUNK = 500


@dataclass(slots=True)
class Count:
    """What is done so far, also after an interruption. Published means confirmed by the broker."""

    published: int = 0
    rejected: int = 0
    first_reject: str = ""

    def reject(self, each: FeedReject) -> None:
        self.rejected += 1
        self.first_reject = self.first_reject or f"{each.source}, row {each.row}: {each.reason}"


async def publish_files(
    settings: Settings,
    files: Sequence[Path],
    *,
    side: Side | None,
    mapping: Mapping[str, str] | None,
    rejects: Path,
    count: Count,
    advanced: Callable[[Path, int], None],
) -> None:
    """When this returns, the broker has confirmed every published record.

    advanced: called with the file and how many more of its records are done.
    """
    await require_topics(settings)
    sender = producer(settings)
    try:
        await start(sender)
        publisher = KafkaPublisher(sender)
        with _Lazily(rejects) as refused:
            for path in files:
                now = datetime.now(UTC)
                for chunk in _chunks(read(path, now=now, side=side, mapping=mapping)):
                    await _publish(publisher, chunk, now, refused, count)
                    advanced(path, len(chunk))
                    await asyncio.sleep(0)
    finally:
        await sender.stop()


async def _publish(
    publisher: Publisher, chunk: Sequence[Parsed], now: datetime, refused: "_Lazily", count: Count
) -> None:
    for each in chunk:
        if isinstance(each, FeedReject):
            refused.write(each.line())
            count.reject(each)
    events = [each for each in chunk if isinstance(each, FeedEvent)]
    await publisher.publish([input_record(each.side, each.id, each.value, now) for each in events])
    count.published += len(events)


def _chunks(parsed: Iterator[Parsed]) -> Iterator[list[Parsed]]:
    while chunk := list(islice(parsed, CHUNK)):
        yield chunk


class _Lazily:
    """A file that is created with its first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, line: bytes) -> None:
        if self._file is None:
            self._file = self._path.open("wb")
        self._file.write(line)

    def __enter__(self) -> "_Lazily":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

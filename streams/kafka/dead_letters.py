"""Read dead letters, and publish them to their topic again after the cause is fixed."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.topics import DEAD_LETTERS, INPUTS
from rolecall.streams.events.records import Outgoing, own_headers
from rolecall.streams.kafka.publisher import KafkaPublisher, letter_producer, start, stop
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings

REPLAYABLE = frozenset(topic.name for topic in INPUTS)


@dataclass(frozen=True, slots=True)
class Letter:
    about: DeadLetterHeaders
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]  # the producer's own
    died_at: datetime

    @property
    def place(self) -> str:
        """Where the original record was: topic/partition/offset."""
        return f"{self.about.topic}/{self.about.partition}/{self.about.offset}"

    @property
    def name(self) -> str:
        return "" if self.key is None else self.key.decode(errors="backslashreplace")


@dataclass(frozen=True, slots=True)
class Filter:
    """Every condition that is set must hold."""

    places: Sequence[str] = ()
    topic: str | None = None
    stage: Stage | None = None
    exception: str | None = None
    key: str | None = None
    since: datetime | None = None

    def takes(self, letter: Letter) -> bool:
        return (
            (not self.places or letter.place in self.places)
            and self.topic in (None, letter.about.topic)
            and self.stage in (None, letter.about.stage)
            and self.exception in (None, letter.about.exception)
            and self.key in (None, letter.name)
            and (self.since is None or letter.died_at >= self.since)
        )


@dataclass(slots=True)
class Replayed:
    """Results for the letters that were selected."""

    published: list[Letter] = field(default_factory=list)
    overtaken: list[Letter] = field(default_factory=list)  # the topic has a later record of the key
    unsendable: list[Letter] = field(
        default_factory=list
    )  # no topic of ours, cut, or an erasure without a time


async def letters(settings: Settings, wanted: Filter) -> AsyncIterator[Letter]:
    """In the order they died; what other programs wrote to the topic is passed over."""
    await require_topics(settings)
    async for record in records_to_end(settings, DEAD_LETTERS.name):
        try:
            about = DeadLetterHeaders.read(record.headers)
        except ValueError:
            continue
        died_at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        letter = Letter(about, record.key, record.value, own_headers(record.headers), died_at)
        if wanted.takes(letter):
            yield letter


async def replay(settings: Settings, wanted: Filter) -> Replayed:
    """Publish the original bytes, key and time to the original partition, each record once.

    Not those that a later record of their key has overtaken: they would be the last ones there, and
    compaction keeps the last. The replayed record is such a later one, so replaying again does nothing.
    """
    died = {letter.place: letter async for letter in letters(settings, wanted)}  # one may have died twice
    result = Replayed()
    last = await _last_offsets(settings, died.values())
    for letter in died.values():
        about = letter.about
        if (
            about.topic not in REPLAYABLE
            or about.cut_bytes
            or (letter.value is None and about.timestamp_ms is None)
        ):
            result.unsendable.append(letter)
        elif letter.key is not None and last.get((about.topic, letter.key), -1) > about.offset:
            result.overtaken.append(letter)
        else:
            result.published.append(letter)
    sender = letter_producer(settings)  # the originals may be as large as letters
    try:
        await start(sender)
        await KafkaPublisher(sender).publish(map(_original, result.published))
    finally:
        await stop(sender)
    return result


async def _last_offsets(settings: Settings, died: Iterable[Letter]) -> dict[tuple[str, bytes | None], int]:
    """By topic and key, where the last record behind the first of these letters is."""
    starts: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for about in (letter.about for letter in died if letter.about.topic in REPLAYABLE):
        partitions = starts[about.topic]
        partitions[about.partition] = min(about.offset + 1, partitions.get(about.partition, about.offset + 1))
    last: dict[tuple[str, bytes | None], int] = {}
    for topic, partitions in starts.items():
        async for record in records_to_end(settings, topic, partitions):
            last[topic, record.key] = record.offset
    return last


def _original(letter: Letter) -> Outgoing:
    about = letter.about
    return Outgoing(
        about.topic, letter.key, letter.value, letter.headers, about.partition, about.timestamp_ms
    )

"""Read dead letters, and publish them to their topic again after the cause is fixed."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.errors import Unacceptable
from rolecall.schemas.feedback import Feedback
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.receive import parse
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import CONTRACT_OF, DEAD_LETTERS, FEEDBACK, OCCUPATIONS, RULES, SIDE_OF
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.errors import TopicsWrong
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing, own_headers
from rolecall.streams.kafka.publisher import KafkaPublisher, letter_producer, start, stop
from rolecall.streams.kafka.read import records_read, records_to_end
from rolecall.streams.kafka.topic_settings import deviations
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings

Contracted = Vacancy | Candidate | ExclusionRule | Occupation | Feedback
REPLAYABLE: Mapping[str, type[Contracted]] = {  # what workers consume
    **{topic: CONTRACT_OF[side] for topic, side in SIDE_OF.items()},
    RULES.name: ExclusionRule,
    OCCUPATIONS.name: Occupation,
    FEEDBACK.name: Feedback,
}


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
    def id(self) -> bytes | None:
        """The key, or the id in the value of a record without one."""
        return self.key if self.key is not None else _id_in(self.about.topic, self.value)

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
    overtaken: list[Letter] = field(default_factory=list)  # the topic has a later record of the id
    too_old: list[Letter] = field(default_factory=list)  # the tombstone of a later erasure may be gone
    unsendable: list[Letter] = field(
        default_factory=list
    )  # no topic of ours, cut, or an erasure without a time


async def letters(settings: Settings, wanted: Filter) -> AsyncIterator[Letter]:
    """Oldest first. Records that other programs wrote to the topic are left out."""
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

    Skips a letter if its topic has a later record of the same id. Published behind that record, the old state
    would be the last one, and compaction would keep it. A replayed record is itself a later record, so a
    second replay does nothing.

    Skips a letter that is older than the retention of dead letters. Its id may have been erased since, and
    the topic may have forgotten the erasure. Raises `TopicsWrong` if the broker forgets erasures earlier.
    """
    died = {letter.place: letter async for letter in letters(settings, wanted)}  # one may have died twice
    short = [each for each in await deviations(settings) if each.state.startswith("delete.retention.ms=")]
    if wrong := [each for each in short if each.topic in {letter.about.topic for letter in died.values()}]:
        raise TopicsWrong("; ".join(f"{each}. Mend it: {each.remedy}" for each in wrong))
    result = sorted_out(died.values(), await _histories(settings, died.values()), datetime.now(UTC))
    sender = letter_producer(settings)  # the originals may be as large as letters
    try:
        await start(sender)
        await KafkaPublisher(sender).publish(map(_original, result.published))
    finally:
        await stop(sender)
    return result


@dataclass(slots=True)
class History:
    """What a topic holds of one id."""

    last: dict[int, int] = field(default_factory=dict)  # by partition, the offset of the last record
    erased_ms: int = -1  # the time of the newest erasure, in any partition

    def add(self, record: Record) -> None:
        self.last[record.partition] = record.offset
        if record.value is None:
            self.erased_ms = max(record.timestamp_ms, self.erased_ms)


def sorted_out(
    died: Iterable[Letter], histories: Mapping[tuple[str, bytes | None], History], now: datetime
) -> Replayed:
    """Which letters may be published again. Pure."""
    result = Replayed()
    for letter in died:
        about = letter.about
        history = histories.get((about.topic, letter.id), History())
        if (
            about.topic not in REPLAYABLE
            or about.cut_bytes
            or (letter.value is None and about.timestamp_ms is None)
        ):
            result.unsendable.append(letter)
        elif now - letter.died_at > timedelta(milliseconds=DEAD_LETTERS.retention_ms):
            result.too_old.append(letter)
        elif history.last.get(about.partition, -1) > about.offset or (
            history.erased_ms >= (about.timestamp_ms or 0) and letter.value is not None
        ):
            result.overtaken.append(letter)
        else:
            result.published.append(letter)
    return result


async def _histories(settings: Settings, died: Iterable[Letter]) -> dict[tuple[str, bytes | None], History]:
    """The history of each letter's id in all partitions: a client with another partitioner may have erased it
    elsewhere."""
    states = REPLAYABLE.keys() - {FEEDBACK.name}  # a verdict is never overtaken
    wanted = {(letter.about.topic, letter.id) for letter in died if letter.about.topic in states}
    found: defaultdict[tuple[str, bytes | None], History] = defaultdict(History)
    for topic in sorted({topic for topic, _ in wanted}):
        async for record in records_read(settings, topic):
            name = topic, record.key if record.key is not None else _id_in(topic, record.value)
            if name in wanted:
                found[name].add(record)
    return found


def _id_in(topic: str, value: bytes | None) -> bytes | None:
    """The id in the value of a record without a key, if it can be read."""
    try:
        return None if value is None else parse(REPLAYABLE[topic], value).id.encode()
    except (ValidationError, Unacceptable, KeyError):
        return None


def _original(letter: Letter) -> Outgoing:
    about = letter.about
    return Outgoing(
        about.topic, letter.key, letter.value, letter.headers, about.partition, about.timestamp_ms
    )

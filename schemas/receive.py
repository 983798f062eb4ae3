"""Records from the broker -> events and rejects. Pure.

Workers, training and every other reader of `vacancies` and `candidates` read with this module, so all of them
accept the same records. What a record becomes depends on the record alone, never on the reader's clock: a
record that was refused once is refused by every later replay.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import Contract, EntityId, milliseconds
from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.errors import Unacceptable
from rolecall.schemas.feedback import TURN_DOWN, Feedback
from rolecall.schemas.json_repair import envelope, framing, repaired
from rolecall.schemas.match import Side
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.record import Record
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import CONTRACT_OF
from rolecall.schemas.vacancy import Vacancy

Entity = Vacancy | Candidate
MAX_MESSAGE_CHARACTERS = 2_000
Contracted = TypeVar("Contracted", bound=Vacancy | Candidate | ExclusionRule | Occupation)
AnyContract = TypeVar("AnyContract", bound=Contract)
T = TypeVar("T")
D = TypeVar("D", bound=ExclusionRule | Occupation)
SECONDS = (
    1_000_000_000,
    100_000_000_000,
)  # since the epoch: the years 2001 to 5138; as milliseconds, before 1974
ENTITY_ID: TypeAdapter[str] = TypeAdapter(EntityId)


@dataclass(frozen=True, slots=True)
class Published:
    record: Record
    entity: Entity

    @property
    def id(self) -> str:
        return self.entity.id

    @property
    def revision(self) -> int:
        return self.entity.revision


@dataclass(frozen=True, slots=True)
class Erased:
    record: Record
    id: str
    revision: int


Event = Published | Erased


@dataclass(frozen=True, slots=True)
class Defined(Generic[D]):
    record: Record
    value: D

    @property
    def id(self) -> str:
        return self.value.id

    @property
    def revision(self) -> int:
        return self.value.revision


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """A verdict after which the pair is to be in no list."""

    record: Record
    vacancy_id: str
    candidate_id: str
    revision: int  # when the verdict was given

    @property
    def id(self) -> str:
        """Of the pair. No id has a control character."""
        return f"{self.vacancy_id}\n{self.candidate_id}"


class Revised(Protocol):
    @property
    def record(self) -> Record: ...
    @property
    def id(self) -> str: ...
    @property
    def revision(self) -> int: ...


AnyEvent = TypeVar("AnyEvent", bound=Revised)


@dataclass(frozen=True, slots=True)
class Reject:
    record: Record
    stage: Stage
    exception: str
    message: str
    attempts: int = 1

    def headers(self) -> list[tuple[str, bytes]]:
        return DeadLetterHeaders(
            topic=self.record.topic,
            partition=self.record.partition,
            offset=self.record.offset,
            stage=self.stage,
            exception=self.exception,
            message=self.message.encode(errors="replace").decode()[:MAX_MESSAGE_CHARACTERS],
            attempts=self.attempts,
            timestamp_ms=self.record.timestamp_ms if self.record.timestamp_ms >= 0 else None,
        ).records()


@dataclass(frozen=True, slots=True)
class Limits:
    max_record_bytes: int
    max_clock_skew_ms: int


def receive(side: Side, records: Iterable[Record], limits: Limits) -> tuple[list[Event], list[Reject]]:
    """Parse each record; what cannot be parsed becomes a reject that says why, without quoting the value."""

    def read(record: Record) -> Event:
        value = _value(CONTRACT_OF[side], record, limits)
        return value if isinstance(value, Erased) else Published(record, value)

    return _each(records, read)


def receive_definitions(
    contract: type[D], records: Iterable[Record], limits: Limits
) -> tuple[list[Defined[D] | Erased], list[Reject]]:
    def read(record: Record) -> Defined[D] | Erased:
        value = _value(contract, record, limits)
        return value if isinstance(value, Erased) else Defined(record, value)

    return _each(records, read)


def receive_feedback(records: Iterable[Record], limits: Limits) -> tuple[list[TurnedDown], list[Reject]]:
    """Other verdicts are read too, so that a bad record is refused whatever it says, and left out."""

    def read(record: Record) -> TurnedDown | None:
        if record.value is None:
            raise Unacceptable("feedback without a value says nothing: a verdict cannot be taken back")
        said = _read(Feedback, record.value, limits)
        given = milliseconds(said.occurred_at)
        _check_clock("occurred_at", given, record.timestamp_ms, limits)
        if said.verdict not in TURN_DOWN:
            return None
        return TurnedDown(record, said.vacancy_id, said.candidate_id, given)

    events, rejects = _each(records, read)
    return [event for event in events if event], rejects


def _each(records: Iterable[Record], read: Callable[[Record], T]) -> tuple[list[T], list[Reject]]:
    events: list[T] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            events.append(read(record))
        except ValidationError as error:
            rejects.append(Reject(record, Stage.RECEIVE, "ValidationError", _summary(error)))
        except Unacceptable as error:
            rejects.append(Reject(record, Stage.RECEIVE, "Unacceptable", str(error)))
    return events, rejects


def newest(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """The newest revision of each id, in order of arrival.

    Of equal ones, an erasure, or else the higher edition.
    """
    best: dict[str, AnyEvent] = {}
    for event in events:
        if event.id not in best or _beats(event, best[event.id]):
            best[event.id] = event
    return list(best.values())


def _beats(event: Revised, other: Revised) -> bool:
    if event.revision != other.revision:
        return event.revision > other.revision
    if isinstance(event, Published) and isinstance(other, Published):
        return edition_of(event.entity) >= edition_of(other.entity)
    return isinstance(event, Erased) or not isinstance(other, Erased)


def edition_of(entity: Entity) -> str:
    """A hash of the content: decides between two contents of one revision, the same in every reader."""
    content = entity.model_dump_json(exclude={"occurred_at", "revision"}, exclude_defaults=True)
    return blake2b(content.encode(), digest_size=16).hexdigest()


def _value(contract: type[Contracted], record: Record, limits: Limits) -> Contracted | Erased:
    key = _key(record)
    if record.value is None:
        if key is None:
            raise Unacceptable("a record without key and value erases nothing: give the id to erase as key")
        if record.timestamp_ms < 0:
            raise Unacceptable("an erasure needs a record timestamp: it is its revision")
        if SECONDS[0] <= record.timestamp_ms < SECONDS[1]:
            raise Unacceptable(
                f"the erasure's record timestamp is {record.timestamp_ms}, which looks like seconds: "
                "it is the erasure's revision, and has to be in milliseconds"
            )
        return Erased(record, _erased_id(key), record.timestamp_ms)
    value = _read(contract, record.value, limits)
    if key is not None and key != value.id:
        raise Unacceptable("the record key is not the id in the value: use the id as key")
    _check_clock("revision", value.revision, record.timestamp_ms, limits)
    return value


def _read(contract: type[AnyContract], text: bytes, limits: Limits) -> AnyContract:
    if len(text) > limits.max_record_bytes:
        raise Unacceptable(
            f"the record has {len(text):,} bytes, the limit is {limits.max_record_bytes:,}: "
            "shorten the description, or raise max_record_bytes"
        )
    return parse(contract, text)


def parse(contract: type[AnyContract], text: bytes) -> AnyContract:
    """The one reader of JSON from topics. Raises `ValidationError`, or `Unacceptable` with another reason."""
    try:
        value = contract.model_validate_json(text, strict=True)
    except ValidationError as error:
        if said := framing(text):
            raise Unacceptable(said) from None
        mended = repaired(text)
        if mended is None:
            raise
        if said := envelope(mended[0]):
            raise Unacceptable(said) from None
        try:
            value = contract.model_validate_json(mended[1], strict=True)
        except ValidationError:
            if error.errors()[0]["type"] == "json_invalid":  # no JSON to pydantic: half an emoji
                raise
            raise error from None
    return value


def _check_clock(what: str, moment: int, timestamp_ms: int, limits: Limits) -> None:
    """Against the time of the record. Against the clock of the reader, a later replay would accept it."""
    if timestamp_ms < 0:
        raise Unacceptable(
            f"the record has no timestamp, so its {what} cannot be checked: send it with a producer that "
            "writes one (every client since Kafka 0.10 does)"
        )
    ahead_ms = moment - timestamp_ms
    if ahead_ms > limits.max_clock_skew_ms:
        raise Unacceptable(
            f"{what} {moment} is {ahead_ms / 1000:,.0f} s ahead of the record's timestamp, "
            f"{limits.max_clock_skew_ms / 1000:,.0f} s are allowed: check the producer's clock and time zone"
        )


def _key(record: Record) -> str | None:
    try:
        return None if record.key is None else record.key.decode()
    except UnicodeDecodeError as error:
        raise Unacceptable(f"the record key is not UTF-8 (byte {error.start})") from error


def _erased_id(key: str) -> str:
    if len(key) >= 2 and key[0] == key[-1] == '"':
        raise Unacceptable("the record key is a JSON string in quotes: use the bare id as key")
    try:
        return ENTITY_ID.validate_python(key)
    except ValidationError as error:
        raise Unacceptable(f"the record key is not an id: {_summary(error)}") from error


def _summary(error: ValidationError) -> str:
    """One line a problem, with the place and never the value, which may be personal."""
    problems = error.errors(include_url=False, include_context=False)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" if problem["loc"] else problem["msg"]
        for problem in problems[:20]
        if problem["type"] != "default_factory_not_called"
    )

"""Events of ours -> records for the broker. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha1
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import orjson

from rolecall.schemas.cloud_event import cloud_event
from rolecall.schemas.match import Match, MatchesWithdrawn, Side
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rollout import Rollout
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import (
    CONTRACT_OF,
    DEAD_LETTERS,
    MATCHES,
    OCCUPATIONS,
    ROLLOUTS,
    RULES,
    TOPIC_OF_SIDE,
    event_type,
)
from rolecall.streams.events.receive import Reject
from rolecall.streams.events.record import Record

NAMESPACE = uuid5(NAMESPACE_URL, "https://github.com/rolecall/rolecall")
_NAMED = sha1(NAMESPACE.bytes, usedforsecurity=False)
MatchFields = dict[str, Any]
"""Every field of a `Match`, as `Match` would write it as JSON."""
ROLLOUT_KEY = b"rollout"
ERASURE_COPY = "__rolecall.erasure"  # holds partition/offset of the original
ERROR_HEADERS = "__connect.errors.", "__rolecall.errors."
CUT_TO_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Outgoing:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    partition: int | None = None  # None: by the key
    timestamp_ms: int | None = None  # None: now
    besides: int | None = None  # to every partition of the topic but this one


def input_record(side: Side, id: str, value: bytes | None, now: datetime) -> Outgoing:
    """A vacancy or candidate as JSON, or None to erase it."""
    headers = cloud_event(str(uuid4()), event_type(CONTRACT_OF[side]), now)
    return Outgoing(TOPIC_OF_SIDE[side], id.encode(), value, headers)


def definition_record(definition: ExclusionRule | Occupation) -> Outgoing:
    kind = type(definition)
    topic = RULES if isinstance(definition, ExclusionRule) else OCCUPATIONS
    headers = cloud_event(str(uuid4()), event_type(kind), definition.occurred_at)
    value = definition.model_dump_json(exclude_defaults=True).encode()
    return Outgoing(topic.name, definition.id.encode(), value, headers)


def removal_record(topic: str, id: str) -> Outgoing:
    return Outgoing(topic, id.encode(), None, ())


def erasure_copy(erasure: Record) -> Outgoing:
    """For every other partition: an older state may lie there, from before partitions were added, or from a
    client with another partitioner. Without a tombstone beside it, it would outlive the erasure."""
    place = f"{erasure.partition}/{erasure.offset}".encode()
    headers = [*own_headers(erasure.headers), (ERASURE_COPY, place)]
    at = erasure.timestamp_ms
    return Outgoing(erasure.topic, erasure.key, None, headers, timestamp_ms=at, besides=erasure.partition)


def is_copy(erasure: Record) -> bool:
    return any(name == ERASURE_COPY for name, _ in erasure.headers)


def rollout_record(rollout: Rollout) -> Outgoing:
    id = str(uuid5(NAMESPACE_URL, rollout.model_dump_json()))
    headers = cloud_event(id, event_type(Rollout), rollout.occurred_at)
    value = rollout.model_dump_json(exclude_none=True).encode()
    return Outgoing(
        ROLLOUTS.name, ROLLOUT_KEY, value, headers, partition=0
    )  # one order, however many there are


def name_id(name: str) -> str:
    """The uuid5 of our namespace and the name, in a fifth of the time."""
    named = _NAMED.copy()
    named.update(name.encode())
    digits = named.hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def match_record(match: MatchFields) -> Outgoing:
    return Outgoing(
        MATCHES.name,
        match["vacancy_id"].encode(),
        orjson.dumps(match, option=orjson.OPT_UTC_Z),
        cloud_event(match["id"], event_type(Match), match["occurred_at"]),
    )


def withdrawal_record(withdrawal: MatchesWithdrawn) -> Outgoing:
    name = f"{withdrawal.side}/{withdrawal.entity_id}/{withdrawal.revision}/{withdrawal.reason}"
    if withdrawal.counterparts is not None:
        name += "".join(f"\n{id}/{revision}" for id, revision in withdrawal.counterparts.items())
        name += f"\n{withdrawal.model_version}"
    return Outgoing(
        MATCHES.name,
        withdrawal.entity_id.encode(),
        withdrawal.model_dump_json().encode(),
        cloud_event(name_id(name), event_type(MatchesWithdrawn), withdrawal.occurred_at),
    )


def dead_letter(reject: Reject) -> Outgoing:
    key, value = reject.record.key, reject.record.value
    if key is None and value is None:
        key = b""  # aiokafka refuses to send a record without key and value
    headers = [*own_headers(reject.record.headers), *reject.headers()]
    return Outgoing(DEAD_LETTERS.name, key, value, headers)


def own_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[tuple[str, bytes]]:
    """What the producer of a record wrote, without what a dead letter added."""
    return [(name, value or b"") for name, value in headers if not name.startswith(ERROR_HEADERS)]


def shortened(letter: Outgoing) -> Outgoing | None:
    """With the beginning of its value only, for a broker that refuses the whole; None if it is short."""
    if letter.value is None or len(letter.value) <= CUT_TO_BYTES:
        return None
    cut = ("__rolecall.errors.cut", str(len(letter.value)).encode())
    return replace(letter, value=letter.value[:CUT_TO_BYTES], headers=[*letter.headers, cut])

"""The newest state of the input topics: what is unchanged, erased or gone from a feed is told by comparing
with it."""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b

import orjson

from rolecall.schemas.common import Contract, OccurredAt, Revision
from rolecall.schemas.match import Side
from rolecall.schemas.topics import TOPIC_OF_SIDE
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.settings import Settings

_NO_CONTENT = ("revision", "occurred_at")


@dataclass(frozen=True, slots=True)
class Stored:
    revision: int
    digest: bytes  # of the content; empty: erased
    is_open: bool
    source: str  # the feed that published it
    value: bytes  # only of the feed that is asked for


class _Dated(Contract):
    occurred_at: OccurredAt
    revision: Revision


State = dict[tuple[Side, str], Stored]


async def newest_state(settings: Settings, sides: Collection[Side], source: str | None) -> State:
    """Reads the topics of these sides from start to end. `source`: the feed whose values are kept."""
    found: State = {}
    for side in sides:
        async for record in records_to_end(settings, TOPIC_OF_SIDE[side]):
            headers = dict(record.headers)
            stored = _stored(record.value, record.timestamp, headers.get("ce_source", b"").decode(), source)
            if stored is None or record.key is None:
                continue
            key = (side, record.key.decode(errors="replace"))
            if key not in found or stored.revision >= found[key].revision:
                found[key] = stored
    return found


def _stored(value: bytes | None, timestamp: int, source: str, wanted: str | None) -> Stored | None:
    if value is None:
        return Stored(timestamp, b"", False, source, b"")
    try:
        data = orjson.loads(value)
        revision, is_open = revision_of(value), data.get("status") != "closed"
    except (ValueError, AttributeError, TypeError):
        return None  # the workers refuse it too
    kept = value if wanted is not None and source == source_name(wanted) else b""
    return Stored(revision, content_digest(value), is_open, source, kept)


def revision_of(value: bytes) -> int:
    return _Dated.model_validate_json(value).revision


def content_digest(value: bytes) -> bytes:
    """Of everything that a worker looks at, but the time of publishing."""
    data = orjson.loads(value)
    content = {name: each for name, each in data.items() if name not in _NO_CONTENT}
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def source_name(feed: str) -> str:
    """The `ce_source` of a feed's records."""
    return f"/rolecall/feeds/{feed}"

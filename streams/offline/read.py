"""Read files into events with the worker's checks: a record that a worker refuses is a reject here too."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Side
from rolecall.schemas.topics import TOPIC_OF_SIDE
from rolecall.streams.events.receive import Event, Limits, receive
from rolecall.streams.events.record import Record
from rolecall.streams.feeds.parsed import FeedReject
from rolecall.streams.feeds.read import read


def events(
    path: Path,
    side: Side,
    mapping: Mapping[str, str] | None,
    now: datetime,
    limits: Limits,
    refuse: Callable[[FeedReject], None],
) -> Iterator[Event]:
    """Every record that can be read, in order. An erasure counts as of now."""
    now_ms = milliseconds(now)
    for number, parsed in enumerate(read(path, now=now, side=side, mapping=mapping), start=1):
        if isinstance(parsed, FeedReject):
            refuse(parsed)
            continue
        record = Record(TOPIC_OF_SIDE[side], 0, number, parsed.id.encode(), parsed.value, now_ms)
        accepted, rejects = receive(side, [record], now_ms, limits)
        for reject in rejects:
            raw = (parsed.value or b"").decode()
            refuse(FeedReject(str(path), number, f"{parsed.id}: {reject.message}", raw))
        yield from accepted

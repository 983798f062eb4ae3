"""Read files into events with the worker's checks: a record that a worker refuses is a reject here too."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Side
from rolecall.schemas.topics import TOPIC_OF_SIDE
from rolecall.streams.events.receive import Event, Limits, receive
from rolecall.streams.events.record import Record
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject
from rolecall.streams.feeds.read import read


def events(
    path: Path,
    side: Side,
    mapping: Mapping[str, str] | None,
    now: datetime,
    limits: Limits,
    tell: Callable[[FeedReject | FeedEvent], None],
) -> Iterator[Event]:
    """Every record that can be read, in order. An erasure without a revision counts as of now.

    tell: called with every reject, and with every event that lacks values that were not certain.
    """
    now_ms = milliseconds(now)
    for parsed in read(path, now=now, side=side, mapping=mapping):
        if isinstance(parsed, FeedReject):
            tell(parsed)
            continue
        at_ms = now_ms if parsed.revision is None or parsed.value is not None else parsed.revision
        record = Record(TOPIC_OF_SIDE[side], 0, parsed.row, parsed.id.encode(), parsed.value, at_ms)
        accepted, rejects = receive(side, [record], limits)
        for reject in rejects:
            raw = (parsed.value or b"").decode()
            tell(FeedReject(parsed.source, parsed.row, f"{parsed.id}: {reject.message}", raw))
        if accepted and parsed.notes:
            tell(parsed)
        yield from accepted

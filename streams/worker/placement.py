"""Records that lie in another partition than the one of their key. Such an id may lie in two partitions."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import structlog

from rolecall.streams.events.record import Record
from rolecall.streams.events.records import is_copy
from rolecall.streams.kafka.publisher import partition_of

log = structlog.get_logger()

TELL_SECONDS = 60.0
REMEDY = (
    "a producer has another partitioner than murmur2, or partitions were added: see the partitioner in "
    "docs/contracts.md, then publish all states again"
)


class Placement:
    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.partitions: Mapping[str, int] = {}  # of each input, once they are known
        self._now = now
        self._told: dict[str, float] = {}
        self._untold: defaultdict[str, int] = defaultdict(int)

    def check(self, topic: str, records: Sequence[Record]) -> int:
        """How many are misplaced. Logs it, once a minute for each topic."""
        found = misplaced(records, self.partitions.get(topic, 0))
        self._untold[topic] += len(found)
        if found and self._now() - self._told.get(topic, float("-inf")) >= TELL_SECONDS:
            first = found[0]
            log.warning(
                "keys_misplaced",
                topic=topic,
                records=self._untold.pop(topic),
                partition=first.partition,
                offset=first.offset,
                remedy=REMEDY,
            )
            self._told[topic] = self._now()
        return len(found)


def misplaced(records: Sequence[Record], partitions: int) -> list[Record]:
    """Those that Kafka's own clients would have written to another partition."""
    every = range(partitions)
    return [
        each
        for each in records
        if partitions
        and each.key is not None
        and partition_of(each.key, every, every) != each.partition
        and not is_copy(each)
    ]

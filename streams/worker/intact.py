"""Is the index the one that the committed offsets speak of?

Beside the points of each space, the index keeps a mark for each partition of the topic that feeds it: how far
the partition was applied, and when. A worker writes the marks of a batch before it acknowledges the batch. So
a mark is never behind the committed offset of its group. If it is, the index is an older copy, or another
index: it may hold entities that were erased since, and nobody would withdraw their matches.

Compacted records and the markers of transactions are committed without a batch. So a mark that is behind
counts only if the topic has a record in between.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from rolecall.schemas.match import Side
from rolecall.schemas.topics import CANDIDATES, DAY_MS, FEEDBACK, OCCUPATIONS, RULES, VACANCIES
from rolecall.streams.errors import IndexGone, IndexOlder, TransientError
from rolecall.streams.events.record import Record
from rolecall.streams.index.port import Index, Lookup, Mark, Space, now_ms

log = structlog.get_logger()

SPACE_OF: Mapping[str, Space] = {
    VACANCIES.name: Side.VACANCY,
    CANDIDATES.name: Side.CANDIDATE,
    RULES.name: Lookup.ANCHOR,
    OCCUPATIONS.name: Lookup.OCCUPATION,
    FEEDBACK.name: Lookup.VERDICT,
}
CHECK_SECONDS = 30.0
RENEW_MS = 3_600_000  # a mark without new events is dated again after this time
REBUILD = "`rolecall rebuild` makes the index again from the topics"

Partition = tuple[str, int]  # topic, number
Offsets = Mapping[Partition, int]
Filled = Callable[[str, int, int, int], Awaitable[bool]]  # topic, partition, from, to: is there a record?


class Intact:
    """Keeps the marks of one index, and compares them with what its group has committed.

    `filled` says whether a partition has a record between two offsets.
    """

    def __init__(self, index: Index, group: str, filled: Filled, now: Callable[[], int] = now_ms) -> None:
        self._index = index
        self._group = group
        self._filled = filled
        self._now = now
        self._written: dict[Partition, int] = {}

    async def open_at(self, committed: Callable[[], Awaitable[Offsets]]) -> None:
        await self.open(await committed())

    async def open(self, committed: Offsets) -> None:
        """Create the index where nothing was ever committed; otherwise require all of it, as it was left.

        Raises `IndexGone` or `IndexOlder`.
        """
        if any(committed.values()) and (gone := lost(await self._index.missing(), committed)):
            raise IndexGone(
                f"the index lacks its collections of {', '.join(gone)}, but group {self._group} has committed"
                f" offsets: the points that they speak of are lost; {REBUILD}"
            )
        await self._index.prepare()
        await self.check(committed)

    async def applied(self, records: Sequence[Record]) -> None:
        """Every effect of the records, which are of one topic, is confirmed. Call this before they are
        acknowledged."""
        ends: dict[int, int] = {}
        for record in records:
            ends[record.partition] = max(record.offset + 1, ends.get(record.partition, 0))
        await self._mark(records[0].topic, ends)

    async def check(self, committed: Offsets) -> None:
        """Raises `IndexOlder`. Read `committed` before the call: marks are written before commits."""
        partitions: defaultdict[str, set[int]] = defaultdict(set)
        for topic, partition in [*committed, *self._written]:
            partitions[topic].add(partition)
        for topic, numbers in partitions.items():
            marks = await self._index.marks(SPACE_OF[topic], sorted(numbers))
            for number in sorted(numbers):
                await self._compare(topic, number, marks.get(number), committed.get((topic, number), 0))

    async def _compare(self, topic: str, number: int, mark: Mark | None, committed: int) -> None:
        offset = 0 if mark is None else mark.offset
        written = self._written.get((topic, number), 0)
        if offset < written or (offset < committed and await self._filled(topic, number, offset, committed)):
            raise IndexOlder(
                f"the index has {topic}/{number} up to offset {offset:,}, but group {self._group} has "
                f"committed {max(written, committed):,}: this is an older copy of the index, or another one. "
                f"It may hold what was erased since; {REBUILD}"
            )
        # Workers may have been told not to read `feedback` for a while.
        if mark is not None and self._age(mark) > VACANCIES.retention_ms and topic != FEEDBACK.name:
            days = self._age(mark) / DAY_MS
            raise IndexOlder(
                f"no worker has fed the index from {topic}/{number} for {days:.0f} days, and the topics keep "
                f"erasures for {VACANCIES.retention_ms / DAY_MS:.0f}: it may hold what was erased since; "
                f"{REBUILD}"
            )
        if committed > offset or (mark is not None and self._age(mark) > RENEW_MS):
            await self._mark(topic, {number: max(committed, offset)})

    def _age(self, mark: Mark) -> int:
        return self._now() - mark.at_ms

    async def _mark(self, topic: str, ends: Mapping[int, int]) -> None:
        at_ms = self._now()
        await self._index.mark(SPACE_OF[topic], {number: Mark(end, at_ms) for number, end in ends.items()})
        for number, end in ends.items():
            self._written[topic, number] = max(end, self._written.get((topic, number), 0))


def lost(missing: Sequence[Space], committed: Offsets) -> list[Space]:
    """An index of before workers read `feedback` has no space for verdicts, and has lost none."""
    read = any(offset for (topic, _), offset in committed.items() if topic == FEEDBACK.name)
    return [space for space in missing if read or space is not Lookup.VERDICT]


async def keep_checking(
    intact: Intact, committed: Callable[[], Awaitable[Offsets]], seconds: float = CHECK_SECONDS
) -> None:
    """Until cancelled. Raises `IndexOlder` or `IndexGone`. A check without an answer is made again later."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await intact.check(await committed())
        except TransientError as error:
            log.warning("index_unchecked", error=str(error))

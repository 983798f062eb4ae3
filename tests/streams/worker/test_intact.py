"""An index that is gone, older or another one is noticed before it serves."""

from dataclasses import dataclass, field

import pytest

from rolecall.schemas.topics import DAY_MS, VACANCIES
from rolecall.streams.errors import IndexGone, IndexOlder
from rolecall.streams.events.record import Record
from rolecall.streams.index.port import SPACES, Mark, Space
from rolecall.streams.worker.intact import Intact

V0 = "vacancies", 0
DAY_ONE = 1_767_225_600_000


@dataclass
class Storage:
    """Spaces and marks of an index."""

    spaces: list[Space] = field(default_factory=list)
    stored: dict[tuple[Space, int], Mark] = field(default_factory=dict)

    async def missing(self):
        return [space for space in SPACES if space not in self.spaces]

    async def prepare(self):
        self.spaces = list(SPACES)

    async def mark(self, space, marks):
        for partition, mark in marks.items():
            was = self.stored.get((space, partition), mark)
            self.stored[space, partition] = max(was, mark, key=lambda each: (each.offset, each.at_ms))

    async def marks(self, space, partitions):
        return {each: self.stored[space, each] for each in partitions if (space, each) in self.stored}


class Topic:
    """Offsets that have a record: compaction may have removed any other."""

    def __init__(self):
        self.offsets = set(range(1_000))

    async def filled(self, topic, partition, start, end):
        return any(start <= offset < end for offset in self.offsets)


@pytest.fixture
def storage():
    return Storage()


@pytest.fixture
def topic():
    return Topic()


@pytest.fixture
def clock():
    return [DAY_ONE]


@pytest.fixture
def started(storage, topic, clock):
    """A worker that starts on the index of now."""
    return lambda: Intact(storage, "rolecall", topic.filled, now=lambda: clock[0])


async def feed(intact, offset):
    await intact.applied([Record("vacancies", 0, offset, b"v", None, 0)])


async def test_where_nothing_was_committed_the_index_is_created(storage, started):
    await started().open({V0: 0})
    assert await storage.missing() == []


@pytest.mark.parametrize("gone", [[space] for space in SPACES] + [list(SPACES)], ids=str)
async def test_where_offsets_are_committed_nothing_is_created(storage, started, gone):
    storage.spaces = [space for space in SPACES if space not in gone]
    with pytest.raises(IndexGone, match=rf"{gone[0]}.*; `rolecall rebuild` makes the index again"):
        await started().open({V0: 7})
    assert await storage.missing() == gone


async def test_an_index_that_is_as_the_group_left_it_is_opened(storage, started):
    before = started()
    await before.open({V0: 0})
    await feed(before, 6)
    await started().open({V0: 7})
    await started().open({V0: 5})  # acknowledged and not committed yet


async def test_an_empty_index_beside_committed_offsets_is_another_one(storage, started):
    storage.spaces = list(SPACES)
    with pytest.raises(IndexOlder, match="up to offset 0, but group rolecall has committed 7"):
        await started().open({V0: 7})


async def test_an_older_copy_is_noticed_at_the_start(storage, started):
    before = started()
    await before.open({V0: 0})
    await feed(before, 6)
    copy = dict(storage.stored)
    await feed(before, 9)
    storage.stored = copy
    with pytest.raises(IndexOlder, match=r"up to offset 7, but .* has committed 10.*; `rolecall rebuild`"):
        await started().open({V0: 10})


async def test_an_older_copy_is_noticed_while_a_worker_runs(storage, started):
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 6)
    copy = dict(storage.stored)
    await feed(worker, 9)
    await worker.check({V0: 7})
    storage.stored = copy
    with pytest.raises(IndexOlder, match="an older copy of the index"):
        await worker.check({V0: 7})


async def test_markers_and_compacted_records_need_no_mark(storage, started, topic):
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 6)
    topic.offsets = set(range(7))
    await started().open({V0: 9})
    topic.offsets = set(range(1_000))
    await started().open({V0: 9})  # it was noted


async def test_a_worker_that_was_away_for_longer_than_erasures_are_kept_does_not_go_on(started, clock):
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 6)
    clock[0] += VACANCIES.retention_ms
    await started().open({V0: 7})
    clock[0] += VACANCIES.retention_ms + DAY_MS
    with pytest.raises(IndexOlder, match=r"no worker has fed the index .* `rolecall rebuild`"):
        await started().open({V0: 7})


async def test_the_marks_of_a_quiet_topic_are_dated_again_while_a_worker_runs(started, clock):
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 6)
    for _ in range(3):
        clock[0] += VACANCIES.retention_ms
        await worker.check({V0: 7})
    await started().open({V0: 7})

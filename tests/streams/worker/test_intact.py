"""An index that is gone, older or another one is noticed before it serves."""

import asyncio
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from rolecall.schemas.match import Side
from rolecall.schemas.topics import DAY_MS, INPUTS, VACANCIES
from rolecall.streams.errors import IndexGone, IndexOlder, IndexUnavailable
from rolecall.streams.events.record import Record
from rolecall.streams.index.port import SPACES, Lookup, Mark, Space
from rolecall.streams.worker.intact import Intact, keep_checking, lost

V0 = "vacancies", 0
V1 = "vacancies", 1
C0 = "candidates", 0
F0 = "feedback", 0
DAY_ONE = 1_767_225_600_000


@dataclass
class Storage:
    """Spaces and marks of an index."""

    spaces: list[Space] = field(default_factory=list)
    stored: dict[tuple[Space, int], Mark] = field(default_factory=dict)
    written: int = 0  # how often a mark was written

    async def missing(self):
        return [space for space in SPACES if space not in self.spaces]

    async def prepare(self):
        self.spaces = list(SPACES)

    async def mark(self, space, marks):
        for partition, mark in marks.items():
            self.written += 1
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


def at(offset, where=V0):
    return Record(*where, offset, b"v", None, 0)


async def feed(intact, offset, where=V0):
    await intact.applied([at(offset, where)])


async def test_each_input_is_marked_in_the_space_that_it_feeds(storage, started):
    for topic in INPUTS:
        await feed(started(), 6, (topic.name, 3))
    assert storage.stored == {(space, 3): Mark(7, DAY_ONE) for space in SPACES}


async def test_a_batch_marks_each_of_its_partitions_behind_its_last_record(storage, started):
    """Records of one partition may come in any order."""
    await started().applied([at(4), at(9, V1), at(6), at(5)])
    assert storage.stored == {
        (Side.VACANCY, 0): Mark(7, DAY_ONE),
        (Side.VACANCY, 1): Mark(10, DAY_ONE),
    }


async def test_where_nothing_was_committed_the_index_is_created(storage, started):
    await started().open({V0: 0})
    assert await storage.missing() == []


@pytest.mark.parametrize("gone", [[space] for space in SPACES] + [list(SPACES)], ids=str)
async def test_where_offsets_are_committed_nothing_is_created(storage, started, gone):
    storage.spaces = [space for space in SPACES if space not in gone]
    with pytest.raises(IndexGone, match=rf"{gone[0]}.*; `rolecall rebuild` makes the index again"):
        await started().open({V0: 7, F0: 1})
    assert await storage.missing() == gone


async def test_an_index_of_before_feedback_was_read_gets_its_space_for_verdicts(storage, started):
    before = started()
    await before.open({V0: 0})
    await feed(before, 6)
    storage.spaces.remove(Lookup.VERDICT)
    await started().open({V0: 7, F0: 0})
    assert await storage.missing() == []


async def test_feedback_may_be_left_unread_for_any_time(storage, started, clock):
    before = started()
    await before.open({F0: 0})
    await feed(before, 6, F0)
    clock[0] += 400 * DAY_MS
    await started().open({F0: 7})


async def test_one_partition_with_commits_is_enough_to_create_nothing(storage, started):
    with pytest.raises(IndexGone):
        await started().open({V0: 0, V1: 7})
    assert storage.spaces == []


async def test_a_start_asks_for_what_is_committed_now(storage, started):
    async def committed():
        return {V0: 7}

    with pytest.raises(IndexGone):
        await started().open_at(committed)


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


@pytest.mark.parametrize("lost", [V0, V1, C0])
async def test_one_partition_that_went_back_is_enough(storage, started, lost):
    """Also one of which nothing was committed yet."""
    worker = started()
    await worker.open({V0: 0})
    await worker.applied([at(6), at(6, V1)])
    await feed(worker, 6, C0)
    await worker.check({})
    space = Side.VACANCY if lost[0] == "vacancies" else Side.CANDIDATE
    storage.stored[space, lost[1]] = Mark(5, DAY_ONE)
    with pytest.raises(IndexOlder, match=rf"{lost[0]}/{lost[1]} up to offset 5, .* committed 7"):
        await worker.check({})


async def test_a_mark_that_went_back_behind_an_older_batch_is_noticed(storage, started):
    """After a rebalance a worker may take records again that it has taken before."""
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 9)
    await feed(worker, 6)
    storage.stored[Side.VACANCY, 0] = Mark(7, DAY_ONE)
    with pytest.raises(IndexOlder):
        await worker.check({V0: 5})


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
    days = VACANCIES.retention_ms // DAY_MS + 1
    kept = VACANCIES.retention_ms // DAY_MS
    with pytest.raises(
        IndexOlder, match=rf"has fed .* for {days} days, .* erasures for {kept}: .* `rolecall rebuild`"
    ):
        await started().open({V0: 7})


async def test_the_marks_of_a_quiet_topic_are_dated_again_while_a_worker_runs(started, clock):
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 6)
    for _ in range(3):
        clock[0] += VACANCIES.retention_ms
        await worker.check({V0: 7})
    await started().open({V0: 7})


@pytest.mark.parametrize(("hours", "writes"), [(0, 0), (1, 0), (1.01, 1)])
async def test_a_check_writes_a_mark_only_if_it_is_older_than_an_hour(storage, started, clock, hours, writes):
    worker = started()
    await worker.open({V0: 0})
    await feed(worker, 6)
    before = storage.written
    clock[0] += int(hours * 3_600_000)
    await worker.check({V0: 5})  # the last two are not committed yet
    assert storage.written - before == writes
    assert storage.stored[Side.VACANCY, 0] == Mark(7, clock[0] if writes or not hours else DAY_ONE)


async def test_where_the_mark_is_not_behind_the_topic_is_not_read(storage, clock):
    async def filled(topic, partition, start, end):
        raise AssertionError("this reads from the broker")

    worker = Intact(storage, "rolecall", filled, now=lambda: clock[0])
    await worker.open({V0: 0})
    await feed(worker, 6)
    await worker.check({V0: 7})


class Checks:
    """What each check of a worker finds, one after the other."""

    def __init__(self, *found):
        self._found = list(found)
        self.committed = []

    async def check(self, committed):
        self.committed.append(committed)
        if isinstance(found := self._found.pop(0), Exception):
            raise found


async def test_an_older_index_ends_the_checks_and_one_that_does_not_answer_does_not():
    checks = Checks(None, IndexUnavailable("away"), None, IndexOlder("an older copy"))
    offsets = [{V0: each} for each in range(4)]
    waiting = list(offsets)

    async def committed():
        return waiting.pop(0)

    with capture_logs() as logs, pytest.raises(IndexOlder):
        await keep_checking(checks, committed, seconds=0)
    assert checks.committed == offsets
    assert [(line["event"], line["error"]) for line in logs] == [("index_unchecked", "away")]


async def test_between_two_checks_it_waits():
    checks = Checks()

    async def committed():
        raise AssertionError("too early")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(keep_checking(checks, committed, seconds=60), 0.02)


async def test_a_space_for_verdicts_is_lost_only_if_feedback_was_read():
    missing = [Lookup.ANCHOR, Lookup.VERDICT]
    assert lost(missing, {V0: 7, F0: 0}) == [Lookup.ANCHOR]
    assert lost(missing, {V0: 7, F0: 1}) == missing

"""What is committed: never past a message that is not acked, and past every gap."""

import asyncio

import pytest
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from hypothesis import given
from hypothesis import strategies as st

from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust.app import create_app
from rolecall.streams.worker.faust.transport import Fetch, _Consumer

HERE = TP("vacancies", 0)


async def untouched(topic, records, acknowledge):
    raise AssertionError("no batch arrives here")


def message(offset):
    return ConsumerMessage(HERE.topic, HERE.partition, offset, 1.0, 0, (), b"k", b"v", None, tp=HERE)


class Partition:
    """Messages of one partition, acked by hand; commits are only remembered."""

    def __init__(self, consumer_class, offsets, committed):
        app = create_app(Settings(_env_file=None), "rolecall", untouched)
        app.topics._acking_topics.add(HERE.topic)
        app.transport.Consumer = consumer_class
        self.consumer = app.consumer
        self.consumer._thread.thread_loop.close()  # of a thread that never starts
        self.consumer._committed_offset[HERE] = committed
        self.messages = {offset: message(offset) for offset in offsets}
        for each in self.messages.values():
            self.deliver(each)
        self.commits = []

    def deliver(self, each):
        if isinstance(self.consumer, _Consumer):
            self.consumer._deliver(HERE, each.offset)
        self.consumer._unacked_messages.add(each)  # as a stream does once it takes it from its queue

    def ack(self, offset):
        self.consumer.ack(self.messages[offset])

    def commit(self):
        offset = self.consumer._new_offset(HERE)
        if offset is not None and self.consumer._should_commit(HERE, offset):
            self.consumer._committed_offset[HERE] = offset
            self.commits.append(offset)


@pytest.fixture
async def partition():
    return lambda offsets=range(5, 9), committed=5, kind=_Consumer: Partition(kind, offsets, committed)


@pytest.mark.parametrize("committed", [None, 5])
async def test_acked_in_order_it_is_committed_at_once(partition, committed):
    four = partition(committed=committed)
    for offset in four.messages:
        four.ack(offset)
    four.commit()
    assert four.commits == [9]


@pytest.mark.parametrize("committed", [None, 5])
async def test_what_is_acked_past_the_head_waits_for_it(partition, committed):
    four = partition(committed=committed)
    for offset in (6, 7, 5, 8):
        four.ack(offset)
        four.commit()
    assert four.commits[-2:] == [8, 9]
    assert min(four.commits) >= 5


@pytest.mark.parametrize("committed", [None, 5])
async def test_faust_alone_would_commit_past_it(partition, committed):
    """#606. When this fails it is mended, and the guard can go."""
    four = partition(committed=committed, kind=Consumer)
    four.ack(6)
    four.commit()
    assert four.commits == [7]


@pytest.mark.parametrize("committed", [None, 1])
async def test_gaps_that_compaction_left_are_passed(partition, committed):
    """Offset 0 was kept, 1 to 6 are gone, and so are 8 to 19."""
    left = partition(offsets=(0, 7, 20), committed=committed)
    commits = []
    for offset in (0, 7, 20):
        left.ack(offset)
        left.commit()
        commits.append(left.commits[-1])
    assert commits == [7, 20, 21]


async def test_faust_alone_would_stop_behind_the_gap(partition):
    left = partition(offsets=(0, 7, 20), committed=None, kind=Consumer)
    for offset in (0, 7, 20):
        left.ack(offset)
        left.commit()
    assert left.commits == [1]


async def test_the_position_behind_the_last_record_is_committed(partition):
    """The marker of a transaction, or what compaction took, is no event that waits."""
    four = partition()
    for offset in four.messages:
        four.ack(offset)
    four.consumer._passed[HERE] = 11
    four.commit()
    assert four.commits == [11]


async def test_what_no_stream_has_taken_yet_is_not_committed(monkeypatch):
    """It lies in the queue of a stream, which tells the consumer of it only when it takes it."""
    app = create_app(Settings(_env_file=None), "rolecall", untouched)
    consumer = app.consumer
    consumer._thread.thread_loop.close()

    async def fetched():
        for offset in (0, 1):
            yield HERE, message(offset)

    monkeypatch.setattr(Consumer, "getmany", lambda self, timeout: fetched(), raising=False)
    async for _ in consumer.getmany(1.0):
        pass
    assert consumer._new_offset(HERE) == 0


async def test_what_was_fetched_and_dropped_is_fetched_again_and_not_passed(partition):
    """As the fetch of a task that is cancelled."""
    four = partition()  # 5 to 8 were delivered
    four.consumer.fetches += [
        Fetch({HERE: (5, 8)}, {HERE: 9}, four.consumer.generation),
        Fetch({HERE: (9, 11)}, {HERE: 12}, four.consumer.generation),
        Fetch({HERE: (12, 14)}, {HERE: 16}, four.consumer.generation),
    ]
    assert four.consumer._account() == {HERE: 9}
    for offset in four.messages:
        four.ack(offset)
    four.commit()
    assert four.commits == [9]


async def test_what_was_fetched_and_delivered_is_passed_with_the_markers_behind_it(partition):
    four = partition()
    four.consumer.fetches.append(Fetch({HERE: (5, 8)}, {HERE: 11}, four.consumer.generation))
    assert four.consumer._account() == {}
    assert four.consumer._passed == {HERE: 11}


async def test_of_a_partition_of_which_nothing_was_delivered_nothing_is_passed(partition):
    none = partition(offsets=(), committed=None)
    none.consumer.fetches.append(Fetch({HERE: (0, 41)}, {HERE: 42}, none.consumer.generation))
    assert none.consumer._account() == {HERE: 0}
    none.commit()
    assert none.commits == []


async def test_of_a_fetch_of_before_a_rebalance_nothing_is_passed_or_fetched_again(partition):
    """The group reads again from what was committed, 5. A seek to 12 would skip what lies between."""
    four = partition()
    four.consumer.fetches.append(Fetch({HERE: (12, 14)}, {HERE: 15}, four.consumer.generation))
    four.consumer.app.consumer_generation_id += 1
    assert four.consumer._account() == {}
    assert four.consumer._passed == {HERE: 9}


class Fetched:
    """A consumer whose client answers each fetch with the records of the test; flows as Faust lets it."""

    def __init__(self, monkeypatch):
        self.app = create_app(Settings(_env_file=None), "rolecall", untouched)
        self.consumer = self.app.consumer
        self.consumer._thread.thread_loop.close()
        self.sought = []
        self.meanwhile = lambda: None  # happens while the client fetches

        async def getmany(thread, active, timeout):
            generation = self.consumer.generation
            self.meanwhile()
            first, last = self.offsets[0], self.offsets[-1]
            self.consumer.fetches.append(Fetch({HERE: (first, last)}, {HERE: last + 1}, generation))
            return {HERE: [message(offset) for offset in self.offsets]}

        async def seek(tp, offset):
            self.sought.append(offset)

        monkeypatch.setattr(type(self.consumer._thread), "getmany", getmany)
        monkeypatch.setattr(self.consumer, "seek", seek)
        monkeypatch.setattr(self.consumer, "_get_active_partitions", lambda: {HERE})
        monkeypatch.setattr(self.consumer, "_to_message", lambda tp, record: record)
        monkeypatch.setattr(self.consumer, "highwater", lambda tp: 100)
        self.consumer.resume_flow()

    async def fetch(self, *offsets, at_each=lambda offset: None):
        self.offsets = offsets
        delivered = []
        async for _, each in self.consumer.getmany(0.1):
            delivered.append(each.offset)
            at_each(each.offset)
        return delivered

    def rebalance(self):
        self.app.consumer_generation_id += 1
        self.consumer._forget()


@pytest.fixture
async def fetched(monkeypatch):
    return Fetched(monkeypatch)


async def test_a_whole_fetch_is_delivered_and_nothing_sought(fetched):
    assert await fetched.fetch(7, 8, 9) == [7, 8, 9]
    assert (fetched.sought, fetched.consumer._passed) == ([], {HERE: 10})


async def test_a_fetch_that_a_rebalance_overtook_is_not_delivered(fetched):
    fetched.meanwhile = fetched.rebalance
    assert await fetched.fetch(7, 8) == []
    assert (fetched.sought, fetched.consumer._new_offset(HERE)) == ([], None)
    fetched.meanwhile = lambda: None
    assert await fetched.fetch(5, 6, 7, 8) == [5, 6, 7, 8]
    assert fetched.sought == []


async def test_a_rebalance_in_the_middle_of_a_delivery_ends_it(fetched):
    assert await fetched.fetch(7, 8, at_each=lambda _: fetched.rebalance()) == [7]
    assert await fetched.fetch(5, 6) == [5, 6]
    assert fetched.sought == []


async def test_while_the_flow_is_stopped_a_fetch_waits_and_is_delivered_in_the_new_generation(fetched):
    fetched.consumer.stop_flow()
    fetching = asyncio.create_task(fetched.fetch(5, 6))
    await asyncio.sleep(0)
    fetched.rebalance()
    fetched.consumer.resume_flow()
    assert await fetching == [5, 6]


async def test_a_fetch_that_ended_for_nobody_is_fetched_again_before_the_next_one_is_delivered(fetched):
    """Faust cancels the task that waits for it."""

    def lost():
        fetched.consumer.fetches.append(Fetch({HERE: (5, 6)}, {HERE: 7}, fetched.consumer.generation))

    lost()
    assert await fetched.fetch(5, 6) == [5, 6]
    assert fetched.sought == [5]
    fetched.sought.clear()
    fetched.meanwhile = lambda: fetched.consumer.fetches.append(
        Fetch({HERE: (7, 8)}, {HERE: 9}, fetched.consumer.generation)
    )
    assert await fetched.fetch(9, 10) == []
    assert fetched.sought == [7]
    assert fetched.consumer._new_offset(HERE) == 5


async def test_a_topic_that_was_made_again_is_committed_from_its_start(partition):
    fresh = partition(offsets=(0, 1), committed=500)
    for offset in (0, 1):
        fresh.ack(offset)
    fresh.commit()
    assert fresh.commits == [2]


async def test_a_partition_that_was_taken_away_is_not_committed(partition):
    four = partition()
    four.ack(5)
    await four.consumer.on_partitions_revoked({HERE})
    four.commit()
    assert four.commits == []


@given(order=st.permutations(range(12)), committed=st.sampled_from((None, 0)))
def test_in_any_order_never_past_an_unacked_one_and_to_the_end_at_last(order, committed):
    async def check():
        dozen = Partition(_Consumer, range(12), committed)
        for number, offset in enumerate(order):
            dozen.ack(offset)
            dozen.commit()
            unacked = set(order[number + 1 :])
            assert max(dozen.commits, default=0) <= min(unacked, default=12)
        assert dozen.commits[-1] == 12

    asyncio.run(check())

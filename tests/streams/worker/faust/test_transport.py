"""What is committed: never past a message that is not acked, and past every gap."""

import asyncio

import pytest
from faust.transport.drivers.aiokafka import Consumer
from hypothesis import given
from hypothesis import strategies as st

from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust.app import create_app
from rolecall.streams.worker.faust.transport import Fetch, _Consumer
from tests.streams.worker.faust.messages import HERE, message, untouched


class Partition:
    """Messages of one partition, acked by hand; commits are only remembered."""

    def __init__(self, consumer_class, offsets, committed):
        app = create_app(Settings(_env_file=None), "rolecall", untouched, list)
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
        return self.consumer.ack(self.messages[offset])

    def commit(self):
        """What Faust commits every second."""
        there = self.consumer._filter_tps_with_pending_acks()
        if offset := self.consumer._filter_committable_offsets(there).get(HERE):
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


async def test_what_was_fetched_and_dropped_is_fetched_again_and_not_passed(partition):
    """As the fetch of a task that is cancelled."""
    four = partition()  # 5 to 8 were delivered
    four.consumer.fetches += [
        Fetch({HERE: (5, 8)}, {HERE: 9}, four.consumer.resets),
        Fetch({HERE: (9, 11)}, {HERE: 12}, four.consumer.resets),
        Fetch({HERE: (12, 14)}, {HERE: 16}, four.consumer.resets),
    ]
    assert four.consumer._account() == {HERE: 9}
    for offset in four.messages:
        four.ack(offset)
    four.commit()
    assert four.commits == [9]


async def test_what_was_fetched_and_delivered_is_passed_with_the_markers_behind_it(partition):
    four = partition()
    four.consumer.fetches.append(Fetch({HERE: (5, 8)}, {HERE: 11}, four.consumer.resets))
    assert four.consumer._account() == {}
    assert four.consumer._passed == {HERE: 11}


async def test_of_a_partition_of_which_nothing_was_delivered_nothing_is_passed(partition):
    none = partition(offsets=(), committed=None)
    none.consumer.fetches.append(Fetch({HERE: (0, 41)}, {HERE: 42}, none.consumer.resets))
    assert none.consumer._account() == {HERE: 0}
    none.commit()
    assert none.commits == []


async def test_markers_alone_are_passed(partition):
    """All that was written since is a transaction that was aborted."""
    none = partition(offsets=(), committed=4)
    none.consumer.fetches.append(Fetch({}, {HERE: 42}, none.consumer.resets))
    assert none.consumer._account() == {}
    none.commit()
    assert none.commits == [42]


async def test_after_faust_has_sought_by_itself_what_was_acked_is_still_committed(partition):
    four = partition()

    async def seek_to_committed():
        return {HERE: 5}

    four.consumer._thread.seek_to_committed = seek_to_committed
    four.ack(5)
    await four.consumer.perform_seek()
    four.commit()
    assert four.commits == [6]


async def test_of_several_topics_those_that_are_asked_for_are_committed(partition):
    four = partition()
    pending = four.consumer._filter_tps_with_pending_acks
    for asked in (None, {"vacancies", "rules"}, {HERE}):
        assert list(pending(asked)) == [HERE]
    for asked in (set(), {"rules"}, {HERE._replace(partition=1)}):
        assert list(pending(asked)) == []


async def test_an_ack_counts_once(partition):
    four = partition()
    assert [four.ack(5), four.ack(5)] == [True, False]


async def test_no_list_of_what_was_acked_grows(partition):
    """Faust keeps each acked offset until its own arithmetic commits it."""
    four = partition()
    for offset in (6, 7, 8):
        four.ack(offset)
        four.commit()
    assert (four.consumer._acked[HERE], four.consumer._acked_index[HERE]) == ([], set())
    await four.consumer._add_gap(HERE, 6, 900)
    assert not four.consumer._gap[HERE]


async def test_what_was_fetched_before_a_rebalance_is_not_fetched_again(partition):
    four = partition()
    four.consumer.fetches.append(Fetch({HERE: (9, 11)}, {HERE: 12}, four.consumer.resets))
    await four.consumer.on_partitions_revoked({HERE})
    assert four.consumer._account() == {}


async def test_what_is_delivered_during_a_rebalance_is_not_committed(partition):
    """It will come again, here or to another worker."""
    four = partition()
    await four.consumer.on_partitions_revoked({HERE})
    four.deliver(message(9))

    async def nothing(*_):
        pass

    four.consumer._on_partitions_assigned = nothing
    four.consumer.app.on_rebalance_return = lambda: None
    await four.consumer.on_partitions_assigned(set())
    four.commit()
    assert four.commits == []


async def test_one_record_that_was_not_delivered_is_enough_to_fetch_again(partition):
    four = partition()  # 5 to 8 were delivered
    four.consumer.fetches.append(Fetch({HERE: (5, 9)}, {HERE: 10}, four.consumer.resets))
    assert four.consumer._account() == {HERE: 9}


async def test_the_first_record_of_a_partition_is_fetched_again_too(partition):
    none = partition(offsets=(), committed=None)
    none.consumer.fetches.append(Fetch({HERE: (0, 0)}, {HERE: 1}, none.consumer.resets))
    assert none.consumer._account() == {HERE: 0}


async def test_faust_hears_of_partitions_that_are_taken_and_given(partition):
    four, heard = partition(), []

    async def revoked(partitions):
        heard.append(("revoked", partitions))

    async def assigned(partitions, generation):
        heard.append(("assigned", partitions, generation))

    four.consumer._on_partitions_revoked, four.consumer._on_partitions_assigned = revoked, assigned
    four.consumer.app.on_rebalance_return = lambda: None
    await four.consumer.on_partitions_revoked({HERE})
    await four.consumer.on_partitions_assigned({HERE}, 7)
    assert heard == [("revoked", {HERE}), ("assigned", {HERE}, 7)]


async def test_fetches_before_and_after_a_reset_are_told_apart(partition):
    four = partition()
    before, after = four.consumer.resets, four.consumer.resets + 1
    four.consumer.fetches += [
        Fetch({HERE: (12, 14)}, {HERE: 15}, before),
        Fetch({HERE: (9, 9)}, {HERE: 10}, after),
    ]
    four.consumer.resets = after
    assert four.consumer._account() == {HERE: 9}


async def test_of_a_fetch_of_before_a_reset_nothing_is_passed_or_fetched_again(partition):
    """The group reads again from what was committed, 5. A seek to 12 would skip what lies between."""
    four = partition()
    four.consumer.fetches.append(Fetch({HERE: (12, 14)}, {HERE: 15}, four.consumer.resets))
    four.consumer.resets += 1
    assert four.consumer._account() == {}
    assert four.consumer._passed == {HERE: 9}


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

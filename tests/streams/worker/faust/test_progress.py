"""What a worker tells of its client: how far it has read, how far behind it is, how long it hears nothing."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP

from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust import transport
from rolecall.streams.worker.faust.app import create_app
from rolecall.streams.worker.faust.transport import positions, progress

V0, V1, C0 = TopicPartition("vacancies", 0), TopicPartition("vacancies", 1), TopicPartition("candidates", 0)
NOW = 1_767_225_600.0


class Group:
    """A Faust app whose client is subscribed as aiokafka keeps it."""

    def __init__(self):
        self.subscription = SubscriptionState()
        self.client = SimpleNamespace(_subscription=self.subscription)
        thread = SimpleNamespace(_ensure_consumer=lambda: self.client)
        self.consumer = SimpleNamespace(_thread=thread, _committed_offset={}, _waiting={})

    def assigned(self, *partitions):
        self.subscription.subscribe({each.topic for each in partitions} or {"vacancies"})
        self.subscription.assign_from_subscribed(set(partitions))

    def fetched(self, partition, *, position=None, end=None, stable=None, ago=None):
        state = self.subscription._assigned_state(partition)
        state.highwater, state.lso = end, stable
        if position is not None:
            state.seek(position)
        if ago is not None:
            state.timestamp = (NOW - ago) * 1000

    @property
    def lag(self):
        return progress(self).lag


@pytest.fixture
async def group(monkeypatch):
    monkeypatch.setattr(transport, "time", SimpleNamespace(time=lambda: NOW))
    return Group()


async def test_lag_is_what_lies_between_the_commit_and_the_end(group):
    group.assigned(V0, V1, C0)
    group.consumer._committed_offset = {TP(*V0): 4, TP(*V1): None}
    for partition in (V0, V1, C0):
        group.fetched(partition, end=10)
    assert group.lag == {("vacancies", 0): 6, ("vacancies", 1): 10, ("candidates", 0): 10}


async def test_before_the_first_fetch_the_lag_is_not_known(group):
    group.assigned(V0)
    assert group.lag == {("vacancies", 0): None}


async def test_events_of_an_open_transaction_are_no_lag(group):
    group.assigned(V0, V1, C0)
    group.fetched(V0, end=10, stable=7)
    group.fetched(V1, end=10, stable=-1)  # a broker without transactions
    group.fetched(C0, end=7, stable=10)  # a fetch answers one after the other
    assert group.lag == {("vacancies", 0): 7, ("vacancies", 1): 10, ("candidates", 0): 7}


async def test_a_stable_offset_of_zero_is_one(group):
    """The first record of the partition is of an open transaction."""
    group.assigned(V0)
    group.fetched(V0, end=10, stable=0)
    assert group.lag == {("vacancies", 0): 0}


async def test_a_commit_past_the_end_is_no_lag(group):
    group.assigned(V0)
    group.consumer._committed_offset = {TP(*V0): 12}
    group.fetched(V0, end=10)
    assert group.lag == {("vacancies", 0): 0}


async def test_every_delivered_event_without_an_ack_counts(group):
    group.consumer._waiting = {TP(*V0): {4, 5}, TP(*C0): {1}}
    assert progress(group).unacked == 3


async def test_it_has_joined_once_the_group_has_assigned_its_partitions(group):
    assert not progress(group).joined
    group.subscription.subscribe({"vacancies"})
    assert not progress(group).joined
    group.assigned()  # more workers than partitions
    assert progress(group).joined


async def test_what_was_taken_away_is_told_of_no_more(group):
    group.assigned(V0)
    group.fetched(V0, position=4, end=10)
    group.subscription.unsubscribe()
    assert (progress(group).joined, group.lag, positions(group.client)) == (False, {}, {})


async def test_while_the_group_is_rebalanced_nothing_is_told(group):
    group.assigned(V0)
    group.subscription.subscription.assignment._unassign()
    assert (progress(group).joined, group.lag) == (False, {})


async def test_the_silence_is_that_of_the_partition_that_waits_longest(group):
    group.assigned(V0, V1, C0)
    group.fetched(V0, ago=3)
    group.fetched(V1, ago=8)
    assert progress(group).silent_seconds == pytest.approx(8)


async def test_before_anything_was_fetched_there_is_no_silence(group):
    group.assigned(V0)
    assert progress(group).silent_seconds == 0


async def test_while_events_wait_for_their_ack_there_is_no_silence(group):
    """Faust does not fetch then."""
    group.assigned(V0)
    group.fetched(V0, ago=90)
    group.consumer._waiting = {TP(*V0): {4}}
    assert progress(group).silent_seconds == 0


async def test_positions_are_those_of_partitions_that_have_one(group):
    group.assigned(V0, V1)
    group.fetched(V0, position=7)
    assert positions(group.client) == {TP("vacancies", 0): 7}


async def test_the_client_reads_committed_records_and_waits_as_the_settings_say():
    async def untouched(topic, records, acknowledge):
        raise AssertionError("no batch arrives here")

    app = create_app(Settings(_env_file=None, fetch_max_wait_ms=123), "rolecall", untouched, list)
    thread = app.consumer._thread
    thread.thread_loop.close()  # of a thread that never starts
    client = thread._create_worker_consumer(app.transport)
    await client.stop()
    assert (client._isolation_level, client._fetch_max_wait_ms) == ("read_committed", 123)

"""Every record that was fetched is delivered, or fetched again."""

import pytest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread as Thread
from faust.types import TP
from structlog.testing import capture_logs

from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust import transport
from rolecall.streams.worker.faust.app import create_app
from rolecall.streams.worker.faust.transport import Fetch
from tests.streams.worker.faust.messages import HERE, message, untouched

OTHER, THIRD = TP("vacancies", 1), TP("candidates", 0)


class Client:
    """aiokafka's consumer with one partition of 12 records, read one after the other."""

    def __init__(self, committed):
        self.positions = {HERE: committed or 0}
        self._committed = committed

    @property
    def position(self):
        return self.positions[HERE]

    @position.setter
    def position(self, offset):
        self.positions[HERE] = offset

    def assignment(self):
        return set(self.positions)

    async def committed(self, tp):
        return self._committed

    def seek(self, tp, offset):
        assert tp in self.positions, "aiokafka refuses a partition that is not assigned"
        self.positions[tp] = offset

    def take(self, count):
        first, self.position = self.position, min(self.position + count, 12)
        return [message(offset) for offset in range(first, self.position)]


class Fetched:
    """Our consumer on that client. A thread of its own is not needed: one thing happens after the other."""

    def __init__(self, monkeypatch, committed):
        self.app = create_app(Settings(_env_file=None), "rolecall", untouched, list)
        self.consumer = self.app.consumer
        self.thread = self.consumer._thread
        self.thread.thread_loop.close()
        self.client = Client(committed)
        self.before = self.after = lambda: None  # happens just before or after the client gives records
        self.call = lambda: None  # happens just before the client's thread is called

        async def records(thread, client, *_):
            await self.happen("before")
            return {HERE: taken} if (taken := client.take(3)) else {}

        async def getmany(thread, *arguments):
            taken = await thread._fetch_records(self.client, *arguments)
            await self.happen("after")
            return taken

        async def call(thread, method, *arguments):
            await self.happen("call")
            return await method(*arguments)

        monkeypatch.setattr(Thread, "_fetch_records", records)
        monkeypatch.setattr(Thread, "getmany", getmany)
        monkeypatch.setattr(Thread, "call_thread", call, raising=False)
        monkeypatch.setattr(Thread, "_ensure_consumer", lambda thread: self.client)
        monkeypatch.setattr(transport, "positions", lambda client: {HERE: client.position})
        monkeypatch.setattr(self.consumer, "_get_active_partitions", lambda: {HERE})
        monkeypatch.setattr(self.consumer, "_to_message", lambda tp, record: record)
        monkeypatch.setattr(self.consumer, "highwater", lambda tp: 12)
        self.consumer.resume_flow()

    async def happen(self, when):
        """Once."""
        happens = getattr(self, when)
        setattr(self, when, lambda: None)
        if (awaited := happens()) is not None:
            await awaited

    async def fetch(self, at_each=lambda offset: None):
        """What Faust's fetcher takes of one fetch: nothing below the offset that it has read."""
        delivered = []
        async for tp, each in self.consumer.getmany(0.1):
            if each.offset >= (self.consumer._read_offset[tp] or 0):
                delivered.append(each.offset)
                self.consumer._read_offset[tp] = each.offset
            if (happens := at_each(each.offset)) is not None:
                await happens
        return delivered

    async def rest(self):
        """What is delivered from now on, to the end."""
        delivered = []
        while some := await self.fetch() or self.client.position < 12:
            delivered += some if some is not True else []
        return delivered

    async def rebalance(self):
        await self.consumer.on_partitions_revoked({HERE})
        await self.consumer.perform_seek()

    async def ends_for_nobody(self):
        await self.thread._fetch_records(self.client)


@pytest.fixture(params=[None, 4], ids=["fresh group", "committed 4"])
async def fetched(request, monkeypatch):
    made = Fetched(monkeypatch, request.param)

    async def nothing(*_):
        pass

    monkeypatch.setattr(made.consumer, "_on_partitions_revoked", nothing)
    return made


@pytest.fixture
def start(fetched):
    return fetched.client.position


async def test_what_no_stream_has_taken_yet_is_not_committed(fetched, start):
    """It lies in the queue of a stream, which tells the consumer of it only when it takes it."""
    await fetched.fetch()
    assert fetched.consumer._new_offset(HERE) == start


async def test_a_fetch_without_records_changes_nothing(fetched, start):
    fetched.client.position = 12
    assert [await fetched.fetch(), await fetched.fetch()] == [[], []]
    assert (fetched.client.position, fetched.consumer.resets) == (12, 0)


async def test_every_record_is_delivered_once_and_nothing_sought(fetched, start):
    assert await fetched.rest() == list(range(start, 12))
    assert fetched.consumer.resets == 0
    assert fetched.consumer._passed == {HERE: 12}


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_rebalance_while_records_are_fetched_loses_none(fetched, start, moment):
    """Before the client gives them, they are right; after that, they will be read again."""
    setattr(fetched, moment, fetched.rebalance)
    first = await fetched.fetch()
    assert first + await fetched.rest() == list(range(start, 12))


async def test_what_was_fetched_before_faust_sought_by_itself_is_delivered_once(fetched, start):
    fetched.after = fetched.consumer.perform_seek
    assert await fetched.fetch() + await fetched.rest() == list(range(start, 12))


async def test_a_rebalance_in_the_middle_of_a_delivery_reads_again_from_what_was_committed(fetched, start):
    assert await fetched.fetch(at_each=lambda _: fetched.rebalance()) == [start]
    assert await fetched.rest() == list(range(start, 12))


async def test_once_its_partitions_are_taken_away_nothing_more_of_a_fetch_is_delivered(fetched, start):
    async def revoked(_):
        await fetched.consumer.on_partitions_revoked({HERE})

    assert await fetched.fetch(at_each=revoked) == [start]


async def test_a_fetch_that_ends_for_nobody_in_the_middle_of_a_delivery_is_fetched_again(fetched, start):
    async def another(offset):
        if offset == start + 1:
            await fetched.ends_for_nobody()

    assert await fetched.fetch(at_each=another) == [start, start + 1]
    assert await fetched.rest() == list(range(start + 2, 12))


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_fetch_that_ends_for_nobody_is_fetched_again_before_the_next_is_delivered(
    fetched, start, moment
):
    setattr(fetched, moment, fetched.ends_for_nobody)
    assert await fetched.fetch() == []
    assert fetched.consumer._new_offset(HERE) is None
    assert await fetched.rest() == list(range(start, 12))


async def test_one_that_ended_for_nobody_before_the_fetch_is_fetched_first(fetched, start):
    """Without first fetching what lies behind it."""
    await fetched.ends_for_nobody()
    with capture_logs() as logs:
        assert await fetched.fetch() == [start, start + 1, start + 2]
    assert [(each["topic"], each["partition"], each["again_from"]) for each in logs] == [(*HERE, start)]
    assert await fetched.rest() == list(range(start + 3, 12))


async def test_while_the_flow_is_stopped_the_client_is_not_asked_to_seek(fetched):
    """Its thread may have ended: nobody would answer."""

    async def seek(offsets, resets):
        raise AssertionError("this hangs")

    fetched.thread.seek_again = seek
    await fetched.ends_for_nobody()
    fetched.consumer.stop_flow()
    fetched.consumer.can_resume_flow.set()  # ends the wait, as a stop of the consumer does
    assert await fetched.fetch() == []


async def test_records_that_come_again_after_a_rebalance_are_taken_although_a_fetch_was_dropped(
    fetched, start
):
    """The rebalance sets the client back just before it is asked to seek forward to the dropped fetch. Were
    they not taken, nobody would ever ack them, and the worker would commit nothing more."""
    assert await fetched.fetch() == [start, start + 1, start + 2]
    await fetched.ends_for_nobody()
    fetched.call = fetched.rebalance
    first = await fetched.fetch()
    assert first + await fetched.rest() == list(range(start, 12))


async def test_after_faust_has_sought_by_itself_a_fetch_that_is_dropped_is_fetched_again(fetched, start):
    await fetched.fetch()
    await fetched.consumer.perform_seek()
    await fetched.ends_for_nobody()
    assert await fetched.rest() == list(range(start, 12))


async def test_a_fetch_that_ends_while_the_client_is_asked_to_seek_is_fetched_again_too(fetched, start):
    fetched.client.positions |= {OTHER: 3, THIRD: 8}
    resets = fetched.consumer.resets
    fetched.consumer.fetches.append(Fetch({OTHER: (0, 2), THIRD: (5, 7)}, {OTHER: 3, THIRD: 8}, resets))
    await fetched.thread.seek_again({HERE: 2}, resets)
    assert fetched.client.positions == {HERE: 2, OTHER: 0, THIRD: 5}


async def test_of_two_partitions_each_is_fetched_again_from_its_own_offset(fetched, start):
    fetched.client.positions[OTHER] = 9
    taken = {HERE: (start, start + 2), OTHER: (6, 8)}
    fetched.consumer.fetches.append(Fetch(taken, {HERE: start + 3, OTHER: 9}, fetched.consumer.resets))
    with capture_logs() as logs:
        await fetched.consumer._fetch_again()
    assert fetched.client.positions == {HERE: start, OTHER: 6}
    assert [line["again_from"] for line in logs] == [start, 6]


async def test_a_partition_that_was_taken_away_is_not_sought(fetched, start):
    await fetched.thread.seek_again({HERE: start, OTHER: 0}, fetched.consumer.resets)
    assert fetched.client.positions == {HERE: start}


async def test_a_position_is_not_set_again_after_a_rebalance_has_set_it_back(fetched, start):
    await fetched.ends_for_nobody()
    again, resets = fetched.consumer._account(), fetched.consumer.resets
    assert again == {HERE: start}
    await fetched.rebalance()
    await fetched.thread.seek_again({HERE: start + 2}, resets)
    assert fetched.client.position == start

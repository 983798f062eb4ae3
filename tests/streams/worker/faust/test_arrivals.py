"""When an agent takes the events that have arrived."""

import asyncio
from types import SimpleNamespace

import pytest

from rolecall.streams.worker.faust.agents import Arrivals

LONG = 60.0


class Stream:
    """What `Arrivals` needs of a Faust stream. `put` does what the stream's own task does with an event."""

    def __init__(self):
        self.channel = SimpleNamespace(queue=asyncio.Queue())
        self.processors = []
        self.stopped = False
        self.full = asyncio.Event()

    def add_processor(self, processor):
        self.processors.append(processor)

    async def wait_for_stopped(self, some):
        await some.wait()
        return self.stopped

    def put(self, event):
        for processor in self.processors:
            assert processor(event) == event

    async def batch(self, timeout=LONG):  # noqa: ASYNC109 - as Faust calls it
        return await self.wait_for_stopped(self.full, timeout=timeout)


@pytest.fixture
async def stream():
    return Stream()


@pytest.fixture
async def arrivals(stream):
    return Arrivals(stream)


async def test_without_events_nothing_ends_the_wait(stream, arrivals):
    waiting = asyncio.create_task(stream.batch(timeout=0.001))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 0.05)


async def test_one_event_with_none_behind_it_does_not_wait_for_more(stream, arrivals):
    waiting = asyncio.create_task(stream.batch())
    await asyncio.sleep(0)
    stream.put("one")
    assert await asyncio.wait_for(waiting, LONG / 2) is False


async def test_while_more_are_queued_a_batch_waits_until_it_is_full(stream, arrivals):
    stream.channel.queue.put_nowait("two")
    stream.put("one")
    waiting = asyncio.create_task(stream.batch())
    assert not (await asyncio.wait([waiting], timeout=0.05))[0]
    stream.full.set()
    assert await asyncio.wait_for(waiting, LONG / 2) is False


async def test_while_more_are_queued_a_batch_waits_no_longer_than_it_may(stream, arrivals):
    stream.channel.queue.put_nowait("two")
    stream.put("one")
    assert await asyncio.wait_for(stream.batch(timeout=0.01), LONG / 2) is False


async def test_an_event_that_came_after_the_batch_was_taken_is_not_forgotten(stream, arrivals):
    stream.put("one")
    stream.put("two")
    arrivals.taken(1)
    assert await asyncio.wait_for(stream.batch(), LONG / 2) is False


async def test_what_was_taken_wakes_nobody(stream, arrivals):
    stream.put("one")
    arrivals.taken(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.batch(timeout=0.001), 0.05)


async def test_a_stopped_stream_ends_the_wait(stream, arrivals):
    stream.stopped = True
    waiting = asyncio.create_task(stream.batch())
    await asyncio.sleep(0)
    arrivals._some.set()  # as Faust's own wait returns when the stream is stopped
    assert await asyncio.wait_for(waiting, LONG / 2) is True

"""The agents take batches in parts, and ack each part once its handler says so, in order of arrival."""

import asyncio
from types import SimpleNamespace

import faust
import pytest
from faust.types.tuples import ConsumerMessage

from rolecall.schemas.topics import INPUTS
from rolecall.streams.worker.faust.agents import add_agents


@pytest.fixture
async def app():
    return faust.App("facts", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False)


class FakeStream:
    """A stream that yields these batches and records the acks."""

    def __init__(self, *batches):
        self._batches = batches
        self.automatic = True
        self.acked = []
        self.channel = SimpleNamespace(queue=asyncio.Queue())
        self.processors = []

    def add_processor(self, processor):
        self.processors.append(processor)

    async def wait_for_stopped(self, some):
        return await some.wait() is None

    def noack(self):
        self.automatic = False
        return self

    async def noack_take(self, size, within):
        assert not self.automatic, "bare noack_take acks on its way out what nobody has seen"
        for batch in self._batches:
            for event in batch:
                for processor in self.processors:
                    processor(event)
            yield batch

    async def ack(self, event):
        self.acked.append(event.message.offset)


def events(*offsets):
    return [
        SimpleNamespace(
            message=SimpleNamespace(
                topic="vacancies", partition=0, offset=offset, key=b"k", value=b"v", timestamp=1.5, headers=[]
            )
        )
        for offset in offsets
    ]


class TestAgents:
    @pytest.fixture
    def agent(self, app):
        """The agent of a topic, made in the same way as the worker makes it."""

        def make(handle, topic="vacancies", part_seconds=10):
            add_agents(app, handle, INPUTS, batch_size=8, within_seconds=0.01, part_seconds=part_seconds)
            return next(agent for name, agent in app.agents.items() if name.endswith(topic))

        return make

    async def test_a_batch_is_acked_in_order_of_arrival(self, agent):
        async def handle(topic, records, acknowledge):
            await acknowledge()

        stream = FakeStream(events(3, 4), events(5))
        await agent(handle).fun(stream)
        assert stream.acked == [3, 4, 5]

    async def test_nothing_is_acked_before_its_handler_says_so(self, agent):
        async def handle(topic, records, acknowledge):
            assert stream.acked == []

        stream = FakeStream(events(3, 4), events(5))
        await agent(handle).fun(stream)
        assert stream.acked == []

    async def test_a_slow_batch_goes_in_parts_each_acked_before_the_next(self, agent):
        seen = []

        async def handle(topic, records, acknowledge):
            seen.append(([record.offset for record in records], list(stream.acked)))
            await acknowledge()

        stream = FakeStream(events(1), events(2, 3), events(4, 5))
        await agent(handle, part_seconds=0).fun(stream)
        assert seen == [([1], []), ([2], [1]), ([3], [1, 2]), ([4], [1, 2, 3]), ([5], [1, 2, 3, 4])]

    async def test_when_the_handler_fails_nothing_is_acked(self, agent):
        async def handle(topic, records, acknowledge):
            raise RuntimeError

        stream = FakeStream(events(3, 4))
        with pytest.raises(RuntimeError):
            await agent(handle).fun(stream)
        assert stream.acked == []

    @pytest.mark.parametrize("topic", ["vacancies", "candidates", "rules", "occupations"])
    async def test_the_handler_gets_records_with_their_place_and_time(self, agent, topic):
        seen = []

        async def handle(topic, records, acknowledge):
            seen.append((topic, [(record.offset, record.timestamp_ms) for record in records]))

        await agent(handle, topic).fun(FakeStream(events(3, 4)))
        assert seen == [(topic, [(3, 1500), (4, 1500)])]

    def test_one_at_a_time(self, agent):
        """Concurrent batches would ack out of order."""
        assert agent(None).concurrency == 1

    @pytest.mark.parametrize("value", [b"\xff{", b"", None])
    async def test_any_bytes_and_none_at_all_reach_the_handler_as_they_are(self, agent, value):
        """What Faust cannot decode it acks, and nobody sees it."""
        message = ConsumerMessage("vacancies", 0, 3, 1.5, 0, (), b"\xfe", value, None)
        event = await agent(None).channel.decode(message, propagate=True)
        assert (event.key, event.value) == (b"\xfe", value)

    async def test_what_was_taken_wakes_the_stream_no_more(self, agent):
        async def handle(topic, records, acknowledge):
            pass

        stream = FakeStream(events(3, 4), events(5))
        await agent(handle).fun(stream)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.wait_for_stopped(asyncio.Event(), timeout=0.001), 0.05)

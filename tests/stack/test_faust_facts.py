"""What the worker relies on in Faust, and how it uses it (DESIGN: acks in order, nothing acked unseen).

That `noack().noack_take` loses nothing when a worker dies is for test_chaos to show, through a broker.
"""

from types import SimpleNamespace

import faust
import pytest
from faust.transport.consumer import Consumer
from faust.types import TP
from intervaltree import IntervalTree

from streams.agents import add_agents

HERE = TP("vacancies", 0)


@pytest.fixture
async def app():
    return faust.App("facts", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False)


class TestCommits:
    """`Consumer._new_offset`: the offset to commit, out of those acked since."""

    @pytest.fixture
    def to_commit(self):
        def offset(committed, acked):
            consumer = SimpleNamespace(
                _committed_offset={HERE: committed},
                _acked={HERE: list(acked)},
                _acked_index={HERE: set(acked)},
                _gap={HERE: IntervalTree()},
            )
            return Consumer._new_offset(consumer, HERE)

        return offset

    @pytest.mark.parametrize("committed", [None, 5])
    def test_acked_in_order_exactly_those_are_committed(self, to_commit, committed):
        assert to_commit(committed, [5, 6, 7]) == 8

    def test_behind_a_gap_nothing_more_is_committed(self, to_commit):
        assert to_commit(5, [5, 6, 9]) == 7

    def test_nothing_acked_nothing_committed(self, to_commit):
        assert to_commit(5, []) is None

    @pytest.mark.parametrize(("committed", "acked"), [(5, [6]), (None, [7])])
    def test_out_of_order_it_commits_past_the_head(self, to_commit, committed, acked):
        """faust-streaming #606. When this fails it is mended, and acks need no order any more."""
        assert to_commit(committed, acked) == acked[0] + 1


class FakeStream:
    """A stream that yields these batches, and remembers what was acked."""

    def __init__(self, *batches):
        self._batches = batches
        self.automatic = True
        self.acked = []

    def noack(self):
        self.automatic = False
        return self

    async def noack_take(self, size, within):
        assert not self.automatic, "bare noack_take acks on its way out what nobody has seen"
        for batch in self._batches:
            yield batch

    async def ack(self, event):
        self.acked.append(event.message.offset)


def events(*offsets):
    return [
        SimpleNamespace(
            message=SimpleNamespace(
                topic="vacancies", partition=0, offset=offset, key=b"k", value=b"v", timestamp=1.5
            )
        )
        for offset in offsets
    ]


class TestAgents:
    @pytest.fixture
    def agent(self, app):
        """The agent of a topic, as the worker makes it."""

        def make(handle, topic="vacancies"):
            add_agents(app, handle, batch_size=8, within_seconds=0.01)
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
        """More would ack out of order."""
        assert agent(None).concurrency == 1

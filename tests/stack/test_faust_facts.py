"""The behaviour of Faust that the worker relies on: acks in order, and no ack of an unseen message.

If one of these tests fails after an upgrade, docs/operations.md ("Why not `take`") is no longer true.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import faust
import pytest
from faust.transport.consumer import Consumer
from faust.types import TP
from intervaltree import IntervalTree

from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust.app import create_app

HERE = TP("vacancies", 0)


@pytest.fixture
async def app():
    return faust.App("facts", broker="kafka://127.0.0.1:1", store="memory://", autodiscover=False)


async def untouched(topic, records, acknowledge):
    raise AssertionError("no batch arrives here")


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
        """faust-streaming #606. If this test fails, the bug is fixed, and acks need no order any more."""
        assert to_commit(committed, acked) == acked[0] + 1


@pytest.fixture(scope="module")
def found():
    """The results of each app of faust_apps.py, run against a broker."""
    script = Path(__file__).with_name("faust_apps.py")
    run = subprocess.run([sys.executable, script], capture_output=True, check=True, timeout=200)
    return json.loads(run.stdout)


class TestBatches:
    def test_take_acks_a_batch_that_failed(self, found):
        assert found["take"]["lost"] > 0

    def test_noack_and_noack_take_lose_nothing(self, found):
        """The worker uses these two calls."""
        assert 0 < found["noack_noack_take"]["ended"] <= 40
        assert found["noack_noack_take"]["lost"] == 0

    def test_a_failed_batch_does_not_come_again_to_a_restarted_agent(self, found):
        """For this reason the worker ends its process."""
        assert found["restarted"]["started"] == 2
        assert not found["restarted"]["again"]

    def test_what_cannot_be_decoded_is_acked_unseen(self, found):
        """For this reason the worker takes raw bytes."""
        assert found["decodes"]["lost"] == 1

    def test_a_batch_slower_than_session_and_rebalance_keeps_its_partitions(self, found):
        assert (found["slow"]["ended"], found["slow"]["lost"], found["slow"]["assigned"]) == (100, 0, 1)

    def test_bare_noack_take_turns_acks_on_again_on_its_way_out(self, app):
        """The current batch is not acked. After `noack()`, acks stay off."""
        bare, off = app.stream([[1]]), app.stream([[1]]).noack()
        assert (bare.enable_acks, off.enable_acks) == (True, False)


class TestStopping:
    def test_an_unacked_message_hangs_it(self, found):
        assert found["never_acks"]["stop_hangs"]

    def test_not_where_it_need_not_wait(self, found):
        assert not found["never_acks_nor_waits"]["stop_hangs"]


class TestSending:
    def test_that_a_record_was_not_taken_is_heard_of_by_its_future_alone(self, found):
        """Which of the two errors it is depends on when the connection is given up."""
        assert found["sends"]["flush"] == "nothing"
        assert found["sends"]["future"] in ("NodeNotReadyError", "RequestTimedOutError")


class TestSettings:
    @pytest.fixture
    def worker(self):
        return create_app(Settings(_env_file=None), "facts", untouched, list).conf

    @pytest.mark.parametrize(
        ("name", "default", "ours"),
        [
            ("producer_request_timeout", 1200, 30),
            ("broker_max_poll_records", None, 256),
            ("stream_wait_empty", True, False),
            ("broker_max_poll_interval", 1000, 1000),
        ],
    )
    def test_a_default_that_would_not_do(self, app, worker, name, default, ours):
        assert (getattr(app.conf, name), getattr(worker, name)) == (default, ours)

    def test_acks_are_at_least_once_and_there_are_no_tables(self):
        app = create_app(Settings(_env_file=None), "facts", untouched, list)
        assert not app.in_transaction
        assert not app.tables

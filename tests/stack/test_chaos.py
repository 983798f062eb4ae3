"""Faults while events flow: a short `make chaos`, and a worker that is asked to stop or left alone."""

import asyncio
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.chaos import run
from bench.rig import kafka
from rolecall.streams.embedded.stack import Stack, edge_index, free_port
from rolecall.streams.kafka.lag import lag
from rolecall.streams.kafka.topics import create_topics

SEED = 20261122
GROUP = "rolecall"
FAULTS = [
    "exception in encode",
    "dead letters unwritable",
    "worker killed in a held batch",
    "Redis killed",
    "index killed",
    "broker paused",
]


def test_whatever_fails_nothing_is_lost_invented_or_dead_lettered_without_cause():
    outcome = run(SEED, FAULTS, events=700, population=80)
    assert (outcome.lost, outcome.wrong_letters) == ([], [])
    assert (outcome.wrong_pairs, outcome.repeated_after_dedup) == (0, 0)
    assert (len(outcome.recovered), outcome.restarts) == (len(FAULTS), 1)


class Hurt:
    """One worker on a stack of its own, busy; index and broker can be killed or paused."""

    def __init__(self, kit, directory, running):
        self._kit = kit
        self._directory = directory
        self._running = running
        address = f"127.0.0.1:{free_port()}"
        self.broker = running.enter_context(kafka.broker(address, directory / "kafka"))
        sockets = Path(running.enter_context(TemporaryDirectory(prefix="rolecall-")))
        stack = Stack(address, directory / "index", sockets / "index.sock", None)
        asyncio.run(create_topics(stack.settings))
        self.index = running.enter_context(edge_index(stack.edge_path, stack.edge_socket))
        self._environment = stack.environment() | kit.wide
        self.wire = kit.wire(address)
        running.callback(self.wire.close)
        self._started = 0

    def busy_worker(self, name, **settings):
        self._started += 1
        log = self._directory / f"worker-{self._started}.jsonl"
        worker = self._running.enter_context(
            self._kit.running_worker(self._environment | {"ROLECALL_BATCH_SIZE": "8"} | settings, log)
        )
        records = self._kit.history(SEED, name, 80).records
        before = len(self.wire.matches)
        self.wire.send_all(records[: len(records) // 2])
        self.wire.until(lambda: len(self.wire.matches) > before + 50, "some matches")
        self.wire.send_all(records[len(records) // 2 :])
        return worker

    def lag(self):
        return self.wire.run(lag(self.wire.broker, GROUP))


@pytest.fixture(scope="module")
def hurt(kit, tmp_path_factory):
    with ExitStack() as running:
        yield Hurt(kit, tmp_path_factory.mktemp("hurt"), running)


def test_asked_to_stop_it_ends_in_good_order_and_in_time(hurt):
    worker = hurt.busy_worker("stopped")
    asked = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 0
    assert time.monotonic() - asked < 20
    assert worker.lines("worker_stopped")


def test_past_the_deadline_it_ends_with_the_batch_uncommitted(hurt):
    worker = hurt.busy_worker("deadline", ROLECALL_STOP_SECONDS="1")
    hurt.broker.send_signal(signal.SIGSTOP)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(60) == 3
    assert worker.lines("stop_deadline")
    hurt.broker.send_signal(signal.SIGCONT)
    assert hurt.lag() > 0


def test_an_index_that_stays_away_ends_it_with_nothing_acked(hurt):
    worker = hurt.busy_worker("alone", ROLECALL_RETRY_SECONDS="5")
    hurt.index.kill()
    assert worker.process.wait(60) == 1
    [failure] = worker.lines("worker_failed")
    assert "failed for 5 s" in failure["error"]
    assert hurt.lag() > 0

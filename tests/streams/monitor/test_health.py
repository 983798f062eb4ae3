"""What /live and /ready say of a worker, asked over HTTP while its event loop runs, waits or hangs."""

import asyncio
import threading
import time

import pytest
from prometheus_client import CollectorRegistry

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexUnavailable, PortUnavailable
from rolecall.streams.index.port import SPACES
from rolecall.streams.kafka.lag import Progress
from rolecall.streams.monitor import health
from rolecall.streams.monitor.contact import Contact
from rolecall.streams.monitor.health import Health, HealthServer


class Index:
    """Answers, refuses or keeps silent."""

    def __init__(self):
        self.error = None
        self.silent = False
        self.gone = []

    async def missing(self):
        return self.gone

    async def fetch(self, side, ids):
        assert (side, ids) == (Side.VACANCY, [""])
        if self.silent:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return {}


@pytest.fixture
def loop():
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture
def index():
    return Index()


@pytest.fixture
def worker(loop, index, monkeypatch):
    """One that is ready."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.2)
    worker = Health(loop)
    worker.model_version, worker.index = "m1", index
    worker.consuming = lambda: Progress({("vacancies", 0): 0})
    return worker


@pytest.fixture
def ask(worker, http_get):
    """Status and body of a path."""
    server = HealthServer("127.0.0.1", 0, worker, CollectorRegistry())
    yield lambda path: http_get(f"http://127.0.0.1:{server.port}{path}")
    server.close()


def test_a_worker_with_model_index_and_partitions_is_ready(ask):
    assert ask("/ready") == (200, "model: ok\nindex: ok\nbroker: ok\npartitions: ok\n")


def test_it_is_not_ready_while_the_model_is_loaded(worker, ask):
    worker.model_version = worker.index = None
    status, body = ask("/ready")
    assert (status, body.splitlines()[:2]) == (503, ["model: not loaded", "index: not prepared"])


@pytest.mark.parametrize("consuming", [None, Progress])
def test_it_is_not_ready_without_partitions(worker, ask, consuming):
    worker.consuming = consuming
    assert ask("/ready") == (503, "model: ok\nindex: ok\nbroker: ok\npartitions: none assigned\n")


def test_it_is_not_ready_while_a_partition_is_not_fetched(worker, ask):
    worker.consuming = lambda: Progress({("vacancies", 0): 0}, silent_seconds=31)
    assert "partitions: one was not fetched for 31 s\n" in ask("/ready")[1]


def test_it_is_not_ready_within_a_session_timeout_of_a_silent_broker(worker, ask):
    clock = [100.0]
    worker._contact = Contact("k:9092", 60, now=lambda: clock[0])
    assert ask("/ready")[0] == 200
    clock[0] += 16  # of the 30 s of a session
    status, body = ask("/ready")
    assert (status, body.splitlines()[2]) == (503, "broker: no answer for 16 s")


def test_it_is_not_ready_while_the_index_refuses(index, ask):
    index.error = IndexUnavailable("secret-host: connection refused")
    assert ask("/ready") == (503, "model: ok\nindex: IndexUnavailable\nbroker: ok\npartitions: ok\n")
    index.error = None
    assert ask("/ready")[0] == 200


@pytest.mark.parametrize("space", SPACES)
def test_it_is_not_ready_while_a_space_of_the_index_is_missing(index, ask, space):
    index.gone = [space]
    assert ask("/ready") == (503, f"model: ok\nindex: lacks {space}\nbroker: ok\npartitions: ok\n")


def test_it_is_not_ready_while_the_index_is_silent(index, ask):
    index.silent = True
    status, body = ask("/ready")
    assert (status, body.splitlines()[1]) == (503, "index: does not answer within 0.2 s")


def test_it_is_live_before_it_is_ready(worker, ask):
    worker.model_version = worker.index = worker.consuming = None
    assert ask("/live") == (200, "loop: ok\nbatch: ok\n")


def test_it_is_not_live_while_its_event_loop_hangs(loop, ask):
    freed = threading.Event()
    loop.call_soon_threadsafe(freed.wait)
    assert ask("/live")[0] == 503
    freed.set()
    assert ask("/live")[0] == 200


def test_it_is_not_live_when_a_batch_never_ends(worker, ask):
    with worker.batch():
        assert ask("/live")[0] == 200
    worker.batches["stuck"] = time.monotonic() - health.STUCK_SECONDS - 1
    assert ask("/live") == (503, "loop: ok\nbatch: in hand for 601 s\n")


def test_any_other_path_is_not_found(ask):
    assert ask("/etc/passwd")[0] == 404


def test_a_port_in_use_is_an_error_that_names_the_settings(worker):
    first = HealthServer("127.0.0.1", 0, worker, CollectorRegistry())
    try:
        with pytest.raises(PortUnavailable, match=rf"cannot listen on .*ROLECALL_HTTP_PORT={first.port} "):
            HealthServer("127.0.0.1", first.port, worker, CollectorRegistry())
    finally:
        first.close()

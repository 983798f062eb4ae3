"""A worker asked over HTTP: ready when it consumes, not while its index is away, and what it counted."""

import json
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rolecall.schemas.match import Side
from rolecall.schemas.topics import INPUTS
from rolecall.streams.embedded.stack import edge_index


@pytest.fixture(scope="module")
def stack(kit, tmp_path_factory):
    with kit.stack(tmp_path_factory.mktemp("health")) as running:
        yield running


@pytest.fixture(scope="module")
def index(stack, tmp_path_factory):
    """Starts the worker's own index, which may be killed; its socket is short enough beside the stack's."""
    path, socket = tmp_path_factory.mktemp("own"), stack.edge_socket.with_name("own.sock")
    return lambda: edge_index(path, socket)


@pytest.fixture(scope="module")
def worker(stack, index, kit, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "worker.jsonl"
    environment = stack.environment() | kit.wide
    environment["ROLECALL_EDGE_SOCKET"] = str(stack.edge_socket.with_name("own.sock"))
    with index() as process, kit.running_worker(environment, log) as running:
        running.index = process
        yield running


@pytest.fixture(scope="module")
def ask(worker, kit, http_get):
    [line] = kit.poll(lambda: worker.lines("http_listening"), "the port")
    return lambda path: http_get(f"http://127.0.0.1:{line['port']}{path}")


@pytest.fixture(scope="module")
def ready(ask, kit):
    return lambda: kit.poll(lambda: ask("/ready")[0] == 200, "ready")


@pytest.fixture
def scrape(ask):
    """The samples now."""

    def parsed():
        families = text_string_to_metric_families(ask("/metrics")[1])
        return [sample for family in families for sample in family.samples]

    return parsed


@pytest.fixture
def value(scrape):
    def of(name, **labels):
        [found] = [each.value for each in scrape() if (each.name, each.labels) == (name, labels)]
        return found

    return of


@pytest.fixture
def lags(scrape):
    """By partition."""
    return lambda: {
        (each.labels["topic"], int(each.labels["partition"])): each.value
        for each in scrape()
        if each.name == "rolecall_consumer_lag_events"
    }


def test_a_ready_worker_consumes(ready, worker, kit, value):
    ready()
    [started] = kit.poll(lambda: worker.lines("worker_started"), "the start in the log")
    assert value("rolecall_ready", check="partitions") == 1
    model = {"version": started["model"], "dims": str(started["dims"]), "device": started["device"]}
    assert value("rolecall_model_info", **model) == 1


def test_what_was_published_is_counted_and_the_lag_goes_to_0(ready, stack, kit, value, lags):
    ready()
    wire = kit.wire(stack.broker)
    try:
        for side, title in ((Side.VACANCY, {"title": "cook"}), (Side.CANDIDATE, {"titles": ["cook"]})):
            event = json.dumps({"id": "1", "occurred_at": "2026-01-01T00:00:00Z", **title}).encode()
            wire.send(kit.sent(kit.topic[side], b"1", event))
        wire.send(kit.sent("vacancies", b"2", b"{"))
        wire.settle()
    finally:
        wire.close()
    partitions = {(topic.name, number) for topic in INPUTS for number in range(topic.partitions)}
    kit.poll(lambda: lags() == dict.fromkeys(partitions, 0), "no lag on any partition")
    assert value("rolecall_events_total", topic="vacancies", outcome="upserted") == 1
    assert value("rolecall_events_total", topic="candidates", outcome="upserted") == 1
    assert value("rolecall_dead_letters_total", topic="vacancies", stage="receive") == 1
    assert value("rolecall_matches_total") >= 1  # 2 where both events saw each other
    assert value("rolecall_unacked_events") == 0
    assert value("process_resident_memory_bytes") > 0


def test_it_is_not_ready_while_the_index_is_away(ready, worker, index, ask):
    ready()
    worker.index.send_signal(signal.SIGKILL)
    worker.index.wait()
    status, body = ask("/ready")
    assert (status, "index: IndexUnavailable" in body) == (503, True)
    assert ask("/live")[0] == 200
    with index():
        ready()

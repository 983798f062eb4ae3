"""The embedded stack with its workers, and a wire to publish on and to read matches and dead letters from."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.rig import kafka
from bench.rig.history import History
from bench.rig.wire import TOPIC, WIDE, Sent, Stored, Wire, Worker, members, poll, running_worker
from rolecall.streams.embedded.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    home, broker = os.environ.get("KAFKA_HOME"), os.environ.get("ROLECALL_TEST_BROKER")
    for item in items:
        if here not in item.path.parents:
            continue
        item.add_marker("stack")
        item.add_marker(pytest.mark.timeout(300))
        if (needs := item.get_closest_marker("kafka")) and not home:
            item.add_marker(pytest.mark.skip(f"needs Apache Kafka, set KAFKA_HOME: {needs.args[0]}"))
        if (needs := item.get_closest_marker("embedded")) and (home or broker):
            item.add_marker(pytest.mark.skip(f"needs the embedded broker: {needs.args[0]}"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with kafka.stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def wire(stack: Stack) -> Iterator[Wire]:
    opened = Wire(stack.broker)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def workers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    """Two workers of one group that both have their partitions."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as running:
        started = [
            running.enter_context(running_worker(stack.environment() | WIDE, logs / f"worker-{number}.jsonl"))
            for number in range(2)
        ]
        poll(lambda: members(stack.broker, "rolecall") == 2, "two members in the group")
        yield started


@pytest.fixture(scope="session")
def stored(stack: Stack, wire: Wire) -> Stored:
    return Stored(wire, stack.edge_path, stack.edge_socket)


@pytest.fixture(scope="session")
def kit() -> Any:
    """The names of this file, for tests that start stacks and workers of their own."""

    class Kit:
        history = History
        wire = Wire
        sent = Sent
        stored = Stored
        running_worker = staticmethod(running_worker)
        members = staticmethod(members)
        poll = staticmethod(poll)
        stack = staticmethod(kafka.stack)
        kafka_stack = staticmethod(kafka.kafka_stack)
        apache_kafka = staticmethod(kafka.apache_kafka)
        logins = kafka.Logins
        topic = TOPIC
        wide = WIDE

    return Kit

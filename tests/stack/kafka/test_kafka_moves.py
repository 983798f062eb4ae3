"""A broker that comes back elsewhere behind the same bootstrap address."""

import asyncio
import json
import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.rig.gates import Gate, Loop
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.streams.embedded.stack import edge_index, free_port
from rolecall.streams.kafka.topics import create_topics

pytestmark = pytest.mark.kafka("it forgets everything when it stops")


def test_after_a_broker_came_back_under_another_address_events_are_processed_again(kit, tmp_path):
    """aiokafka asks its bootstrap addresses once. So the worker has to end, and a supervisor starts it."""
    home, port = Path(os.environ["KAFKA_HOME"]), {"now": free_port()}
    bootstrap = free_port()
    with ExitStack() as running:
        loop = Loop()
        running.callback(loop.close)
        gate = Gate(lambda: asyncio.open_connection("127.0.0.1", port["now"], limit=2**18))
        loop.run(gate.listen_on_port(bootstrap))
        running.callback(lambda: loop.run(gate.close()))
        sockets = Path(running.enter_context(TemporaryDirectory(prefix="rolecall-")))
        running.enter_context(edge_index(tmp_path / "index", sockets / "i.sock"))
        environment = kit.wide | {
            "ROLECALL_BROKER": f"127.0.0.1:{bootstrap}",
            "ROLECALL_INDEX": "edge",
            "ROLECALL_EDGE_SOCKET": str(sockets / "i.sock"),
            "ROLECALL_SESSION_TIMEOUT_SECONDS": "6",
            "ROLECALL_RETRY_SECONDS": "10",
        }

        def kafka():
            return kit.apache_kafka(home, tmp_path / "kafka", address=f"127.0.0.1:{port['now']}")

        def worker(name):
            return running.enter_context(kit.running_worker(environment, tmp_path / name))

        with kafka():
            asyncio.run(create_topics(BrokerSettings.model_construct(broker=f"127.0.0.1:{port['now']}")))
            first = worker("first")
            kit.poll(lambda: first.lines("worker_started"), "the start")
        port["now"] = free_port()
        running.enter_context(kafka())
        assert first.process.wait(120) == 1
        assert first.lines("broker_away")
        wire = kit.wire(f"127.0.0.1:{port['now']}")
        running.callback(wire.close)
        job = {"id": "v", "occurred_at": "2026-11-20T00:00:00Z", "title": "cook"}
        person = {"id": "c", "occurred_at": "2026-11-20T00:00:00Z", "titles": ["cook"]}
        wire.send(kit.sent("vacancies", b"v", json.dumps(job).encode()))
        wire.send(kit.sent("candidates", b"c", json.dumps(person).encode()))
        worker("second")
        wire.until(lambda: ("v", "c") in wire.pairs, "the match")

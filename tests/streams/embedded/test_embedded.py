"""The embedded stack: its processes on loopback start and stop together."""

import asyncio
import socket
import time
from contextlib import ExitStack

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from redis import Redis

from rolecall.schemas.topics import TOPICS
from rolecall.streams.embedded.stack import embedded_stack, free_port
from rolecall.streams.errors import EmbeddedUnavailable
from rolecall.streams.kafka.topics import create_topics
from rolecall.streams.process import spawn
from rolecall.streams.settings import Settings

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with embedded_stack(tmp_path_factory.mktemp("embedded"), redis=True) as running:
        yield running


def test_creating_them_again_creates_nothing(stack):
    assert asyncio.run(create_topics(stack.settings)) == []


def test_its_topics_are_there_with_their_partitions(stack):
    async def partitions():
        admin = AIOKafkaAdminClient(bootstrap_servers=stack.broker)
        await admin.start()
        try:
            described = await admin.describe_topics([topic.name for topic in TOPICS])
        finally:
            await admin.close()
        return {topic["topic"]: len(topic["partitions"]) for topic in described}

    assert asyncio.run(partitions()) == {topic.name: topic.partitions for topic in TOPICS}


def test_its_environment_makes_settings(stack, monkeypatch):
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.broker, settings.edge_socket) == (stack.broker, stack.edge_socket)
    assert settings.redis_url.get_secret_value() == stack.redis_url


def test_everything_listens_on_loopback_only(stack):
    here = psutil.Process()
    listening = {
        connection.laddr.ip
        for process in here.children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening <= {"127.0.0.1", "::1"}
    assert listening


def test_its_redis_answers(stack):
    with Redis.from_url(stack.redis_url) as redis:
        assert redis.ping()


def test_its_index_is_a_socket_of_this_user_alone(stack):
    assert stack.edge_socket.is_socket()
    assert stack.edge_socket.stat().st_mode & 0o077 == 0


def test_it_leaves_no_process_and_no_socket_behind(tmp_path):
    here = psutil.Process()
    before = set(here.children(recursive=True))
    with embedded_stack(tmp_path / "deep" / "er") as running:
        started = set(here.children(recursive=True)) - before
        assert len(started) >= 2
    assert not any(process.is_running() for process in started)
    assert not running.edge_socket.exists()


def test_what_was_started_stops_when_the_next_part_fails(tmp_path, monkeypatch):
    def unavailable(*_):
        raise EmbeddedUnavailable("no index today")

    monkeypatch.setattr("rolecall.streams.embedded.stack.edge_index", unavailable)
    here = psutil.Process()
    before = set(here.children(recursive=True))
    with pytest.raises(EmbeddedUnavailable, match="no index today"), embedded_stack(tmp_path):
        pass
    assert set(here.children(recursive=True)) == before


def test_a_port_that_is_taken_is_refused(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(EmbeddedUnavailable, match=str(port)), embedded_stack(tmp_path, broker_port=port):
            pass


def test_a_process_that_ignores_sigterm_is_killed(monkeypatch, tmp_path):
    monkeypatch.setattr("rolecall.streams.process.STOP_SECONDS", 0.2)
    deaf = tmp_path / "deaf"
    script = f"trap '' TERM; touch {deaf}; while true; do sleep 0.1; done"
    with spawn(["sh", "-c", script]) as process:
        deadline = time.monotonic() + 10
        while not deaf.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert process.returncode == -9


def test_free_ports_are_free():
    with ExitStack() as held:
        for port in {free_port() for _ in range(5)}:
            held.enter_context(socket.create_server(("127.0.0.1", port)))

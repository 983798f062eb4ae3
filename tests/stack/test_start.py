"""A worker that cannot start waits for a dependency that may come, and ends at once on a wrong setting."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from rolecall.streams.embedded.stack import edge_index


@pytest.fixture
def start(stack):
    """Runs a worker; gives its exit code and the end of its log."""

    def run(**settings):
        ended = subprocess.run(
            [sys.executable, "-m", "rolecall.streams.cli", "worker"],
            env=os.environ
            | stack.environment()
            | {f"ROLECALL_{name.upper()}": value for name, value in settings.items()},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return ended.returncode, ended.stderr.splitlines()[-1]

    return run


@pytest.mark.parametrize(
    ("away", "what"),
    [
        ({"edge_socket": "/tmp/rolecall-nowhere.sock"}, "index at /tmp/rolecall-nowhere.sock"),
        ({"broker": "127.0.0.1:1"}, "no Kafka broker answers"),
    ],
)
def test_what_stays_away_ends_it_with_one_line(start, away, what):
    code, said = start(retry_seconds="0.3", **away)
    assert code == 1
    assert said.startswith(f"rolecall: start failed for 0.3 s, last with: {what}")


def test_what_comes_is_waited_for(stack, kit, tmp_path):
    socket = stack.edge_socket.with_name("late.sock")
    settings = {"ROLECALL_EDGE_SOCKET": str(socket), "ROLECALL_CONSUMER_GROUP": "late"}
    with ExitStack() as running:
        worker = running.enter_context(
            kit.running_worker(stack.environment() | kit.wide | settings, tmp_path / "log")
        )
        kit.poll(lambda: worker.lines("retry"), "a retry")
        running.enter_context(edge_index(tmp_path / "index", socket))
        kit.poll(lambda: worker.lines("worker_started"), "the start")


def test_an_index_of_another_model_is_refused(start, stack, tmp_path):
    """Two vector sizes under one version, as if the model had been changed in place."""
    socket = stack.edge_socket.with_name("other.sock")
    with edge_index(tmp_path / "index", socket):
        from rolecall.encoder.model import Encoder

        version = Encoder.load().version
        other = tmp_path / "index" / version / "vacancy"
        other.mkdir(parents=True)
        config = {"vectors": {"": {"size": 4, "distance": "Dot"}}}
        (other / "edge_config.json").write_text(json.dumps(config))
        code, said = start(edge_socket=str(socket), consumer_group="of-another-model")
    assert code == 2
    assert "holds Dot vectors of 4 dimensions, not Dot vectors of 1024" in said

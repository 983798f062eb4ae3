"""Anybody on a machine can read the arguments of its processes: no secret and no text may be in them."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rolecall.streams.process import ROLECALL, spawn

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SECRETS = ("hunter2-of-the-broker", "hunter2-of-the-index", "hunter2-of-the-cache")
TEXT = "Wombat-of-Numbat-street"


def family(parent: int) -> Iterator[int]:
    """The process and what it has started, directly or not."""
    yield parent
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            above = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if above == parent:
            yield from family(int(path.parent.name))


def arguments(parent: int) -> list[str]:
    found = []
    for process in family(parent):
        try:
            found.append(Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_stack_at_work_has_no_text_in_its_arguments(wire, workers, kit) -> None:
    person = {"id": "args-c", "occurred_at": "2026-01-01T00:00:00Z", "titles": [TEXT], "summary": TEXT}
    wire.send(kit.sent("candidates", b"args-c", json.dumps(person).encode()))
    wire.settle()
    found = arguments(os.getpid())
    assert len(found) > 4  # this process, the broker, the index, two workers
    assert not any(TEXT in each for each in found)


@pytest.mark.parametrize("command", [["worker"], ["doctor"], ["tail"], ["rebuild"]])
def test_no_command_has_a_secret_in_its_arguments_or_those_of_its_children(command, tmp_path) -> None:
    """Nobody answers at these addresses, so each command tries for a while and ends."""
    broker, index, cache = SECRETS
    environment = {
        "ROLECALL_BROKER": "127.0.0.1:9",
        "ROLECALL_BROKER_SASL": "PLAIN",
        "ROLECALL_BROKER_USERNAME": "worker",
        "ROLECALL_BROKER_PASSWORD": broker,
        "ROLECALL_QDRANT_URL": "http://127.0.0.1:9",
        "ROLECALL_QDRANT_API_KEY": index,
        "ROLECALL_REDIS_URL": f"redis://:{cache}@127.0.0.1:9/0",
    }
    seen: list[str] = []
    with spawn([*ROLECALL, *command], environment) as process:
        until = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < until:
            seen += arguments(process.pid)
            time.sleep(0.05)
    assert any(command[0] in each for each in seen)
    assert not [each for each in seen for secret in SECRETS if secret in each]

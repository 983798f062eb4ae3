"""`rolecall rebuild` is killed while it builds, and run again: it goes on, and the index is whole."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing

from rolecall.schemas.match import Side
from rolecall.streams.embedded.stack import edge_index

COMMAND = [sys.executable, "-P", "-m", "rolecall.streams.cli", "rebuild"]
AT = "2026-01-01T00:00:00Z"


def published(wire, kit) -> None:
    for number in range(40):
        vacancy = {"id": f"v{number}", "occurred_at": AT, "title": "night shift nurse"}
        person = {"id": f"c{number}", "occurred_at": AT, "titles": ["night shift nurse"]}
        wire.send(kit.sent("vacancies", vacancy["id"].encode(), json.dumps(vacancy).encode()))
        wire.send(kit.sent("candidates", person["id"].encode(), json.dumps(person).encode()))
    wire.send(kit.sent("candidates", b"c7", None))
    wire.settle()


def live(points) -> set[str]:
    return {id for id, point in points.items() if point.vector is not None}


def test_a_killed_rebuild_goes_on_and_brings_nobody_back(kit, tmp_path) -> None:
    index_at = (tmp_path / "index", tmp_path / "index.sock")
    with kit.stack(tmp_path / "stack") as stack, closing(kit.wire(stack.broker)) as wire:
        environment = stack.environment() | kit.wide | {"ROLECALL_EDGE_SOCKET": str(index_at[1])}
        with edge_index(*index_at), kit.running_worker(environment, tmp_path / "first.jsonl"):
            published(wire, kit)
        shutil.rmtree(index_at[0])
        with edge_index(*index_at):
            with subprocess.Popen(
                COMMAND, env=os.environ | environment, stderr=subprocess.PIPE, text=True
            ) as first:
                assert first.stderr is not None
                assert any('"event": "batch"' in line for line in first.stderr), "it builds"
                first.kill()
            again = subprocess.run(
                COMMAND, env=os.environ | environment, capture_output=True, text=True, timeout=200
            )
            assert again.returncode == 0, again.stderr
            assert "which an earlier rebuild began" in again.stderr
            points = kit.stored(wire, *index_at).points(Side.CANDIDATE, [f"c{n}" for n in range(40)])
    assert live(points) == {f"c{n}" for n in range(40)} - {"c7"}

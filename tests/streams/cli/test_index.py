"""`rolecall index` serves until it is interrupted, and keeps a second one off."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from rolecall.schemas.match import Side
from rolecall.streams.index.edge.client import QdrantEdge

COMMAND = [sys.executable, "-m", "rolecall.streams.cli", "index", "--directory"]


@pytest.fixture
def served(tmp_path):
    with subprocess.Popen([*COMMAND, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        exported = dict(
            process.stdout.readline().removeprefix("export ").strip().split("=") for _ in range(2)
        )
        yield process, exported
        process.kill()


def test_it_prints_what_workers_need_and_answers_until_ctrl_c(served):
    process, exported = served
    assert exported["ROLECALL_INDEX"] == "edge"

    async def count():
        index = QdrantEdge(exported["ROLECALL_EDGE_SOCKET"], "v1", 4)
        try:
            await index.prepare()
            return await index.count(Side.VACANCY)
        finally:
            await index.close()

    assert asyncio.run(count()) == 0
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert not os.path.exists(exported["ROLECALL_EDGE_SOCKET"])


def test_a_second_one_on_the_folder_says_why_it_ends(served, tmp_path):
    second = subprocess.run([*COMMAND, tmp_path], capture_output=True, text=True, timeout=60)
    assert second.returncode != 0
    assert "another index process serves" in second.stderr

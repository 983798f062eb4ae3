"""The index process starts, dies and starts again. Its client reports what happened."""

import asyncio
import os
import resource
import signal
import socket as sockets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexMismatch, IndexUnavailable
from rolecall.streams.index.conditions import All
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import start_edge
from rolecall.streams.index.edge.protocol import MAX_FRAME_BYTES
from rolecall.streams.index.port import Point, Query
from rolecall.streams.retry import patiently

DIMS = 4
SIDE = Side.CANDIDATE
VECTOR = np.full(DIMS, 0.5, np.float32)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")  # new collections wait for the disk many times; a busy one takes seconds
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made)


@pytest.fixture
async def index(folder: Path) -> AsyncIterator[QdrantEdge]:
    made = QdrantEdge(folder / "socket", "v1", DIMS)
    yield made
    await made.close()


def start(folder: Path) -> subprocess.Popen[bytes]:
    return start_edge(folder / "data", folder / "socket")


def points(ids: range, revision: int = 1) -> list[Point]:
    return [Point(f"{n}", revision, VECTOR, {"country": "NL", "n": n}) for n in ids]


def kill(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


async def test_a_second_process_on_the_folder_is_refused_and_the_first_goes_on(
    folder: Path, index: QdrantEdge, capfd: pytest.CaptureFixture[str]
) -> None:
    with start(folder):
        await index.prepare()
        await index.upsert(SIDE, points(range(3)))
        with pytest.raises(IndexUnavailable):
            start_edge(folder / "data", folder / "another")
        assert "another index process serves" in capfd.readouterr().err
        await index.upsert(SIDE, points(range(3, 6)))
        assert await index.count(SIDE) == 6


async def test_kill_9_loses_nothing_acknowledged(folder: Path, index: QdrantEdge) -> None:
    process = start(folder)
    await index.prepare()
    acknowledged = 0
    asyncio.get_running_loop().call_later(0.1, process.kill)  # during a write
    with suppress(IndexUnavailable):
        while True:
            await index.upsert(SIDE, points(range(acknowledged, acknowledged + 10)))
            acknowledged += 10
    await index.close()
    kill(process)
    with start(folder):
        stored = await index.fetch(SIDE, [f"{n}" for n in range(acknowledged)])
        assert len(stored) == acknowledged > 0
        assert stored["7"].payload == {"country": "NL", "n": 7}
        [hits] = await index.search(SIDE, [Query(VECTOR, All(), acknowledged)])
        assert len(hits) == acknowledged
        await index.close()


async def test_what_was_erased_stays_erased_after_kill_9(folder: Path, index: QdrantEdge) -> None:
    process = start(folder)
    await index.prepare()
    await index.upsert(SIDE, points(range(1)))
    await index.upsert(SIDE, [Point("0", 2)])
    kill(process)
    await index.close()
    with start(folder):
        assert await index.upsert(SIDE, points(range(1))) == [2]
        await index.prepare()
        assert await index.count(SIDE) == 0
        await index.close()


async def test_a_missing_process_is_unavailable_and_comes_back(folder: Path, index: QdrantEdge) -> None:
    with pytest.raises(IndexUnavailable, match="check that its process is running"):
        await index.prepare()
    with start(folder):
        await index.prepare()
        assert await index.count(SIDE) == 0
    with pytest.raises(IndexUnavailable):
        await index.count(SIDE)
    with start(folder):
        await index.prepare()
        assert await index.count(SIDE) == 0
        await index.close()


async def test_a_stopped_process_is_unavailable_after_the_timeout(folder: Path, index: QdrantEdge) -> None:
    with start(folder) as process:
        await index.prepare()
        process.send_signal(signal.SIGSTOP)
        impatient = QdrantEdge(folder / "socket", "v1", DIMS, timeout_seconds=0.2)
        with pytest.raises(IndexUnavailable, match=r"no answer to count in 0\.2 s"):
            await impatient.count(SIDE)
        process.send_signal(signal.SIGCONT)
        await index.prepare()
        assert await index.count(SIDE) == 0
        await asyncio.gather(index.close(), impatient.close())


async def test_a_caller_that_gives_up_does_not_shift_the_answers(folder: Path, index: QdrantEdge) -> None:
    with start(folder):
        await index.prepare()
        await index.upsert(SIDE, points(range(3)))
        impatient = asyncio.ensure_future(index.fetch(SIDE, ["0"]))
        patient = asyncio.ensure_future(index.count(SIDE))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == 3
        await index.close()


async def test_several_requests_at_once_get_each_their_answer(folder: Path, index: QdrantEdge) -> None:
    with start(folder):
        await index.prepare()
        await index.upsert(SIDE, points(range(50)))
        answers = await asyncio.gather(*(index.fetch(SIDE, [f"{n}"]) for n in range(50)))
        assert [list(answer) for answer in answers] == [[f"{n}"] for n in range(50)]
        await index.close()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_good_order(folder: Path, index: QdrantEdge, sign: signal.Signals) -> None:
    with start(folder) as process:
        await index.prepare()
        await index.upsert(SIDE, points(range(3)))
        process.send_signal(sign)
        assert process.wait() == 0
    assert not (folder / "socket").exists()
    await index.close()


def test_it_ends_with_the_process_that_started_it(folder: Path) -> None:
    starter = f"""
import os, pathlib, rolecall.streams.index.edge.process
folder = pathlib.Path({str(folder)!r})
process = rolecall.streams.index.edge.process.start_edge(folder / "data", folder / "socket")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", starter], stderr=subprocess.PIPE, check=False)
    # run() returns once the index process, which has inherited stderr, has closed it
    assert not (folder / "socket").exists()


def test_the_socket_is_for_its_owner_only(folder: Path) -> None:
    with start(folder):
        assert (folder / "socket").stat().st_mode & 0o777 == 0o600


async def test_a_stale_socket_is_replaced(folder: Path, index: QdrantEdge) -> None:
    kill(start(folder))
    assert (folder / "socket").exists()
    with start(folder):
        await index.prepare()
        await index.prepare()
        assert await index.count(SIDE) == 0
        await index.close()


def test_a_served_socket_is_not_taken_over(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with start(folder):
        with pytest.raises(IndexUnavailable, match="ended at its start"):
            start_edge(folder / "other", folder / "socket")
        assert "is served by another process" in capfd.readouterr().err


async def test_a_version_that_is_no_name_is_refused(folder: Path) -> None:
    with start(folder):
        index = QdrantEdge(folder / "socket", "../v1", DIMS)
        with pytest.raises(IndexMismatch, match=r"'\.\./v1' cannot name a folder"):
            await index.prepare()
        await index.close()


async def test_vectors_of_other_dimensions_never_leave_the_client(folder: Path, index: QdrantEdge) -> None:
    with pytest.raises(ValueError, match="vectors of 3 dimensions for an index of 4"):
        await index.upsert(SIDE, [Point("a", 1, VECTOR[:3], {})])


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 64,
        (MAX_FRAME_BYTES).to_bytes(4, "little") * 2,
        (9).to_bytes(4, "little") + bytes(4) + b"not json!",
        (2).to_bytes(4, "little") + bytes(4) + b"{}",
    ],
)
async def test_garbage_costs_the_sender_its_connection_only(
    folder: Path, index: QdrantEdge, garbage: bytes
) -> None:
    with start(folder):
        with sockets.socket(sockets.AF_UNIX) as sender:
            sender.connect(os.fspath(folder / "socket"))
            sender.sendall(garbage)
            assert await asyncio.to_thread(sender.recv, 1) == b""
        await index.prepare()
        assert await index.count(SIDE) == 0
        await index.close()


async def test_without_disk_it_refuses_and_with_room_again_goes_on(folder: Path, index: QdrantEdge) -> None:
    """Writes fail once the space that the engine has allocated is full. Retried with room, they succeed."""

    def large(revision: int) -> list[Point]:
        return [Point(f"{n}", revision, VECTOR, {"card": "x" * 100_000}) for n in range(64)]

    with start(folder) as process:
        await index.prepare()
        await index.upsert(SIDE, large(1))
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        with suppress(IndexUnavailable):
            for revision in count(2):
                await index.upsert(SIDE, large(revision))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        stored = await index.fetch(SIDE, ["0", "63"])
        assert {point.revision for point in stored.values()} == {revision - 1}
        await patiently(lambda: index.upsert(SIDE, large(99)), "upsert", 60)
        stored = await index.fetch(SIDE, [f"{n}" for n in range(64)])
        assert [point.revision for point in stored.values()] == [99] * 64

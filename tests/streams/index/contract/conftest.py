"""Each test of this folder runs on both indexes; on the server at ROLECALL_TEST_QDRANT if that is set."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.rig.qdrant_double import qdrant_double
from rolecall.streams.index import qdrant_server
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.edge.process import start_edge
from rolecall.streams.index.port import Index
from tests.streams.index.contract.common import DIMS

VERSIONS = (f"v{number}" for number in count())

Connect = Callable[[int], Index]


@pytest.fixture(scope="module")
def edge_socket() -> Iterator[Path]:
    memory = Path("/dev/shm")  # new collections wait for the disk many times; a busy one takes seconds
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        socket = Path(folder, "socket")
        with start_edge(Path(folder, "data"), socket):
            yield socket


@pytest.fixture(params=["edge", "server"])
async def connect_named(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[str, int], Index]]:
    if request.param == "edge":
        socket = request.getfixturevalue("edge_socket")
        yield lambda name, dims: QdrantEdge(socket, name, dims)
        return
    if url := os.environ.get("ROLECALL_TEST_QDRANT"):
        key = os.environ.get("ROLECALL_TEST_QDRANT_API_KEY")
        run = f"test{os.getpid()}"  # the server may hold what an earlier run has left
        yield lambda name, dims: qdrant_server.connect(
            url, api_key=key, ca=None, version=f"{run}-{name}", dims=dims, timeout_seconds=30
        )
        return
    async with qdrant_double() as double:
        yield double.index


@pytest.fixture
def version() -> str:
    return next(VERSIONS)


@pytest.fixture
def connect(connect_named: Callable[[str, int], Index], version: str) -> Connect:
    return partial(connect_named, version)


@pytest.fixture
async def other(connect_named: Callable[[str, int], Index], version: str) -> AsyncIterator[Index]:
    """Another generation of the same model."""
    made = connect_named(f"{version}-g1", DIMS)
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
async def index(connect: Connect) -> AsyncIterator[Index]:
    made = connect(DIMS)
    await made.prepare()
    yield made
    await made.drop()  # one shard holds on to 67 MB
    await made.close()

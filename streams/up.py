"""`rolecall up`: the embedded stack and one worker in the foreground, until Ctrl-C."""

import fcntl
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from streams.embedded import EmbeddedUnavailable, embedded_stack, worker

STARTED = b"worker_started"  # what the worker logs when it consumes
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_up(directory: Path, port: int, *, redis: bool) -> int:
    """The worker's exit code, or 0 after Ctrl-C, SIGTERM or the end of the terminal."""
    for number in INTERRUPTS:
        signal.signal(number, _interrupt)
    try:
        with _alone(directory, port):
            click.echo("starting broker, index and worker…", err=True)
            with (
                embedded_stack(directory, redis=redis, broker_port=port) as stack,
                worker(stack.environment(), stderr=subprocess.PIPE) as process,
            ):
                assert process.stderr
                lines = "\n".join(exports(stack.environment()))
                relay(process.stderr, sys.stderr.buffer, lambda: _ready(stack.broker, lines))
                return process.wait()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        return 0


def exports(environment: dict[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if value]


def relay(source: IO[bytes], sink: IO[bytes], started: Callable[[], None]) -> None:
    """Pass a worker's log on, line by line; call `started` when it consumes."""

    def read() -> None:
        with source:
            for line in source:
                sink.write(line)
                sink.flush()
                if STARTED in line:
                    started()

    threading.Thread(target=read, daemon=True).start()


def _ready(broker: str, lines: str) -> None:
    click.echo(f"\nReady: the worker consumes from {broker}. In another shell:\n", err=True)
    click.echo(lines)
    click.echo("rolecall publish FILE…\nrolecall tail\n\nCtrl-C stops all.\n", err=True)


@contextmanager
def _alone(directory: Path, port: int) -> Iterator[None]:
    """Two stacks on one port would share a broker, on one directory an index."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EmbeddedUnavailable(
                f"port {port} cannot be used ({error.strerror}): another `rolecall up`, or a Kafka? "
                "Stop it, or pass --port"
            ) from error
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with (directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise EmbeddedUnavailable(
            f"another `rolecall up` keeps its index in {directory}: stop it, or pass --directory"
        ) from error
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise EmbeddedUnavailable(f"--directory {directory}: {error.strerror}") from error


def _interrupt(*_: object) -> None:
    """Once: whoever presses Ctrl-C again must not cut the stopping short."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt

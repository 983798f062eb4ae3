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

from rolecall.streams.cli.console import FAILED, INTERRUPTED, explained, fail
from rolecall.streams.embedded.stack import embedded_stack, worker
from rolecall.streams.errors import EmbeddedUnavailable

STARTED = b"worker_started"  # the worker logs this once it consumes
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option("--directory", type=click.Path(path_type=Path), default=Path(".rolecall"), show_default=True,
              help="Where the index is kept.")  # fmt: skip
@click.option("--port", type=click.IntRange(1, 65535), default=9092, show_default=True,
              help="Port of the broker on loopback.")  # fmt: skip
@click.option("--redis", is_flag=True, help="Start Redis too, as embedding cache.")
def up(directory: Path, port: int, redis: bool) -> None:
    """Start broker, index and one worker; Ctrl-C stops all.

    Once the worker consumes, this prints the lines to export in another shell. This is for evaluation: the
    broker keeps its topics in memory, so they are gone when it stops. The index stays in --directory.

    \b
    Example:  rolecall up --port 19092
    """
    with explained():
        code = run_up(directory, port, redis=redis)
        if code == INTERRUPTED:
            raise SystemExit(code)
        if code:
            fail(f"the worker ended with exit code {code}; its log is above", FAILED)


def run_up(directory: Path, port: int, *, redis: bool) -> int:
    """The exit code: the worker's, or 130 after Ctrl-C, or 0 after SIGTERM or the end of the terminal."""
    for number in INTERRUPTS:
        signal.signal(number, raise_interrupt)
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
    except KeyboardInterrupt as interrupt:
        click.echo("stopped", err=True)
        return INTERRUPTED if interrupt.args == (signal.SIGINT,) else 0


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
    """Two stacks on one port would share a broker. Two stacks on one directory would share an index."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EmbeddedUnavailable(
                f"port {port} cannot be used ({error.strerror}): another `rolecall up` or a Kafka may have "
                "it; stop that, or pass --port"
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


def raise_interrupt(number: int, _: object) -> None:
    """Ignores further signals, so that a second Ctrl-C does not interrupt the shutdown."""
    for each in INTERRUPTS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number))

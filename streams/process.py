"""Child processes that do not outlive this one."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

STOP_SECONDS = 5.0
# -P: the working directory is not on the import path, so a folder there cannot hide our modules.
PYTHON = (sys.executable, "-P", "-m")
ROLECALL = (*PYTHON, "rolecall.streams.cli")


@contextmanager
def spawn(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, stderr: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a child, and stops it on exit. Its session is its own: Ctrl-C reaches this process only."""
    process = subprocess.Popen(
        command,
        env=None if environment is None else {**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)

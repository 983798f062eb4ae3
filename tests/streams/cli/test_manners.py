"""Behaviour that all commands share: Ctrl-C, pipes, misspelt settings, -h."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from rolecall.streams.cli.main import COMMANDS, TRAINING
from rolecall.streams.cli.main import group as rolecall

# Prints "started" once the entry point handles the signal, then goes on.
STARTED = (
    "import signal; from rolecall.streams.cli.__main__ import main; real = signal.signal;"
    "signal.signal = lambda *handler: (real(*handler), print('started', flush=True)); main()"
)


@pytest.fixture(scope="module")
def mute_broker() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(
    "arguments", [["worker"], ["doctor"], ["tail"], ["explain", "v", "c"], ["demo"]], ids=" ".join
)
def test_ctrl_c_ends_with_130_and_no_traceback(
    tmp_path: Path, mute_broker: str, arguments: list[str], seconds: float
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED, *arguments],
        cwd=tmp_path,
        env=os.environ | {"ROLECALL_BROKER": mute_broker},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A background job of a shell ignores the signal, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    while process.stdout.readline() != "started\n":
        pass
    time.sleep(seconds)  # tests different moments: while it imports, starts, and waits for the broker
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_closed_pipe_ends_quietly_with_0(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "rolecall.streams.cli", "settings"],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [name for name, (module, _) in COMMANDS.items() if module != TRAINING])
def test_h_is_help(command: str) -> None:
    assert CliRunner().invoke(rolecall, [command, "-h"]).output.startswith("Usage: ")


@pytest.mark.parametrize("command", [name for name, (module, _) in COMMANDS.items() if module == TRAINING])
def test_h_is_help_of_training_too(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rolecall.streams.cli", command, "-h"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Usage: rolecall ")


@pytest.mark.parametrize("where", ["environment", ".env"])
def test_an_unknown_setting_is_told_with_the_nearest_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"ROLECALL_TOPK": "3"} if where == "environment" else {}
    if where == ".env":
        Path(".env").write_text("ROLECALL_TOPK=3\n")
    result = CliRunner(env=given).invoke(rolecall, ["settings"])
    assert result.stderr == "rolecall: no such setting: ROLECALL_TOPK; did you mean ROLECALL_TOP_K?\n"
    assert result.exit_code == 0


def test_a_command_of_training_tells_an_unknown_setting_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rolecall.streams.cli", "feedback", "--help"]
    given = os.environ | {"ROLECALL_BROKR": "kafka:9092"}
    said = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=True)
    assert said.stderr == "rolecall: no such setting: ROLECALL_BROKR; did you mean ROLECALL_BROKER?\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("pubish", "Error: there is no command 'pubish'; did you mean 'publish'?"),
        ("quux", "Error: No such command 'quux'."),
    ],
)
def test_a_misspelt_command_is_told_with_the_nearest_right_one(typed: str, said: str) -> None:
    result = CliRunner().invoke(rolecall, [typed])
    assert (result.stderr.splitlines()[-1], result.exit_code) == (said, 2)

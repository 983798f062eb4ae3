"""The commands of the README's tour run, and print what the README shows.

    README_UPDATE=1 pytest tests/stack/commands/test_readme_tour.py      writes the outputs into the README

Times, ports, addresses and revisions differ from run to run and are not compared.
"""

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bench.rig.wire import poll
from rolecall.streams.embedded.stack import Stack, embedded_stack, worker
from rolecall.streams.kafka.lag import lag
from rolecall.streams.settings import Settings

README = Path(__file__).parents[3] / "README.md"
SECTION = "## A tour in 60 seconds", "## Your own data"
BLOCK = re.compile(r"```(bash|console)\n(.*?)```", re.DOTALL)
COLUMNS = 100
FIGURE = re.compile(r"\b\d+%|\b0\.\d{2,}\b")  # of scores and confidences
ROUNDING = 0.0101  # a processor that multiplies bfloat16 gives other last digits
CHANGING = (
    (r"in \d+\.\d s \([\d,]+ rows/s\)", "in … s (… rows/s)"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:9092"),
    (r'"revision":\d+', '"revision":…'),
    (r'"occurred_at":"[^"]+"', '"occurred_at":"…"'),
    (r"by model [0-9a-f]{12}", "by model …"),
)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with embedded_stack(tmp_path / "index") as stack, worker(stack.environment()):
        yield stack


def test_the_tour_prints_what_it_shows(stack: Stack, tmp_path: Path) -> None:
    text = README.read_text()
    before, rest = text.split(SECTION[0])
    tour, after = rest.split(SECTION[1])
    shown = "".join(found[2] for found in BLOCK.finditer(tour))

    def run(found: re.Match[str]) -> str:
        language, block = found.groups()
        if language == "bash":
            terminal(block, tmp_path, stack)
            return found[0]
        commands = [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]
        outputs = [f"$ {command}\n{terminal(command, tmp_path, stack)}" for command in commands]
        joined = "\n".join(outputs)
        return f"```console\n{joined}```"

    printed = BLOCK.sub(run, tour)
    if os.environ.get("README_UPDATE"):
        README.write_text(SECTION[0].join([before, SECTION[1].join([printed, after])]))
        return
    lines, figures = comparable("".join(found[2] for found in BLOCK.finditer(printed)))
    shown_lines, shown_figures = comparable(shown)
    assert lines == shown_lines
    assert figures == pytest.approx(shown_figures, abs=ROUNDING)


def comparable(text: str) -> tuple[list[str], list[float]]:
    """Lines without figures, and the figures in their order. Lines are sorted, because matches of two
    partitions come in any order."""
    for pattern, replacement in CHANGING:
        text = re.sub(pattern, replacement, text)
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    ordered = sorted(lines, key=lambda line: (FIGURE.sub("…", line), line))
    figures = [found[0] for line in ordered for found in FIGURE.finditer(line)]
    return (
        [FIGURE.sub("…", line) for line in ordered],
        [int(each[:-1]) / 100 if each.endswith("%") else float(each) for each in figures],
    )


def terminal(command: str, folder: Path, stack: Stack) -> str:
    """The output of the command in a terminal of 100 columns, without colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    script = f'rolecall() {{ "{sys.executable}" -P -m rolecall.streams.cli "$@"; }}\n{command}'
    environment = os.environ | stack.environment() | {"PYTHONPATH": str(README.parent)}
    with subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env=environment, stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        output = b"".join(iter(lambda: read(master), b""))
        assert process.wait(60) == 0, output.decode()
    os.close(master)
    # A reader types the next command only after the worker has handled everything.
    group = Settings.model_fields["consumer_group"].default
    poll(lambda: asyncio.run(lag(stack.settings, group)) == 0, "the worker handles what is published")
    lines = click.unstyle(output.decode().replace("\r\n", "\n")).splitlines(keepends=True)
    return "".join(line for line in lines if "━" not in line)  # without the many states of the progress bar


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux raises this if the other end is closed
        return b""

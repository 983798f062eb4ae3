"""The commands as people run them, as processes, against one embedded stack."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from rolecall.streams.embedded.stack import free_port

pytestmark = pytest.mark.embedded("`rolecall up` starts it")

README = Path(__file__).parents[3] / "README.md"
SECONDS = 60
JOB = {"id": "v-cli", "occurred_at": "2026-01-01T00:00:00Z", "title": "Night shift nurse"}
PERSON = {"id": "c-cli", "occurred_at": "2026-01-01T00:00:00Z", "titles": ["Night nurse"]}


class Up:
    """`rolecall up` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.log = directory / "up.err"
        command = [*ROLECALL, "up", "--port", str(self.port)]
        with (directory / "up.out").open("wb") as out, self.log.open("wb") as err:
            self.process = subprocess.Popen(command, cwd=directory, stdout=out, stderr=err)
        deadline = time.monotonic() + SECONDS
        while "Ctrl-C stops all" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        lines = (directory / "up.out").read_text().splitlines()
        self.environment = dict(line.removeprefix("export ").split("=", 1) for line in lines)


ROLECALL = (sys.executable, "-m", "rolecall.streams.cli")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("up"))
    yield running
    running.process.terminate()
    assert running.process.wait(SECONDS) == 0


@pytest.fixture
def rolecall(up: Up, tmp_path: Path):
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {f"ROLECALL_{name.upper()}": value for name, value in environment.items()}
        return subprocess.run(
            [*ROLECALL, *arguments],
            cwd=tmp_path,
            env=os.environ | up.environment | variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    return run


@pytest.fixture
def pair(rolecall, tmp_path: Path) -> None:
    """A published vacancy and candidate that match."""
    (tmp_path / "pair.jsonl").write_text(f"{json.dumps(JOB)}\n{json.dumps(PERSON)}\n")
    assert rolecall("publish", "pair.jsonl").returncode == 0


def children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_publish_counts_what_it_published_and_explains_what_not(rolecall, tmp_path: Path):
    (tmp_path / "some.jsonl").write_text(f'{json.dumps(JOB)}\n{{"id": "bad"}}\n')
    result = rolecall("publish", "some.jsonl", "--rejects", "no.jsonl")
    assert result.returncode == 0
    assert result.stderr.startswith("2 rows read, 1 entity published in ")
    assert "1 rejected; first: some.jsonl, row 2: " in result.stderr
    assert json.loads((tmp_path / "no.jsonl").read_text())["row"] == 2


def test_publish_fails_when_nothing_can_be_published(rolecall, tmp_path: Path):
    (tmp_path / "jobs.csv").write_text("name\nnurse\n")
    result = rolecall("publish", "jobs.csv", "--map", "title=nope")
    assert result.returncode == 1
    assert "there is no column 'nope'; the columns are name" in result.stderr


def test_publish_says_when_rejects_cannot_be_written(rolecall, tmp_path: Path):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    result = rolecall("publish", "bad.jsonl", "--rejects", "/nowhere/rejects.jsonl")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == "rolecall: /nowhere/rejects.jsonl: No such file or directory"


async def test_an_interrupted_publish_says_how_far_it_came(up: Up, tmp_path: Path):
    (tmp_path / "many.jsonl").write_text(
        # Another title than the other tests have: these would fill the lists of their candidates.
        "".join(
            f"{json.dumps(JOB | {'id': f'many-{number}', 'title': 'Welder'})}\n" for number in range(300_000)
        )
    )
    async with AIOKafkaConsumer("vacancies", bootstrap_servers=up.environment["ROLECALL_BROKER"]) as topic:
        for partition in topic.assignment():
            await topic.position(partition)  # from here on nothing is missed
        process = await asyncio.create_subprocess_exec(
            *ROLECALL,
            "publish",
            "many.jsonl",
            cwd=tmp_path,
            env=os.environ | up.environment,
            stderr=subprocess.PIPE,
            # A shell's background jobs, and what they start, ignore the interrupt.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        await asyncio.wait_for(topic.getone(), SECONDS)
        process.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 130
    assert re.search(r"published.*\nstopped\n$", said.decode())


@pytest.mark.usefixtures("pair")
def test_tail_shows_what_was_matched(rolecall):
    result = rolecall("tail", "--from-start", "--count", "1")
    header, line = result.stdout.splitlines()
    assert header.split() == ["confidence", "vacancy", "candidate", "why"]
    assert "-cli" in line


@pytest.mark.usefixtures("pair")
def test_tail_prints_events_as_published(rolecall):
    event = json.loads(rolecall("tail", "--from-start", "--json", "--count", "1").stdout)
    assert event["type"] in {"match", "matches_withdrawn"}


@pytest.mark.usefixtures("pair")
def test_tail_ends_quietly_when_its_reader_leaves(up: Up):
    command = [*ROLECALL, "tail", "--from-start", "--json"]
    process = subprocess.Popen(
        command, env=os.environ | up.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(SECONDS) == 0
    with process.stderr as said:
        assert said.read().decode().splitlines() == [
            f"matches on {up.environment['ROLECALL_BROKER']}; Ctrl-C ends"
        ]


@pytest.mark.usefixtures("pair")
def test_the_consumer_in_the_readme_consumes(up: Up):
    [code] = re.findall(r"```python\n(.+?)```", README.read_text(), re.DOTALL)
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | up.environment, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        # Other tests of this stack have matches too.
        found = any(re.fullmatch(r"\d+% v-cli c-cli\n", line) for line in process.stdout)
        process.terminate()
    assert found


def test_topics_can_be_created_again(rolecall):
    result = rolecall("topics", "create")
    assert (result.returncode, result.stdout) == (0, "all topics exist\n")


def test_doctor_finds_nothing_wrong(rolecall):
    result = rolecall("doctor")
    assert result.returncode == 0, result.stdout
    parts = [line.split()[1] for line in result.stdout.splitlines()]
    assert parts == ["model", "broker", "topics", "keys", "clock", "lag", "index", "redis"]


def test_doctor_only_warns_of_redis_and_misspelt_settings(rolecall):
    result = rolecall("doctor", redis_url="redis://127.0.0.1:1", brokr="x")
    assert result.returncode == 0
    assert "warn  settings" in result.stdout
    assert "did you mean ROLECALL_BROKER?" in result.stdout
    assert "warn  redis" in result.stdout


def test_doctor_names_every_part_that_is_away(rolecall, tmp_path: Path):
    result = rolecall("doctor", broker="127.0.0.1:1", edge_socket=str(tmp_path / "none.sock"))
    assert result.returncode == 1
    assert "FAIL  broker" in result.stdout
    assert "FAIL  index" in result.stdout
    assert result.stdout.count("→") == 2


def test_doctor_says_when_the_model_cannot_be_read(rolecall, tmp_path: Path):
    result = rolecall("doctor", model=str(tmp_path))
    assert result.returncode == 1
    assert "FAIL  model" in result.stdout


def test_a_worker_without_a_model_ends_with_a_line(rolecall, tmp_path: Path):
    result = rolecall("worker", model=str(tmp_path))
    assert result.returncode == 2
    assert "config.json is missing" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_second_up_on_the_same_port_says_so(rolecall, up: Up):
    result = rolecall("up", "--port", str(up.port))
    assert result.returncode == 2
    assert f"port {up.port} cannot be used" in result.stderr


def test_a_second_up_on_the_same_directory_says_so(rolecall, up: Up):
    result = rolecall("up", "--port", str(free_port()), "--directory", str(up.directory / ".rolecall"))
    assert result.returncode == 2
    assert "another `rolecall up` keeps its index in" in result.stderr


def test_ctrl_c_stops_up_and_leaves_nothing_behind(tmp_path: Path):
    up = Up(tmp_path)
    started = children(up.process)
    assert len(started) == 3
    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    up.process.send_signal(signal.SIGINT)  # an impatient second press changes nothing
    assert up.process.wait(SECONDS) == 130
    assert time.monotonic() - began < 20
    assert [pid for pid in started if alive(pid)] == []
    assert up.log.read_text().endswith("stopped\n")


def test_up_ends_when_its_worker_dies(tmp_path: Path):
    up = Up(tmp_path)
    broker, index, worker = children(up.process)
    os.kill(worker, signal.SIGKILL)
    assert up.process.wait(SECONDS) == 1
    assert "the worker ended with exit code -9" in up.log.read_text()
    assert not alive(broker)
    assert not alive(index)


def test_a_broker_without_idempotent_producers_is_told_with_the_setting(rolecall, tmp_path: Path) -> None:
    (tmp_path / "job.jsonl").write_text(json.dumps(JOB))
    refused = rolecall("publish", "job.jsonl", idempotent_producer="true")
    assert refused.returncode == 2
    assert "set ROLECALL_IDEMPOTENT_PRODUCER=false" in refused.stderr

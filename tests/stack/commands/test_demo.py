import re
import subprocess
import sys

import pytest

from rolecall.streams.cli.demo import run_demo
from rolecall.streams.errors import DemoFailed

pytestmark = pytest.mark.embedded("`rolecall demo` starts it")

COMMAND = (
    sys.executable,
    "-m",
    "rolecall.streams.cli",
    "demo",
    "--vacancies",
    "30",
    "--candidates",
    "40",
)


def test_the_demo_shows_matches_and_ends():
    result = subprocess.run(COMMAND, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert re.search(r"^\s+\d+%\s+\w", result.stdout, re.MULTILINE)
    summary = re.search(r"^70 events, (\d+) matches$", result.stdout, re.MULTILINE)
    assert summary
    assert int(summary[1]) > 0
    assert re.search(r"p50 \d+ ms, p99 \d+ ms at 100 events/s", result.stdout)


def test_a_failing_worker_ends_the_demo_with_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("ROLECALL_MODEL", str(tmp_path))
    with pytest.raises(DemoFailed, match=r"(?s)exit code 2; .*config.json is missing"):
        run_demo(vacancies=1, candidates=1, seed=1)

"""The wheel in a fresh virtual environment, used from a folder that has packages named like ours."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from rolecall.streams.cli.main import COMMANDS

ROOT = Path(__file__).parents[3]
CPU = "https://download.pytorch.org/whl/cpu"  # if pip cannot reach it, it uses the other index
NEEDS_EXTRA = ("train", "evaluate", "retrain", "audit")
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ROLECALL_"))
}

pytestmark = pytest.mark.timeout(900)


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a fresh environment with the wheel and the embedded extra, no training extra."""
    folder = tmp_path_factory.mktemp("fresh")
    assert run(sys.executable, "-m", "venv", folder / "venv", cwd=folder).returncode == 0
    done = run(
        folder / "venv/bin/pip", "install", "--quiet", "--retries", "0", "--extra-index-url", CPU,
        "--constraint", ROOT / "constraints.txt", f"{wheel}[embedded]", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "venv/bin"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with packages that are named like ours."""
    folder = tmp_path_factory.mktemp("foreign")
    for name in ("schemas", "encoder", "streams", "training", "faust", "rolecall"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('the user\\'s own code was run')\n")
    return folder


def test_it_installs_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = {name.partition("/")[0] for name in content.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"rolecall"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(bin: Path, foreign: Path, command: str) -> None:
    done = run(bin / "rolecall", command, "--help", cwd=foreign)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ")


@pytest.mark.parametrize("command", NEEDS_EXTRA)
def test_training_without_its_extra_ends_in_one_line(bin: Path, foreign: Path, command: str) -> None:
    done = run(bin / "rolecall", command, cwd=foreign)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'rolecall[training]'" in done.stderr


def test_feedback_needs_no_extra(bin: Path, foreign: Path) -> None:
    for command in ("publish", "export"):
        done = run(bin / "rolecall", "feedback", command, "--help", cwd=foreign)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_demo_runs_beside_foreign_folders(bin: Path, foreign: Path) -> None:
    done = run(bin / "rolecall", "demo", "--vacancies", 30, "--candidates", 40, cwd=foreign)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "70 events" in done.stdout


def test_rolecall_is_imported_from_elsewhere(bin: Path, tmp_path: Path) -> None:
    code = "import rolecall, sys; print(rolecall.__file__); sys.exit('torch' in sys.modules)"
    done = run(bin / "python", "-P", "-c", code, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith(str(bin.parent))

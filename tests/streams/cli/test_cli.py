import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from rolecall.streams.cli.main import COMMANDS
from rolecall.streams.cli.main import group as main
from rolecall.streams.settings import Settings, unknown_names

ROOT = Path(__file__).parents[3]


@pytest.fixture
def rolecall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command line in an empty directory, with only the settings of the test."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **environment: str) -> Result:
        variables = {f"ROLECALL_{name.upper()}": value for name, value in environment.items()}
        return CliRunner(env=variables).invoke(main, arguments)

    return run


def commands(group: click.Group = main, prefix: str = "rolecall") -> list[tuple[str, click.Command]]:
    """Every command that is not a group, with its full name."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append((f"{prefix} {name}", command))
    return found


def test_help_lists_every_command_once(rolecall):
    _, _, sections = rolecall("--help").output.partition("Try it:")
    listed = [line.split()[0] for line in sections.splitlines() if line.startswith("  ")]
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("name", [name for name, command in commands() if command.add_help_option])
def test_every_command_has_help(rolecall, name: str):
    result = rolecall(*name.split()[1:], "--help")
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def test_help_fits_a_terminal_of_80_columns(rolecall):
    assert [line for line in rolecall("--help").output.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("module", ["torch", "faust", "pydantic", "aiokafka", "numpy"])
def test_help_imports_nothing_heavy(module: str):
    import subprocess

    code = (
        "import sys; from rolecall.streams.cli.main import group; group(['--help'], standalone_mode=False);"
        f"sys.exit({module!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize(("name", "command"), commands())
def test_docs_name_every_command_and_option(name: str, command: click.Command):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text() for page in pages)
    flags = [parameter.opts[0] for parameter in command.params if isinstance(parameter, click.Option)]
    assert [word for word in (name, *flags) if word not in text] == []


def test_settings_print_every_field_and_hide_secrets(rolecall):
    output = rolecall("settings", qdrant_api_key="hush", redis_url="redis://:hush@127.0.0.1").output
    assert "hush" not in output
    assert "ROLECALL_QDRANT_API_KEY=**********" in output
    printed = {line.partition("=")[0] for line in output.splitlines() if not line.startswith("#")}
    assert printed == {f"ROLECALL_{field.upper()}" for field in Settings.model_fields}


def test_settings_print_what_settings_read(rolecall, tmp_path: Path):
    before = rolecall("settings", top_k="3", batch_size="7").output
    Path(".env").write_text(before)
    assert rolecall("settings").output == before


def test_a_bad_setting_names_itself_its_value_and_the_limit(rolecall):
    result = rolecall("settings", top_k="0")
    assert result.exit_code == 2
    assert "ROLECALL_TOP_K=0: input should be greater than or equal to 1" in result.output


def test_a_setting_that_is_not_json_is_named(rolecall):
    result = rolecall("settings", rates="EUR=1")
    assert result.exit_code == 2
    assert "ROLECALL_RATES: this is not JSON" in result.output


def test_a_bad_secret_is_not_shown(rolecall):
    result = rolecall("settings", index="sqlite", qdrant_api_key="hush")
    assert result.exit_code == 2
    assert "hush" not in result.output


def test_misspelt_settings_are_found():
    names = ["ROLECALL_BROKR", "ROLECALL_BROKER", "PATH"]
    assert unknown_names(names) == ["ROLECALL_BROKR"]


@pytest.mark.parametrize("command", [["tail"], ["topics", "create"], ["publish", "jobs.jsonl"]])
@pytest.mark.parametrize(
    ("broker", "said"),
    [
        ("127.0.0.1:1", "no Kafka broker answers at 127.0.0.1:1; set ROLECALL_BROKER"),
        ("127.0.0.1:abc", "ROLECALL_BROKER=127.0.0.1:abc: this is not an address"),
    ],
)
def test_without_a_broker_one_line_says_so(rolecall, command: list[str], broker: str, said: str):
    Path("jobs.jsonl").touch()
    result = rolecall(*command, broker=broker)
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert said in result.output


def test_publish_without_the_file_names_it(rolecall):
    result = rolecall("publish", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "'nowhere.jsonl' does not exist" in result.output


def test_a_bad_mapping_shows_how_to_write_one(rolecall):
    Path("jobs.csv").touch()
    result = rolecall("publish", "jobs.csv", "--map", "title")
    assert result.exit_code == 2
    assert "'title' is not a mapping; write field=column" in result.output

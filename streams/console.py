"""How the command line speaks: help in order of use, mishaps in a line or two, exit codes."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from streams.settings import Settings

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130
SECTIONS = {
    "Try it": ("demo", "up"),
    "Run it": ("topics", "worker", "rollout", "rebuild", "doctor", "dead-letters", "settings"),
    "Use it": ("publish", "tail", "matches", "explain", "rules", "occupations"),
    "Improve it": ("drift", "train", "evaluate", "retrain", "feedback", "audit"),
}


class Sections(click.Group):
    """Commands in the order of use, not of the alphabet."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(70)) for name in names])


def forward(name: str, summary: str) -> click.Command:
    """Training is a package of its own, which the worker never imports."""

    def run() -> None:
        arguments = click.get_current_context().args
        os.execv(sys.executable, [sys.executable, "-m", "training", name, *arguments])

    return click.Command(
        name,
        callback=run,
        help=summary,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


def effective_settings() -> "Settings":
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from streams.settings import Settings

    try:
        return Settings()
    except SettingsError as error:
        fail(f"{error}: not JSON")
    except ValidationError as error:
        fail("\n".join(map(_wrong, error.errors())))


def _wrong(problem: "ErrorDetails") -> str:
    """The setting, its value unless it is a secret, and what is wrong with it."""
    from streams.settings import Settings

    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # what several settings say together
        return message
    name = str(problem["loc"][0])
    secret = "SecretStr" in str(Settings.model_fields[name].annotation) or "@" in str(problem["input"])
    value = "" if secret else f"={problem['input']}"
    return f"ROLECALL_{name.upper()}{value}: {message[0].lower()}{message[1:]}"


@contextmanager
def explained(interrupted: int = INTERRUPTED) -> Iterator[None]:
    """What the user can mend ends a command in a line or two, not in a traceback."""
    from aiokafka.errors import KafkaError

    from streams.deployment import NotDeployed
    from streams.embedded import EmbeddedUnavailable
    from streams.publish import PublishFailed
    from streams.reach import Unreachable

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the message below says it
    try:
        yield
    except (EmbeddedUnavailable, NotDeployed, Unreachable, PublishFailed, KafkaError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        raise SystemExit(interrupted) from None


def fail(message: str, code: int = UNUSABLE) -> NoReturn:
    click.echo(f"rolecall: {message}", err=True)
    raise SystemExit(code)

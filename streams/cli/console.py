"""What all commands share: errors in a line or two, exit codes, Ctrl-C, pipes."""

import difflib
import io
import logging
import os
import re
import select
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from rolecall.schemas.errors import RolecallError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from rolecall.streams.settings import Settings

FAILED, UNUSABLE, INTERRUPTED = 1, 2, 130


def effective_settings(*, tell_unknown: bool = True) -> "Settings":
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from rolecall.streams.settings import Settings

    if tell_unknown:
        tell_unknown_variables()
    try:
        return Settings()
    except SettingsError as error:  # it has the name of the field in double quotes
        field = str(error).split('"')[1]
        fail(f"ROLECALL_{field.upper()}: this is not JSON; `rolecall settings` describes the setting")
    except ValidationError as error:
        fail("\n".join(map(_wrong, error.errors())))


def tell_unknown_variables() -> None:
    """Prints one line about ROLECALL_ variables that set nothing, if there are any."""
    from dotenv import dotenv_values

    from rolecall.streams.settings import Settings, unknown_names

    unknown = unknown_names({*os.environ, *dotenv_values(".env")})
    if not unknown:
        return
    known = [f"ROLECALL_{field.upper()}" for field in Settings.model_fields]
    near = difflib.get_close_matches(unknown[0], known, n=1)
    remedy = f"did you mean {near[0]}?" if near else "`rolecall settings` lists them all"
    click.echo(f"rolecall: no such setting: {', '.join(unknown)}; {remedy}", err=True)


def _wrong(problem: "ErrorDetails") -> str:
    """The setting, its value unless it is a secret, and what is wrong with it."""
    from rolecall.streams.settings import Settings

    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:  # a check of several settings together
        return message
    name = str(problem["loc"][0])
    secret = "SecretStr" in str(Settings.model_fields[name].annotation) or "@" in str(problem["input"])
    value = "" if secret else f"={problem['input']}"
    return f"ROLECALL_{name.upper()}{value}: {message[0].lower()}{message[1:]}"


async def served_by(settings: "Settings", model_version: str) -> str:
    """Name of the collections that workers with this model use. Without a broker: warns, gives the first."""
    from rolecall.streams.rollout.topic import served_collections

    served = await served_collections(settings, model_version)
    if served is None:
        click.echo(f"no broker at {settings.broker}: using the first index of {model_version}", err=True)
    return served or model_version


@contextmanager
def explained() -> Iterator[None]:
    """Errors that the user can fix end the command with a line or two, and no traceback. Ctrl-C gives 130.

    While the body runs, Ctrl-C raises `KeyboardInterrupt`, so that the body can stop what it started.
    """
    from aiokafka.errors import KafkaError

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # we print the error ourselves, below
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except RolecallError as error:
        fail(str(error), error.exit_code)
    except KafkaError as error:
        fail(str(error))
    except BrokenPipeError:
        raise  # the reader of our output closed the pipe
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        raise SystemExit(INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)


def fail(message: str, code: int = UNUSABLE) -> NoReturn:
    click.echo(f"rolecall: {message}", err=True)
    raise SystemExit(code)


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 match`, `2,000 matches`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def terminal_width() -> int | None:
    """Columns of the terminal; None when the output goes to a pipe or file, which get whole lines."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def reader_left() -> bool:
    """Whether the other end of our pipe is closed. A failed write would show it, but needs data."""
    output = select.poll()
    output.register(sys.stdout, 0)
    return bool(output.poll(0))


def columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows with each column as wide as its widest cell, two blanks between columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


_COLOUR = r"\x1b\[(?:[012]|22|3[0-79]|9[0-7])m"  # what click and structlog write
_CONTROL = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
_UNSAFE = re.compile(f"({_COLOUR})|{_CONTROL}")


def visible(text: str) -> str:
    """Control characters as escapes. Titles, ids and error messages come from anybody, and a terminal obeys
    what is in them: it would move, hide or change what stands there. Colours, tabs and line ends stay."""
    return _UNSAFE.sub(lambda found: found[1] or f"\\u{ord(found[0]):04x}", text)


class Guarded(io.TextIOWrapper):
    """A terminal that gets no control character. Progress bars draw on the `unguarded` one."""

    unguarded: TextIO | None = None

    def write(self, text: str) -> int:
        return super().write(visible(text))


def guard_terminal() -> None:
    """Pipes and files get every byte as it is."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream.isatty():
            guarded = Guarded(stream.buffer, stream.encoding, "backslashreplace", line_buffering=True)
            guarded.unguarded = stream
            setattr(sys, name, guarded)

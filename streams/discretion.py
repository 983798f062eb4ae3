"""What may be said of an exception: never the text of an entity, never a secret.

Messages of foreign exceptions quote what they choke on, and local variables hold it. So a log has the places
of a traceback, and the message only of exceptions that are known not to quote.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType

from rolecall.schemas.errors import RolecallError

QUOTE_NOTHING = (RolecallError, OSError)
CLIENTS = "aiokafka."  # its messages name brokers, topics and offsets
ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def said(error: BaseException) -> str:
    """Its class, and its message if that cannot quote an event."""
    name = type(error).__name__
    harmless = isinstance(error, QUOTE_NOTHING) or type(error).__module__.startswith(CLIENTS)
    return f"{name}: {error}" if harmless and str(error) else name


def told(error: BaseException) -> str:
    """The traceback of the exception and of its causes: places and classes, no values."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f"{told(earlier)}\n\nthen:\n\n" if earlier is not None else ""
    frames = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)))
    inside = getattr(error, "exceptions", ())
    grouped = "".join(f"\n\nin the group:\n\n{told(each)}" for each in inside)
    return f"{before}Traceback (most recent call last):\n{frames}{said(error)}{grouped}"


def of_exc_info(exc_info: ExcInfo) -> str:
    return "" if exc_info[1] is None else told(exc_info[1])


class Discreet(logging.Filter):
    """Takes the messages of exceptions out of the lines of libraries. asyncio prints whole tasks."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, BaseException):
            record.msg = said(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(
                said(each) if isinstance(each, BaseException) else each for each in record.args
            )
        if record.name.startswith("asyncio"):
            record.msg, record.args = record.getMessage().split("\n", 1)[0], ()
        return True


class Formatter(logging.Formatter):
    def formatException(self, ei: object) -> str:
        return of_exc_info(ei)  # type: ignore[arg-type]


def guard_process() -> None:
    """Prints uncaught exceptions in the same way, in every thread."""
    sys.excepthook = lambda _kind, error, _where: _print(error)
    threading.excepthook = lambda hook: None if hook.exc_value is None else _print(hook.exc_value)


def guard_logging() -> None:
    """For a process without a log format of its own."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter())
    handler.addFilter(Discreet())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _print(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    sys.stderr.write(told(error) + "\n")

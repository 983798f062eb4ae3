"""Structured logs: one renderer for our lines and those of libraries. They never hold text of an entity."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Literal

import structlog

from rolecall.streams.discretion import Discreet, guard_process, of_exc_info
from rolecall.streams.monitor.tally import LookupTally, Tally

log = structlog.get_logger()

LIBRARIES = (
    "faust",
    "mode",
    "aiokafka",
    "kafka",
    "httpx",
    "httpcore",
    "asyncio",
    "rolecall.streams.worker.faust.transport",
)
REPEAT_SECONDS = 10.0


def configure(form: Literal["console", "json"], level: str) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: list[structlog.typing.Processor]
    tell = structlog.processors.ExceptionRenderer(of_exc_info)
    if form == "json":
        render = [tell, structlog.processors.JSONRenderer()]
    else:
        plain = structlog.dev.plain_traceback  # others print local variables, which hold texts
        render = [tell, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    handler.addFilter(Repeated())
    handler.addFilter(Discreet())
    guard_process()


class Repeated(logging.Filter):
    """Drops a library's line within 10 s of the same one: clients of a dead broker repeat theirs."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.CRITICAL or not record.name.startswith(LIBRARIES):
            return True
        line = record.pathname, record.lineno
        if self._now() - self._said.get(line, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._said[line] = self._now()
        return True


def log_batch(tally: Tally) -> None:
    log.info(
        "batch",
        side=tally.side,
        events=tally.events,
        upserted=tally.upserted,
        removed=tally.removed,
        unchanged=tally.unchanged,
        stale=tally.stale,
        matches=tally.matches,
        dead_letters=tally.dead_letters,
        cache_hits=tally.cache_hits,
        retries=tally.retries,
        ms={stage.value: round(seconds * 1000, 1) for stage, seconds in tally.seconds.items()},
    )


def log_lookups(topic: str, tally: LookupTally) -> None:
    log.info(
        "definitions",
        topic=topic,
        events=tally.events,
        published=tally.published,
        dead_letters=tally.dead_letters,
        retries=tally.retries,
    )

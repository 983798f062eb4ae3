"""A worker for tests: any stage can be made to raise once, and its clock can be moved.

    ROLECALL_… CHAOS_CONTROL=DIRECTORY python -m bench.rig.faulty_worker worker

A file `fail-STAGE` in the directory makes the next call of that stage raise. The first worker that gets
there removes the file and fails. The file `clock` holds the number of seconds by which the clocks are ahead.
A title with the word of `POISON` can never be encoded. Everything else is the real worker.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.schemas.dead_letter import Stage
from rolecall.streams.cli import __main__ as cli
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.kafka.publisher import KafkaPublisher
from rolecall.streams.worker import assemble, batch, serve
from rolecall.streams.worker.faust import agents

POISON = "unencodable"
CONTROL = Path(os.environ.get("CHAOS_CONTROL", "."))

_time = time.time


class Injected(RuntimeError):
    pass


def raises_once(owner: Any, name: str, stage: Stage) -> None:
    original: Callable[..., Any] = getattr(owner, name)
    order = CONTROL / f"fail-{stage}"

    @wraps(original)
    def perhaps(*arguments: Any, **named: Any) -> Any:
        try:
            order.unlink()
        except FileNotFoundError:
            return original(*arguments, **named)
        raise Injected(stage)

    setattr(owner, name, perhaps)


def refuses_poison(encode: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(encode)
    def encoded(self: Encoder, documents: Iterable[Document]) -> Any:
        given: Sequence[Document] = list(documents)
        if any(POISON in document.title for document in given):
            raise ValueError("planted")
        return encode(self, given)

    return encoded


def ahead_seconds() -> float:
    try:
        return float((CONTROL / "clock").read_text())
    except FileNotFoundError:
        return 0.0


def now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=ahead_seconds())


def main() -> None:
    Encoder.encode = refuses_poison(Encoder.encode)  # type: ignore[method-assign]
    for owner, name, stage in (
        (batch, "receive", Stage.RECEIVE),
        (Encoder, "encode", Stage.ENCODE),
        (QdrantEdge, "upsert", Stage.UPSERT),
        (QdrantEdge, "search_allowed", Stage.SEARCH),
        (batch, "listed", Stage.MATCH),
        (KafkaPublisher, "publish", Stage.PUBLISH),
        (agents, "_acknowledge", Stage.ACK),
    ):
        raises_once(owner, name, stage)
    time.time = lambda: _time() + ahead_seconds()
    for module, name in ((assemble, "BatchRunner"), (serve, "Sweeper")):
        setattr(module, name, partial(getattr(module, name), now=now))
    cli.main()


if __name__ == "__main__":
    main()

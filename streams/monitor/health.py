"""Liveness, readiness and metrics over HTTP. A thread of its own answers, also while the worker is stuck.

/live     200 while the event loop runs and no batch is stuck; otherwise restart the worker
/ready    200 while the model is loaded, all of the index and the broker answer, and partitions are assigned
          and fetched
/metrics  for Prometheus
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer

from prometheus_client import CollectorRegistry, MetricsHandler

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexMismatch, IndexUnavailable, PortUnavailable
from rolecall.streams.index.port import Index
from rolecall.streams.kafka.lag import Progress
from rolecall.streams.monitor.contact import Contact
from rolecall.streams.monitor.tally import ListCounts

PROBE_SECONDS = 5.0
STUCK_SECONDS = 600.0  # longer than all retries together: an older batch will not end


class Health:
    """State of a worker. `rolecall.streams.worker.serve.serve` sets it, the HTTP threads read it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, contact: Contact | None = None, session_seconds: float = 30
    ) -> None:
        self._loop = loop
        self._contact = contact
        self._session_seconds = session_seconds
        self.model_version: str | None = None  # once it is loaded
        self.index: Index | None = None  # once it is prepared
        self.consuming: Callable[[], Progress] | None = None
        self.batches: dict[object, float] = {}  # start times of the batches in hand
        self.lists: Callable[[], ListCounts] = ListCounts

    @contextmanager
    def batch(self) -> Iterator[None]:
        token = object()
        self.batches[token] = time.monotonic()
        try:
            yield
        finally:
            del self.batches[token]

    def oldest_batch_seconds(self) -> float:
        return time.monotonic() - min(started) if (started := list(self.batches.values())) else 0.0

    def progress(self) -> Progress:
        return Progress() if self.consuming is None else self.consuming()

    def liveness(self) -> dict[str, str | None]:
        """What is wrong, by check; None if it passes."""
        age = self.oldest_batch_seconds()
        return {
            "loop": None if self._turns() else f"does not answer within {PROBE_SECONDS:g} s",
            "batch": f"in hand for {age:.0f} s" if age > STUCK_SECONDS else None,
        }

    def readiness(self) -> dict[str, str | None]:
        return {
            "model": None if self.model_version else "not loaded",
            "index": self._index_trouble(),
            "broker": self._broker_trouble(),
            "partitions": self._partition_trouble(),
        }

    def _broker_trouble(self) -> str | None:
        """Told before the group gives this worker's partitions to another one."""
        away = 0.0 if self._contact is None or self.consuming is None else self._contact.away_seconds()
        return f"no answer for {away:.0f} s" if away > self._session_seconds / 2 else None

    def _partition_trouble(self) -> str | None:
        progress = self.progress()
        if not progress.lag:
            return "none assigned"
        if progress.silent_seconds > self._session_seconds:
            return f"one was not fetched for {progress.silent_seconds:.0f} s"
        return None

    def _turns(self) -> bool:
        turned = threading.Event()
        self._loop.call_soon_threadsafe(turned.set)
        return turned.wait(PROBE_SECONDS)

    def _index_trouble(self) -> str | None:
        """Looks up an id that no point has. This works for an index with any content."""
        if self.index is None:
            return "not prepared"
        asked = asyncio.run_coroutine_threadsafe(_all_there(self.index), self._loop)
        try:
            return asked.result(PROBE_SECONDS)
        except Late:
            asked.cancel()
            return f"does not answer within {PROBE_SECONDS:g} s"
        except (IndexUnavailable, IndexMismatch) as error:
            return type(error).__name__


async def _all_there(index: Index) -> str | None:
    if gone := await index.missing():
        return f"lacks {', '.join(gone)}"
    await index.fetch(Side.VACANCY, [""])
    return None


class HealthServer:
    """Listens once it is made. `port` is the actual port, also if 0 was asked for."""

    def __init__(self, host: str, port: int, health: Health, registry: CollectorRegistry) -> None:
        handler = type("Handler", (_Handler,), {"registry": registry, "health": health})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise PortUnavailable(
                f"cannot listen on ROLECALL_HTTP_HOST={host}, ROLECALL_HTTP_PORT={port} "
                f"({error.strerror}); each worker needs a port of its own, 0 takes a free one"
            ) from error
        self.port = self._server.server_port
        serve = partial(self._server.serve_forever, poll_interval=0.1)  # how long `close` may wait
        threading.Thread(target=serve, name="health", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(MetricsHandler):
    health: Health
    timeout = 10  # seconds that a client has to send its request
    server_version, sys_version = "rolecall", ""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                super().do_GET()
            case "/live":
                self._answer(self.health.liveness())
            case "/ready":
                self._answer(self.health.readiness())
            case _:
                self.send_error(404)

    def _answer(self, checks: Mapping[str, str | None]) -> None:
        body = "".join(f"{check}: {trouble or 'ok'}\n" for check, trouble in checks.items()).encode()
        self.send_response(503 if any(checks.values()) else 200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

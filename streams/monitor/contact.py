"""Whether the broker answers, since when it does not, and one line in the log every few seconds of that."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from rolecall.streams.errors import GaveUp

log = structlog.get_logger()

TELL_SECONDS = 5.0


class Contact:
    def __init__(self, address: str, retry_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._retry_seconds = retry_seconds
        self._now = now
        self._answered = now()
        self._told: float | None = None  # None: there is nothing to tell

    def answered(self) -> None:
        if self._told is not None:
            log.warning("broker_back", broker=self._address, away_seconds=round(self.away_seconds(), 1))
        self._answered, self._told = self._now(), None

    def failed(self, error: str) -> None:
        """Raises `GaveUp` once the broker was away for `retry_seconds`."""
        away = self.away_seconds()
        if self._told is None or self._now() - self._told >= TELL_SECONDS:
            since = datetime.now(UTC) - timedelta(seconds=away)
            log.error(
                "broker_away",
                broker=self._address,
                since=since.isoformat(timespec="seconds"),
                error=error,
                ends_in_seconds=round(self._retry_seconds - away),
            )
            self._told = self._now()
        if away > self._retry_seconds:
            raise GaveUp(f"no Kafka broker answers at {self._address} for {away:.0f} s, last with: {error}")

    def away_seconds(self) -> float:
        """Since the last answer; about a second while all is well."""
        return self._now() - self._answered

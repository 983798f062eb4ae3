"""Cached embeddings in Redis. A failure of Redis counts as a miss, never as an error."""

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from rolecall.streams.index.port import Point
from rolecall.streams.settings import Settings

log = structlog.get_logger()

Row = npt.NDArray[np.float32]  # (dims + 1,): the vector, then its certainty
LENGTH_TOLERANCE = 1e-3


class Operation(StrEnum):
    GET = "get"
    PUT = "put"
    FORGET = "forget"


class Cache:
    """Rows of float32 by content hash, under the model version.

    A circuit breaker: after a failure the cache does not ask Redis for `pause_seconds`. So a dead Redis costs
    one timeout in that time, and not one for each batch. A Redis that answers and refuses is not asked for
    the same again: one that is full, or a read-only replica, is still read from.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        version: str,
        dims: int,
        ttl_seconds: int,
        pause_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._prefix = f"rolecall:{version}:".encode()
        self._row_bytes = (dims + 1) * 4
        self._ttl_seconds = ttl_seconds
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._paused_until = dict.fromkeys(Operation, float("-inf"))

    @classmethod
    def connect(
        cls, url: str, *, timeout_seconds: float, version: str, dims: int, ttl_seconds: int
    ) -> "Cache":
        redis = Redis.from_url(url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds)
        redis.connection_pool.connection_kwargs["decode_responses"] = (
            False  # the URL may say so; rows are bytes
        )
        return cls(redis, version=version, dims=dims, ttl_seconds=ttl_seconds)

    async def get(self, hashes: Sequence[bytes]) -> dict[bytes, Row]:
        """The rows that Redis has. A row that no encoder could have made counts as missing."""
        if not hashes or self._is_paused(Operation.GET):
            return {}
        try:
            stored = await self._redis.mget([self._prefix + key for key in hashes])
        except RedisError as error:
            self._pause(Operation.GET, error)
            return {}
        read = {
            key: np.frombuffer(row, dtype=np.float32)
            for key, row in zip(hashes, stored, strict=True)
            if isinstance(row, bytes) and len(row) == self._row_bytes
        }
        return {key: row for key, row in read.items() if _is_sound(row)}

    async def put(self, rows: Mapping[bytes, Row]) -> None:
        if not rows or self._is_paused(Operation.PUT):
            return
        pipeline = self._redis.pipeline(transaction=False)
        for key, row in rows.items():
            pipeline.set(self._prefix + key, row.astype(np.float32).tobytes(), ex=self._ttl_seconds)
        try:
            await pipeline.execute()
        except RedisError as error:
            self._pause(Operation.PUT, error)

    async def forget(self, hashes: Sequence[bytes]) -> None:
        if not hashes or self._is_paused(Operation.FORGET):
            return
        try:
            await self._redis.unlink(*(self._prefix + key for key in hashes))
        except RedisError as error:
            self._pause(Operation.FORGET, error)

    async def close(self) -> None:
        await self._redis.aclose()

    def _is_paused(self, operation: Operation) -> bool:
        return self._clock() < self._paused_until[operation]

    def _pause(self, operation: Operation, error: RedisError) -> None:
        paused = [operation] if isinstance(error, ResponseError) else list(Operation)
        until = self._clock() + self._pause_seconds
        self._paused_until.update(dict.fromkeys(paused, until))
        log.warning(
            "cache_unavailable",
            error=type(error).__name__,
            operations=[each.value for each in paused],
            pause_seconds=self._pause_seconds,
        )


def _is_sound(row: Row) -> bool:
    """A vector of length 1 and a certainty. Anybody who reaches Redis may have written the row."""
    length, certainty = float(np.linalg.norm(row[:-1])), float(row[-1])
    return abs(length - 1) <= LENGTH_TOLERANCE and 0 <= certainty <= 1


def connect_cache(settings: Settings, version: str, dims: int) -> Cache | None:
    if settings.redis_url is None:
        return None
    return Cache.connect(
        settings.redis_url.get_secret_value(),
        timeout_seconds=settings.redis_timeout_seconds,
        version=version,
        dims=dims,
        ttl_seconds=settings.cache_ttl_seconds,
    )


async def forget(cache: Cache, stored: Mapping[str, Point], points: Sequence[Point]) -> None:
    """Delete the cached embeddings of the content that these points are about to replace. stored: by id.

    Call this before the write. After the write the index no longer holds the hash of the old content. So if
    the process died between write and delete, the old embedding would stay in the cache.
    """
    replaced = [
        was
        for point in points
        if (was := stored.get(point.id))
        and was.revision <= point.revision
        and content_of(was) != content_of(point)
    ]
    await cache.forget([content for was in replaced if (content := content_of(was))])


def content_of(point: Point) -> bytes | None:
    """The hash of the text behind the vector: its key in the cache. None if written without a cache."""
    content = (point.payload or {}).get("content")
    return bytes.fromhex(content) if isinstance(content, str) else None

"""Hot embeddings in Redis. Optional at every moment: a failure means a miss, never an error."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

log = structlog.get_logger()

Row = npt.NDArray[np.float32]  # (dims + 1,): the vector, then its certainty


class Cache:
    """Rows by content hash, under the model version, as exact float32: a hit equals a fresh encoding.

    After a failure the cache stays open for `pause_seconds` (a circuit breaker), so that a dead Redis
    costs one timeout per pause and not one per batch.
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
        self._open_until = float("-inf")

    @classmethod
    def connect(
        cls, url: str, *, timeout_seconds: float, version: str, dims: int, ttl_seconds: int
    ) -> "Cache":
        redis = Redis.from_url(url, socket_timeout=timeout_seconds, socket_connect_timeout=timeout_seconds)
        return cls(redis, version=version, dims=dims, ttl_seconds=ttl_seconds)

    async def get(self, hashes: Sequence[bytes]) -> dict[bytes, Row]:
        """The rows that are there; a row of the wrong size counts as missing."""
        if not hashes or self._is_open():
            return {}
        try:
            stored = await self._redis.mget([self._prefix + key for key in hashes])
        except RedisError as error:
            self._trip(error)
            return {}
        return {
            key: np.frombuffer(row, dtype=np.float32)
            for key, row in zip(hashes, stored, strict=True)
            if isinstance(row, bytes) and len(row) == self._row_bytes
        }

    async def put(self, rows: Mapping[bytes, Row]) -> None:
        if not rows or self._is_open():
            return
        pipeline = self._redis.pipeline(transaction=False)
        for key, row in rows.items():
            pipeline.set(self._prefix + key, row.astype(np.float32).tobytes(), ex=self._ttl_seconds)
        try:
            await pipeline.execute()
        except RedisError as error:
            self._trip(error)

    async def forget(self, hashes: Sequence[bytes]) -> None:
        if not hashes or self._is_open():
            return
        try:
            await self._redis.unlink(*(self._prefix + key for key in hashes))
        except RedisError as error:
            self._trip(error)

    async def close(self) -> None:
        await self._redis.aclose()

    def _is_open(self) -> bool:
        return self._clock() < self._open_until

    def _trip(self, error: RedisError) -> None:
        self._open_until = self._clock() + self._pause_seconds
        log.warning("cache_unavailable", error=type(error).__name__, pause_seconds=self._pause_seconds)

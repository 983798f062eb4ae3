"""Which ids a run has published, and under which revision: 16 bytes an id, whatever the file's size."""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rolecall.schemas.match import Side

LARGEST_PENDING, SHARDS = 50_000, 64


class Seen:
    """Hashes of 64 bits: among ten million ids, two are taken for one with a probability of 0.0003 %."""

    def __init__(self) -> None:
        self._shards = [_Shard(np.empty(0, np.uint64), np.empty(0, np.int64)) for _ in range(SHARDS)]
        self._pending: dict[int, int] = {}

    def __len__(self) -> int:
        known = sum(len(shard.keys) for shard in self._shards)
        return known + sum(self._find(key) is None for key in self._pending)

    def newest(self, side: Side, id: str) -> int | None:
        """The newest revision of this id so far."""
        key = _key(side, id)
        return self._pending[key] if key in self._pending else self._find(key)

    def add(self, side: Side, id: str, revision: int) -> None:
        self._pending[_key(side, id)] = revision
        if len(self._pending) >= LARGEST_PENDING:
            self._merge()

    def _find(self, key: int) -> int | None:
        shard, wanted = self._shards[key % SHARDS], np.uint64(key)
        found = int(np.searchsorted(shard.keys, wanted))
        there = found < len(shard.keys) and shard.keys[found] == wanted
        return int(shard.revisions[found]) if there else None

    def _merge(self) -> None:
        """Shard by shard: the copies that a merge makes are those of one shard."""
        new: list[list[int]] = [[] for _ in range(SHARDS)]
        for key in self._pending:
            new[key % SHARDS].append(key)
        for number, added in enumerate(new):
            shard, fresh = self._shards[number], np.array(added, np.uint64)
            kept = ~np.isin(shard.keys, fresh)
            keys = np.concatenate([shard.keys[kept], fresh])
            told = np.array([self._pending[key] for key in added], np.int64)
            order = np.argsort(keys)
            revisions = np.concatenate([shard.revisions[kept], told])
            self._shards[number] = _Shard(keys[order], revisions[order])
        self._pending.clear()


class _Shard(NamedTuple):
    keys: npt.NDArray[np.uint64]  # sorted
    revisions: npt.NDArray[np.int64]


def _key(side: Side, id: str) -> int:
    return int.from_bytes(blake2b(f"{side}/{id}".encode(errors="replace"), digest_size=8).digest(), "little")

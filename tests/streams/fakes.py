"""Exceptions, a cache and a topic that several tests use."""

from types import SimpleNamespace

from rolecall.streams.errors import IndexUnavailable
from rolecall.streams.rollout.topic import RolloutTopic

AWAY = IndexUnavailable("gone fishing")


class Killed(BaseException):
    """Stands for the death of the process."""


class DictCache:
    """The cache port in a dict."""

    def __init__(self):
        self.rows = {}

    async def get(self, hashes):
        return {key: self.rows[key] for key in hashes if key in self.rows}

    async def put(self, rows):
        self.rows.update(rows)

    async def forget(self, hashes):
        for key in hashes:
            self.rows.pop(key, None)


class SharedTopic:
    """The topic `rollouts` in a list that several commands share."""

    def __init__(self, *before):
        self.records = [SimpleNamespace(value=each.model_dump_json().encode(), offset=0) for each in before]

    def reader(self):
        reader, read = RolloutTopic(None), 0

        async def newest():
            nonlocal read
            for record in self.records[read:]:
                reader._take(record)
            read = len(self.records)
            return reader._newest

        reader.newest = newest
        return reader

    async def publish(self, records):
        self.records += [SimpleNamespace(value=each.value, offset=0) for each in records]

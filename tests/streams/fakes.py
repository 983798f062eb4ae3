"""An exception and a cache that several tests use."""

from rolecall.streams.errors import IndexUnavailable

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

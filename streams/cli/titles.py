"""Titles for people to read, from the compacted topics. A match itself never carries one."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from rolecall.schemas.broker.reading import assign, partitions_of, read_to
from rolecall.schemas.match import Side
from rolecall.schemas.topics import SIDE_OF
from rolecall.streams.settings import Settings

MAX_CHARACTERS = 80


class TitleReader:
    """`titles` by side and id, as the topics have them. Without a consumer it stays empty."""

    def __init__(self, consumer: AIOKafkaConsumer | None) -> None:
        self._consumer = consumer
        self.titles: dict[tuple[Side, str], str] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, settings: Settings | None) -> AsyncIterator["TitleReader"]:
        """Reads both topics to their ends first. Without settings, the reader has no titles."""
        if settings is None:
            yield cls(None)
            return
        partitions = [each for topic in SIDE_OF for each in await partitions_of(settings, topic)]
        consumer = AIOKafkaConsumer(**settings.reader(), fetch_max_wait_ms=settings.fetch_max_wait_ms)
        await consumer.start()
        try:
            assign(consumer, dict.fromkeys(partitions, 0))
            reader = cls(consumer)
            async for record in read_to(consumer, {}):
                reader._take([record])
            yield reader
        finally:
            await consumer.stop()

    async def refresh(self) -> None:
        """Reads the records that arrived since the last call."""
        if self._consumer is not None:
            for records in (await self._consumer.getmany(timeout_ms=0)).values():
                self._take(records)

    def _take(self, records: Iterable[Any]) -> None:
        for record in records:
            key = SIDE_OF[record.topic], (record.key or b"").decode(errors="replace")
            if record.value is None:
                self.titles.pop(key, None)
            elif title := _title(record.value):
                self.titles[key] = title


def _title(value: bytes) -> str:
    """The title on one line; empty if the record has no readable title."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(said, dict):
        return ""
    titles = said.get("titles") or [said.get("title")]
    first = titles[0] if isinstance(titles, list) else titles
    return " ".join(first.split())[:MAX_CHARACTERS] if isinstance(first, str) else ""

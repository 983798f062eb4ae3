"""Send a list of records, each confirmed."""

from collections.abc import Iterable

from rolecall.streams.events.records import Outgoing
from rolecall.streams.kafka.publisher import KafkaPublisher
from rolecall.streams.kafka.topics import require_topics
from rolecall.streams.settings import Settings

CHUNK = 500


async def send(settings: Settings, records: Iterable[Outgoing]) -> int:
    """Returns the number of records, when the broker has confirmed all of them."""
    await require_topics(settings)
    publisher, waiting = KafkaPublisher.of(settings), list(records)
    try:
        await publisher.start()
        for first in range(0, len(waiting), CHUNK):
            await publisher.publish(waiting[first : first + CHUNK])
        return len(waiting)
    finally:
        await publisher.stop()

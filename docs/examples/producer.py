"""Publish vacancies and candidates from your own program, and erase one.

    python producer.py localhost:9092
    python producer.py localhost:9092 --erase candidates c-2

`Vacancy` and `Candidate` check every field before anything is sent. A worker checks again. A record that
breaks the contract ends in the topic `dead-letters`.
"""

import asyncio
import sys
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from rolecall import Candidate, Vacancy

NOW = datetime.now(UTC)
VACANCIES = [
    Vacancy(id="v-1", occurred_at=NOW, title="Backend developer (Python)", skills=("Python", "Kafka")),
    Vacancy(id="v-2", occurred_at=NOW, title="Night shift nurse", skills=("wound care",)),
]
CANDIDATES = [
    Candidate(id="c-1", occurred_at=NOW, titles=("Python programmer",), skills=("Python", "Kafka")),
    Candidate(id="c-2", occurred_at=NOW, titles=("Registered nurse",), skills=("wound care", "triage")),
]


async def publish(broker: str) -> None:
    """The key of a record is the id, so all revisions of an entity go to one partition, in order."""
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        for topic, entities in (("vacancies", VACANCIES), ("candidates", CANDIDATES)):
            for entity in entities:
                value = entity.model_dump_json(exclude_none=True).encode()
                await producer.send_and_wait(topic, value, key=entity.id.encode())


async def erase(broker: str, topic: str, id: str) -> None:
    """A record without a value erases the entity. Its matches are withdrawn."""
    async with AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        await producer.send_and_wait(topic, None, key=id.encode())


if __name__ == "__main__":
    match sys.argv[1:]:
        case [broker]:
            asyncio.run(publish(broker))
        case [broker, "--erase", topic, id]:
            asyncio.run(erase(broker, topic, id))
        case _:
            raise SystemExit(__doc__)

"""Speed of each stage of the worker by itself: events per second, in batches of the worker's size."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from rolecall.encoder.document import document_of
from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.match import Side
from rolecall.schemas.topics import TOPIC_OF_SIDE
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.stack import Stack
from rolecall.streams.events.receive import Entity, Limits, receive
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import match_record
from rolecall.streams.index.edge.client import QdrantEdge
from rolecall.streams.index.port import Hit, Query
from rolecall.streams.kafka.publisher import KafkaPublisher, producer
from rolecall.streams.matching.card import Embedded, point
from rolecall.streams.matching.match import listed
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import Choice, chosen, compatible_hits, wanted
from rolecall.streams.worker.search import first_limit

BATCH = 128
TOP_K = 10
LIMITS = Limits(1_048_576, 10**9)


class Stages:
    """Runs batches through the stages one after the other, and times each."""

    def __init__(self, encoder: Encoder, index: QdrantEdge, sender: AIOKafkaProducer) -> None:
        self.seconds: dict[Stage, float] = defaultdict(float)
        self._encoder = encoder
        self._index = index
        self._publisher = KafkaPublisher(sender)
        self._policy = Policy(TOP_K, 0.0)
        self._now = datetime.now(UTC)

    async def run(self, side: Side, batch: Sequence[Entity]) -> None:
        records = [
            Record(
                TOPIC_OF_SIDE[side],
                0,
                i,
                e.id.encode(),
                e.model_dump_json(exclude_defaults=True).encode(),
                e.revision,
            )
            for i, e in enumerate(batch)
        ]
        with self._timed(Stage.RECEIVE):
            receive(side, records, LIMITS)
        with self._timed(Stage.ENCODE):
            found = self._encoder.encode([document_of(entity) for entity in batch])
        embedded = [
            Embedded(entity, vector, float(certainty))
            for entity, vector, certainty in zip(batch, found.vectors, found.certainty, strict=True)
        ]
        with self._timed(Stage.UPSERT):
            await self._index.upsert(side, [point(each) for each in embedded])
        with self._timed(Stage.SEARCH):
            queries = [
                Query(each.vector, wanted(each.entity, self._now), first_limit(TOP_K)) for each in embedded
            ]
            hits = await self._index.search_allowed(side.other, queries)
        with self._timed(Stage.MATCH):
            records_out = [
                match_record(match)
                for each, some in zip(embedded, hits, strict=True)
                for match in listed(self._encoder, each, self._list(each, some), self._now)
            ]
        with self._timed(Stage.PUBLISH):
            await self._publisher.publish(records_out)

    def _list(self, embedded: Embedded, hits: Sequence[Hit]) -> list[Choice]:
        found = compatible_hits(embedded.entity, hits, self._now)
        return chosen(self._encoder, embedded.certainty, embedded.told, found, self._policy)[:TOP_K]

    @contextmanager
    def _timed(self, stage: Stage) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - started


async def alone(stack: Stack, encoder: Encoder, entities: Sequence[Entity]) -> dict[Stage, float]:
    """Events/s of each stage."""
    index = QdrantEdge(stack.edge_socket, encoder.version, encoder.dims)
    sender = producer(stack.settings)
    await sender.start()
    stages = Stages(encoder, index, sender)
    try:
        for side, contract in ((Side.VACANCY, Vacancy), (Side.CANDIDATE, Candidate)):
            of_side = [entity for entity in entities if isinstance(entity, contract)]
            for start in range(0, len(of_side), BATCH):
                await stages.run(side, of_side[start : start + BATCH])
    finally:
        await sender.stop()
        await index.close()
    return {stage: len(entities) / taken for stage, taken in stages.seconds.items()}

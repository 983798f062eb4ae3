"""Make the parts of a worker from settings, encoder and clients."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rolecall.encoder.model import Encoder
from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import FEEDBACK, OCCUPATIONS, RULES, SIDE_OF
from rolecall.streams.events.receive import receive_definitions, receive_feedback
from rolecall.streams.events.record import Record
from rolecall.streams.index.port import Index
from rolecall.streams.matching.policy import Policy
from rolecall.streams.monitor.logs import log_batch, log_lookups
from rolecall.streams.monitor.metrics import Metrics
from rolecall.streams.retry import patiently
from rolecall.streams.rollout.rehearsal import Rehearsing
from rolecall.streams.settings import Settings
from rolecall.streams.worker.batch import BatchRunner
from rolecall.streams.worker.embedding_cache import Cache
from rolecall.streams.worker.exclusion_rules import ExclusionRules
from rolecall.streams.worker.faust.agents import Acknowledge
from rolecall.streams.worker.intact import Intact
from rolecall.streams.worker.lookups import LookupRunner
from rolecall.streams.worker.occupations import Occupations
from rolecall.streams.worker.placement import Placement
from rolecall.streams.worker.turned_down import TurnedDownPairs


@dataclass(frozen=True, slots=True)
class Runners:
    """The runner of each input topic. A runner brings records to their effect."""

    entities: BatchRunner
    lookups: Mapping[str, LookupRunner[Any]]  # by topic


@dataclass(frozen=True, slots=True)
class Batches:
    """What happens to a batch around its runner: marks, ack, metrics and log."""

    runners: Runners
    metrics: Metrics
    placement: Placement
    intact: Intact
    retry_seconds: float

    async def run(self, topic: str, records: Sequence[Record], acknowledge: Acknowledge) -> None:
        """Acknowledges once every effect is confirmed. Then counts and logs."""
        started = time.perf_counter()
        if topic in SIDE_OF:
            self.metrics.misplaced(topic, self.placement.check(topic, records))
            tally = await self.runners.entities.run(SIDE_OF[topic], records)
            with tally.timed(Stage.ACK):
                await self._mark(records)
                await acknowledge()
            self.metrics.entities(topic, tally, time.perf_counter() - started)
            log_batch(tally)
        else:
            counts = await self.runners.lookups[topic].run(records)
            await self._mark(records)
            await acknowledge()
            self.metrics.lookups(topic, counts, time.perf_counter() - started)
            log_lookups(topic, counts)

    async def _mark(self, records: Sequence[Record]) -> None:
        await patiently(partial(self.intact.applied, records), Stage.ACK, self.retry_seconds)


def runners(
    settings: Settings,
    policy: Policy,
    encoder: Encoder,
    index: Index,
    cache: Cache | None,
    publisher: Rehearsing,
) -> Runners:
    limits = settings.limits()
    entities = BatchRunner(
        encoder=encoder,
        index=index,
        cache=cache,
        publisher=publisher,
        policy=policy,
        limits=limits,
        retry_seconds=settings.retry_seconds,
        max_poison_in_a_row=settings.max_poison_in_a_row,
        rehearses=lambda: publisher.silent,
    )
    lookup = partial(
        LookupRunner,
        publisher=publisher,
        limits=limits,
        retry_seconds=settings.retry_seconds,
        max_poison_in_a_row=settings.max_poison_in_a_row,
    )
    rules = ExclusionRules(encoder, index, entities.lists)
    verdicts = TurnedDownPairs(encoder, index, entities.lists)
    return Runners(
        entities,
        {
            RULES.name: lookup(partial(receive_definitions, ExclusionRule), rules.apply),
            OCCUPATIONS.name: lookup(
                partial(receive_definitions, Occupation), Occupations(encoder, index).apply
            ),
            FEEDBACK.name: lookup(receive_feedback, verdicts.apply),
        },
    )

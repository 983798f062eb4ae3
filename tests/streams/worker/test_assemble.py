"""What happens to a batch around its runner. Each step must be confirmed before the next one."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rolecall.schemas.match import Side
from rolecall.schemas.topics import INPUTS, VACANCIES
from rolecall.streams.errors import GaveUp, IndexUnavailable
from rolecall.streams.monitor.tally import LookupTally, Tally
from rolecall.streams.worker.assemble import Batches, Runners
from rolecall.streams.worker.placement import Placement

TOPICS = [topic.name for topic in INPUTS]


class Steps:
    """Everything that a batch needs. It notes what is called, and fails where it is told to."""

    def __init__(self):
        self.seen = []
        self.misplaced = {}
        self.fails = {}
        entities = SimpleNamespace(run=self.run_entities)
        lookups = {
            name: SimpleNamespace(run=self.runner(name)) for name in ("rules", "occupations", "feedback")
        }
        placement = Placement()
        placement.partitions = dict.fromkeys(TOPICS, 4)
        metrics = SimpleNamespace(
            misplaced=self.misplaced.__setitem__,
            entities=lambda topic, tally, seconds: self.seen.append("counted"),
            lookups=lambda topic, tally, seconds: self.seen.append("counted"),
        )
        intact = SimpleNamespace(applied=self.applied)
        self.batches = Batches(Runners(entities, lookups), metrics, placement, intact, 0)

    def step(self, name):
        self.seen.append(name)
        if name in self.fails:
            raise self.fails[name]

    async def run_entities(self, side, records):
        self.step(f"run {side}")
        return Tally(side, len(records))

    def runner(self, name):
        async def run(records):
            self.step(f"run {name}")
            return LookupTally(len(records))

        return run

    async def applied(self, records):
        self.step("marked")

    async def acknowledge(self):
        self.step("acknowledged")

    def run(self, topic, records):
        asyncio.run(self.batches.run(topic, records, self.acknowledge))


RUN = {
    "vacancies": f"run {Side.VACANCY}",
    "candidates": f"run {Side.CANDIDATE}",
    "rules": "run rules",
    "occupations": "run occupations",
    "feedback": "run feedback",
}


@pytest.fixture
def steps():
    return Steps()


@pytest.fixture
def record(make):
    return make.raw(b"{}", b"v1")


@pytest.mark.parametrize("topic", TOPICS)
def test_effects_come_before_the_mark_and_the_mark_before_the_ack(steps, record, topic):
    """Acked before it is marked, an older copy of the index would look as if it were complete."""
    steps.run(topic, [record])
    assert steps.seen == [RUN[topic], "marked", "acknowledged", "counted"]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_batch_without_its_effects_is_neither_marked_nor_acknowledged(steps, record, topic):
    steps.fails[RUN[topic]] = GaveUp("no effect")
    with pytest.raises(GaveUp):
        steps.run(topic, [record])
    assert steps.seen == [RUN[topic]]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_batch_that_cannot_be_marked_is_not_acknowledged(steps, record, topic):
    steps.fails["marked"] = IndexUnavailable("away")
    with pytest.raises(GaveUp):
        steps.run(topic, [record])
    assert "acknowledged" not in steps.seen


def test_records_in_another_partition_than_that_of_their_key_are_counted(steps, make):
    """murmur2 of "foobar" is -790332482; without the sign, modulo 4: 2."""
    records = [replace(make.raw(b"{}", b"foobar"), partition=partition) for partition in range(4)]
    steps.run(VACANCIES.name, records)
    assert steps.misplaced == {"vacancies": 3}

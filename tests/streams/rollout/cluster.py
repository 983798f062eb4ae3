"""A broker, an index and a clock for the steps of a rollout."""

import asyncio
from types import SimpleNamespace

from rolecall.schemas.match import Side
from rolecall.schemas.rollout import Rollout
from rolecall.schemas.topics import INPUTS, ROLLOUTS
from rolecall.streams.rollout import steps, switch
from tests.streams.fakes import SharedTopic

FOUNDED = steps.founded("blue")
STARTED = steps.started(FOUNDED, "green")
PROMOTED = steps.promoted(STARTED)
SWAPPED = steps.swapped(PROMOTED)
LEAVING = steps.leaving(SWAPPED)


def roles(rollout):
    there = {name: getattr(rollout, name) for name in ("live", "standby", "next", "leaving")}
    return " ".join(f"{name}={each.model_version}" for name, each in there.items() if each)


class Index:
    """The counts of one deployment's collections; None where there is no collection."""

    def __init__(self, name, counts, did):
        self.name, self.counts, self.did = name, counts, did

    async def missing(self):
        return [side for side in Side if self.counts.get(side) is None]

    async def count(self, side):
        return self.counts[side]

    async def drop(self):
        self.did.append(f"drop index {self.name}")

    async def close(self):
        self.did.append(f"close {self.name}")


def answer(answers):
    """One after the other; the last one for ever."""
    return answers.pop(0) if len(answers) > 1 else answers[0]


class Cluster:
    """The broker and the clock of a rollout. `did` lists what happened, in order."""

    def __init__(self, rollout):
        self.did, self.said = [], []
        self.rollouts = SharedTopic(rollout)
        self.clock = 0.0
        self.members = {"rolecall": [0], "rolecall-g1": [1]}
        self.left = [0]  # before the fence
        self.reading_takes = [0.0]
        self.held = {"matches": [], "matches-g1": []}
        self.published = []
        self.sleeps_for_real = False
        self.points = {}
        settings = SimpleNamespace(consumer_group="rolecall", stop_seconds=5, model="MODEL", inputs=INPUTS)
        self.session = switch.RolloutSession(settings, self.rollouts.reader(), self)

    async def publish(self, records):
        for record in records:
            if record.topic == ROLLOUTS.name:
                self.did.append(roles(Rollout.model_validate_json(record.value)))
                await self.rollouts.publish([record])
            else:
                self.published.append(record)
        if records and records[0].topic != ROLLOUTS.name:
            self.did.append(f"publish {len(records)}")

    async def members_of(self, settings, group):
        return answer(self.members[group])

    async def lag(self, settings, group, topics):
        return self.left[0]

    async def fence(self, settings, group):
        self.did.append(f"fence {group}")
        return {("vacancies", 0): 7}

    async def missing(self, settings, group, ends):
        assert ends == {("vacancies", 0): 7}
        left = answer(self.left)
        if not left:
            self.clock += answer(self.reading_takes)
            self.did.append(f"reached {group}")
        return left

    async def read(self, settings, topic):
        self.did.append(f"read {topic}")
        for record in self.held[topic]:
            yield record

    async def create(self, settings, topic):
        self.did.append(f"create {topic}")

    async def delete(self, settings, topic):
        self.did.append(f"delete {topic}")

    def index(self, settings, name, dims):
        return Index(name, self.points.get(name, {}), self.did)

    async def sleep(self, seconds):
        self.clock += seconds
        if self.sleeps_for_real:
            await asyncio.sleep(seconds)

    def newest(self):
        return roles(Rollout.model_validate_json(self.rollouts.records[-1].value))

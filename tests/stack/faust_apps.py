"""Small Faust apps, each on a topic of its own. They record the events that they finished and the commits.

    python tests/stack/faust_apps.py

Prints one JSON object, by app. It runs in a process of its own, because these apps crash and hang on purpose.
"""

import asyncio
import json
import logging
import os
import signal
import tempfile

import faust
import mode
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from rolecall.streams.embedded.stack import embedded_broker, free_port

BATCH, EVENTS = 10, 100
FAILS_AT = 40  # the batch with this event fails, once
SECONDS = 60.0
SLOW_SECONDS = 6.0  # longer than session and rebalance take
DATA = tempfile.TemporaryDirectory()


class Experiment:
    """One app. `seen` has the offsets that its agent finished."""

    def __init__(self, broker, name, agent, *, supervisor=mode.CrashingSupervisor, value_type=bytes, **conf):
        self.broker, self.name = broker, name
        self.seen, self.failed, self.kept = [], False, None
        self.started = self.assigned = 0
        self.app = faust.App(
            name,
            broker=f"kafka://{broker}",
            store="memory://",
            datadir=DATA.name,
            autodiscover=False,
            web_enabled=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            agent_supervisor=supervisor,
            broker_session_timeout=3,
            broker_heartbeat_interval=0.5,
            broker_rebalance_timeout=3,
            broker_commit_interval=0.2,
            **{"stream_wait_empty": False, **conf},
        )
        topic = self.app.topic(
            name, value_type=value_type, value_serializer="json" if value_type is int else "raw"
        )
        self.app.agent(topic, name=name, concurrency=1)(lambda stream: self._start(agent, stream))
        self.app.on_partitions_assigned.connect(self._count, weak=False)

    def _start(self, agent, stream):
        self.started += 1
        return agent(self, stream)

    async def _count(self, *_, **__):
        self.assigned += 1

    def work(self, offsets):
        if not self.failed and FAILS_AT in offsets:
            self.failed = True
            raise RuntimeError(self.name)
        self.seen += offsets

    async def run(self, until, commits=0):
        """commits: wait until this offset is committed."""
        await self.app.start()
        async with asyncio.timeout(SECONDS):
            # The app has no event to wait for, so poll.
            while not until(self) or await self._committed() < commits:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await asyncio.sleep(1)  # five commits
        _, hangs = await asyncio.wait([asyncio.create_task(self.app.stop())], timeout=3)
        committed = await self._committed()
        return {
            "ended": len(self.seen),
            "lost": len(set(range(committed)) - set(self.seen)),
            "again": FAILS_AT in self.seen,  # whether the batch that failed came again
            "started": self.started,
            "assigned": self.assigned,
            "stop_hangs": bool(hangs),
        }

    async def _committed(self):
        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
        await admin.start()
        try:
            here = TopicPartition(self.name, 0)
            return max(
                (await admin.list_consumer_group_offsets(self.name, partitions=[here]))[here].offset, 0
            )
        finally:
            await admin.close()


async def take(self, stream):
    async for values in stream.take(BATCH, within=0.1):
        self.work([int(value) for value in values])


async def noack_noack_take(self, stream):
    await bare_noack_take(self, stream.noack())


async def bare_noack_take(self, stream):
    async for events in stream.noack_take(BATCH, within=0.1):
        self.work([event.message.offset for event in events])
        for event in events:
            await stream.ack(event)


async def slow(self, stream):
    stream = stream.noack()
    async for events in stream.noack_take(EVENTS, within=0.5):
        await asyncio.sleep(SLOW_SECONDS)
        self.seen += [event.message.offset for event in events]
        for event in events:
            await stream.ack(event)


async def never_acks(self, stream):
    async for event in stream.noack().events():
        self.kept = event
        await asyncio.Event().wait()


async def decodes(self, stream):
    async for event in stream.events():
        self.seen.append(event.message.offset)


async def sends(broker, process):
    """Which calls report that a stopped broker did not take a record."""
    app = faust.App("sends", broker=f"kafka://{broker}", store="memory://", producer_request_timeout=1)
    await app.producer.start()
    topic = app.topic("sends", value_type=bytes, value_serializer="raw")
    await topic.send(value=b"taken")
    process.send_signal(signal.SIGSTOP)
    try:
        sent = await topic.send(value=b"lost")
        return {
            "flush": await heard(app.producer.flush()),
            "future": await heard(sent),
        }
    finally:
        process.send_signal(signal.SIGCONT)


async def heard(waiting):
    """The result or error of `waiting` within some seconds."""
    done, _ = await asyncio.wait([asyncio.ensure_future(waiting)], timeout=6)
    errors = [type(error).__name__ for each in done if (error := each.exception())]
    return errors[0] if errors else "nothing" if done else "no end"


async def publish(broker, names):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        for name in names:
            for number in range(EVENTS):
                value = b"{" if name == "decodes" and number == FAILS_AT else b"%d" % number
                await producer.send(name, value)
        await producer.flush()


async def main(broker, process):
    logging.disable(logging.CRITICAL)

    def failed(each):
        return each.failed

    def restarted(each):
        return each.failed and each.started > 1

    def at_the_end(each):
        return EVENTS - 1 in each.seen

    def taken(each):
        return each.kept is not None

    one_for_one = {"supervisor": mode.OneForOneSupervisor}
    experiments = [
        (Experiment(broker, "take", take, **one_for_one), failed, FAILS_AT + 1),
        (Experiment(broker, "noack_noack_take", noack_noack_take), failed),
        (Experiment(broker, "restarted", noack_noack_take, **one_for_one), restarted),
        (Experiment(broker, "slow", slow), at_the_end),
        (
            Experiment(broker, "never_acks", never_acks, stream_wait_empty=True),
            taken,
        ),
        (Experiment(broker, "never_acks_nor_waits", never_acks), taken),
        (
            Experiment(broker, "decodes", decodes, value_type=int),
            lambda each: FAILS_AT - 1 in each.seen,
            FAILS_AT + 1,
        ),
    ]
    await publish(broker, [*(each.name for each, *_ in experiments), "sends"])

    outcomes = await asyncio.gather(*(each.run(*until) for each, *until in experiments))
    found = {each.name: outcome for (each, *_), outcome in zip(experiments, outcomes, strict=True)}
    found["sends"] = await sends(broker, process)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    address = f"127.0.0.1:{free_port()}"
    with embedded_broker(address) as process:
        asyncio.run(main(address, process))
        process.kill()
        DATA.cleanup()
        os._exit(0)  # one of the apps hangs on purpose

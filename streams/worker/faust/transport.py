"""Faust's Kafka transport, extended: it reads committed records only, and commits past compacted offsets.

How long the broker may hold an empty fetch: Faust fixes it at 1.5 s. Kafka answers as soon as there is a
record, whatever the wait; the embedded broker looks for records only twice per wait, so that an event would
lie there for up to 750 ms.

What is committed: the lowest offset that is not acked, or else how far the consumer has come. Faust commits
runs of neighbouring offsets instead: it stops for good where compaction has left a gap, never passes the
marker of a transaction, and passes events that are acked out of order (#606).
"""

import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import faust
import structlog
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.streams.kafka.lag import Progress

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fetch:
    """The records that one fetch took from the client, and the client's positions after it."""

    taken: Mapping[TP, tuple[int, int]]  # first and last offset
    positions: Mapping[TP, int]
    resets: int  # number of resets before it; after a later reset, its records are fetched again


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.transport.fetch_max_wait_ms
        consumer._isolation_level = "read_committed"
        return consumer

    async def _fetch_records(self, consumer: Any, *arguments: Any, **named: Any) -> Any:
        """Notes each fetch before the client's loop can run anything else."""
        records = await super()._fetch_records(consumer, *arguments, **named)
        taken = {TP(*tp): (some[0].offset, some[-1].offset) for tp, some in records.items()}
        self.consumer.fetches.append(Fetch(taken, positions(consumer), self.consumer.resets))
        return records

    async def seek_to_committed(self) -> Mapping[TP, int]:
        found: Mapping[TP, int] = await self.call_thread(self._seek_to_committed)
        return found

    async def _seek_to_committed(self) -> Mapping[TP, int | None]:
        """Seeks in all partitions without a pause. aiokafka seeks one after the other, and skips a partition
        without a commit. Records that are fetched meanwhile would be lost there."""
        consumer = self._ensure_consumer()
        committed = {TP(*tp): await consumer.committed(tp) for tp in consumer.assignment()}
        self._seek_now(consumer, {tp: offset or 0 for tp, offset in committed.items()})
        return committed

    async def seek_again(self, offsets: dict[TP, int], resets: int) -> None:
        """Seek to the records that were not delivered, unless there was a reset since."""
        if resets == self.consumer.resets:
            for tp, offset in self.consumer._account().items():  # a fetch may have ended just now
                offsets.setdefault(tp, offset)
            self._seek_now(self._ensure_consumer(), offsets)

    def _seek_now(self, consumer: Any, offsets: Mapping[TP, int]) -> None:
        for tp in consumer.assignment() & offsets.keys():
            consumer.seek(tp, offsets[TP(*tp)])
        self.consumer.resets += 1


class _Consumer(driver.Consumer):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.fetches: deque[Fetch] = deque()  # filled by the client's thread
        self._waiting: defaultdict[TP, set[int]] = defaultdict(set)  # delivered and not acked
        self._passed: dict[TP, int] = {}  # everything before it was delivered
        self.resets = 0  # changed by the client's thread
        super().__init__(*arguments, **named)

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109
        """Deliver one fetch, unless records of another one have to be fetched again first.

        Faust may cancel the task that waits for a fetch: then its records reach nobody. Or a rebalance may
        set the client back to the committed offsets during a fetch. In both cases Faust would deliver the
        next fetch all the same, and its acks would commit records that nobody has processed. So a fetch is
        delivered only if it continues the one before it. What is not delivered, the next call fetches again.
        """
        if self.flow_active:
            await self._fetch_again()
        async with aclosing(super().getmany(timeout)) as fetched:
            async for tp, message in fetched:
                if len(self.fetches) != 1 or self.fetches[0].resets != self.resets:
                    return
                self._deliver(tp, message.offset)
                yield tp, message

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self._passed.clear()

    async def _fetch_again(self) -> None:
        """Fetch again the records that were fetched and not delivered."""
        resets = self.resets
        if again := self._account():
            for tp, offset in again.items():
                log.warning("fetch_dropped", topic=tp.topic, partition=tp.partition, again_from=offset)
            await self._thread.call_thread(self._thread.seek_again, again, resets)

    def _account(self) -> dict[TP, int]:
        """Move `_passed` over what was fetched and delivered. Returns, for partitions with records that were
        fetched and not delivered, the offset to fetch again from.

        A fetch is not delivered if Faust cancels the task that waits for it, or has lost its partition.
        """
        again: dict[TP, int] = {}
        while self.fetches:
            fetch = self.fetches.popleft()
            if fetch.resets != self.resets:
                continue
            for tp, (first, last) in fetch.taken.items():
                if self._passed.get(tp, 0) <= last:
                    again.setdefault(tp, max(first, self._passed.get(tp, 0)))
            self._passed |= {tp: position for tp, position in fetch.positions.items() if tp not in again}
        return again

    def _deliver(self, tp: TP, offset: int) -> None:
        """Note that the event waits for its ack. Faust's `track_message` would be too late: messages may wait
        in a queue for long before a stream takes them, and streams do not call it."""
        self._waiting[tp].add(offset)
        self._passed[tp] = offset + 1

    def ack(self, message: Any) -> bool:
        acked: bool = super().ack(message)
        self._waiting[message.tp].discard(message.offset)
        return acked

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._forget()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._forget()
        await super().on_partitions_assigned(assigned, generation_id)

    def _forget(self) -> None:
        """Every rebalance takes all partitions away and starts again at the committed offsets."""
        self._waiting.clear()
        self._passed.clear()
        self.fetches.clear()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Does nothing: gaps need not be recorded."""

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        every = {*self._waiting, *self._passed}
        return (tp for tp in every if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()  # Faust's own record of acks: it would grow without limit
        self._acked_index[tp].clear()
        waiting = self._waiting[tp]
        return min(waiting) if waiting else self._passed.get(tp)

    def _should_commit(self, tp: TP, offset: int) -> bool:
        """Also commit lower offsets: a topic that was made again begins at 0, below the committed offset."""
        return bool(offset != self._committed_offset[tp])


class Transport(driver.Transport):
    Consumer = _Consumer

    def __init__(self, app: faust.App, *, fetch_max_wait_ms: int) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.fetch_max_wait_ms = fetch_max_wait_ms


def credentials(settings: BrokerSettings) -> Any:
    """TLS and login of `BrokerSettings.client` in the form that Faust takes; None: neither."""
    context = settings.tls()
    if settings.broker_sasl == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=settings.tokens(), ssl_context=context)
    if settings.broker_sasl and settings.broker_password:
        return faust.SASLCredentials(
            username=settings.broker_username,
            password=settings.broker_password.get_secret_value(),
            mechanism=settings.broker_sasl,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def progress(app: faust.App) -> Progress:
    """Progress of a started app. Any thread may call it. Lag counts from the last commit to the end of the
    partition as of the last fetch."""
    consumer = app.consumer
    client = consumer._thread._ensure_consumer()
    states = _states(client)
    lag = {
        (tp.topic, tp.partition): None
        if state.highwater is None
        else max(0, _end(state) - (consumer._committed_offset.get(tp) or 0))
        for tp, state in states.items()
    }
    unacked = sum(map(len, list(consumer._waiting.values())))
    # Silence counts only if no event waits for its ack: otherwise Faust pauses fetching.
    oldest = min((state.timestamp for state in states.values() if state.timestamp), default=None)
    silent = 0.0 if unacked or oldest is None else time.time() - oldest / 1000
    return Progress(lag, unacked, joined=_joined(client), silent_seconds=silent)


def positions(consumer: Any) -> dict[TP, int]:
    """How far the assigned partitions were read: also past markers of transactions and what was compacted."""
    states = _states(consumer)
    return {TP(*tp): state._position for tp, state in states.items() if state._position is not None}


def _joined(consumer: Any) -> bool:
    subscription = consumer._subscription.subscription
    return bool(subscription and subscription.assignment and subscription.assignment.active)


def _states(consumer: Any) -> dict[Any, Any]:
    """One snapshot: the consumer's own methods refuse a partition that is taken away meanwhile."""
    subscription = consumer._subscription.subscription
    assignment = subscription and subscription.assignment
    tps = assignment.tps if assignment and assignment.active else ()
    return {tp: assignment.state_value(tp) for tp in tps}


def _end(state: Any) -> int:
    """The last stable offset: an open transaction is no lag."""
    lso, end = state.lso, int(state.highwater)
    return end if lso is None or lso < 0 else min(end, int(lso))

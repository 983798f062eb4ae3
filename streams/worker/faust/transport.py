"""Faust's Kafka transport with one more setting and one more guard.

How long the broker may hold an empty fetch: Faust fixes it at 1.5 s. Kafka answers as soon as there is a
record, whatever the wait; the embedded broker looks for records only twice per wait, so that an event would
lie there for up to 750 ms.

No commit past a message that is not acked: Faust makes one where messages are acked out of order (#606).
"""

from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.streams.kafka.lag import Progress


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.transport.fetch_max_wait_ms
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    def _new_offset(self, tp: TP) -> int | None:
        waiting = [each.offset for each in self._unacked_messages if each.tp == tp and not each.acked]
        if not waiting:
            return super()._new_offset(tp)  # type: ignore[no-any-return]
        # What was acked behind it stays for a later commit.
        acked, first = self._acked[tp], min(waiting)
        behind = [offset for offset in acked if offset > first]
        acked[:] = [offset for offset in acked if offset < first]
        offset: int | None = super()._new_offset(tp)
        acked += behind
        return offset


class Transport(driver.Transport):
    Consumer = _Consumer

    def __init__(self, app: faust.App, *, fetch_max_wait_ms: int) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.fetch_max_wait_ms = fetch_max_wait_ms


def credentials(settings: BrokerSettings) -> Any:
    """What `BrokerSettings.client` says of TLS and login, as Faust takes it; None: neither."""
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
    """Of a started app, from any thread. Lag goes from the last commit to the end that the last fetch saw."""
    consumer = app.consumer
    # One snapshot: the consumer's own methods refuse a partition that is taken away meanwhile.
    subscription = consumer._thread._ensure_consumer()._subscription.subscription
    assignment = subscription and subscription.assignment
    tps = assignment.tps if assignment and assignment.active else ()
    ends = {tp: assignment.state_value(tp).highwater for tp in tps}
    lag = {
        (tp.topic, tp.partition): None
        if end is None
        else max(0, end - (consumer._committed_offset.get(tp) or 0))
        for tp, end in ends.items()
    }
    return Progress(lag, len(consumer.unacked))

"""Faust's Kafka transport with one more setting: how long the broker may hold an empty fetch.

Faust fixes it at 1.5 s. Kafka answers as soon as there is a record, whatever the wait; the embedded broker
looks for records only twice per wait, so that an event would lie there for up to 750 ms.
"""

from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.transport.fetch_max_wait_ms
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    Consumer = _Consumer

    def __init__(self, app: faust.App, *, fetch_max_wait_ms: int) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.fetch_max_wait_ms = fetch_max_wait_ms

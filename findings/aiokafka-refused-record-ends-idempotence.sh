#!/usr/bin/env bash
# aiokafka: after one refused record an idempotent producer can send nothing more to that partition.
#
# Expected: A record dated two hours ahead is refused (InvalidTimestampError: Kafka 4 takes one hour). The
#   next record, with a good date, is delivered.
# Seen: The refused batch keeps the sequence number that it was given. The broker never saw that number, so
#   it refuses every later batch of this producer to this partition (OutOfOrderSequenceNumber). Other
#   partitions and a new producer work.
# Source: Kafka topic configuration "message.timestamp.after.max.ms" (KIP-937); KIP-360 (the Java producer
#   raises its epoch and goes on); aiokafka issue #1017, open (the same error after an outage).
# rolecall: docs/operations.md, "Known gaps on Apache Kafka". Its records carry the time of sending, so few
#   are refused. A worker ends when the retries of a delivery are used up, and its restart makes a new
#   producer.
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
timeout 120 "$python" - "127.0.0.1:$port" <<'EOF'
import asyncio
import logging
import sys
import time
from importlib.metadata import version

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

TWO_HOURS_MS = 2 * 3600 * 1000
logging.disable(logging.CRITICAL)


async def outcome(producer, topic, timestamp_ms=None):
    try:
        sent = await producer.send_and_wait(topic, b"value", timestamp_ms=timestamp_ms)
    except KafkaError as error:
        return type(error).__name__
    return f"delivered at offset {sent.offset}"


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=sys.argv[1])
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1), NewTopic("others", 1, 1)])
    await admin.close()
    now = int(time.time() * 1000)
    async with AIOKafkaProducer(bootstrap_servers=sys.argv[1], enable_idempotence=True) as producer:
        first = await outcome(producer, "events", now)
        ahead = await outcome(producer, "events", now + TWO_HOURS_MS)
        later = [await outcome(producer, "events", now) for _ in range(3)]
        other = await outcome(producer, "others", now)
    async with AIOKafkaProducer(bootstrap_servers=sys.argv[1], enable_idempotence=True) as producer:
        anew = await outcome(producer, "events", now)

    print(f"aiokafka {version('aiokafka')}")
    print(f"first record: {first}")
    print(f"record dated two hours ahead: {ahead}")
    print(f"three good records after it: {later}")
    print(f"a record to another topic: {other}")
    print(f"a record from a new producer: {anew}")
    if set(later) != {"OutOfOrderSequenceNumber"}:
        sys.exit("CHANGED: the producer goes on after a refused record")


asyncio.run(main())
EOF

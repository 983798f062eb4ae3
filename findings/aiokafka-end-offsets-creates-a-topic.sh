#!/usr/bin/env bash
# aiokafka: asking for the end offsets of a topic that does not exist creates it.
#
# Expected: A question changes nothing: end_offsets() of an unknown topic raises.
# Seen: The metadata request behind it lets the broker create the topic (auto.create.topics.enable is true
#   by default). The answer is offset 0, as for an empty topic, and a typing mistake leaves a topic with
#   default settings, without compaction.
# Source: reference of aiokafka.AIOKafkaConsumer.end_offsets; Kafka broker configuration
#   "auto.create.topics.enable"; the Java consumer has allow.auto.create.topics since KIP-361, aiokafka has
#   no such option.
# rolecall: docs/operations.md, "A broker of your own": turn off auto.create.topics.enable. It asks the
#   broker for its list of topics before it reads one.
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
from importlib.metadata import version

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

logging.disable(logging.CRITICAL)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=sys.argv[1])
    await admin.start()
    before = await admin.list_topics()
    async with AIOKafkaConsumer(bootstrap_servers=sys.argv[1]) as consumer:
        ends = await consumer.end_offsets([TopicPartition("vacancys", 0)])
    after = await admin.list_topics()
    await admin.close()

    print(f"aiokafka {version('aiokafka')}")
    print(f"topics before: {before}")
    print(f"end_offsets: {list(ends.values())}")
    print(f"topics after: {after}")
    if after != ["vacancys"]:
        sys.exit("CHANGED: the question creates no topic")


asyncio.run(main())
EOF

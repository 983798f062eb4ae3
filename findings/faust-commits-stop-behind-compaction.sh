#!/usr/bin/env bash
# Faust: where compaction leaves a gap behind offset 0, nothing is committed any more.
#
# Expected: Offsets of a compacted topic have gaps. A consumer commits the offset behind the last record
#   that it processed, and its lag becomes 0.
# Seen: Faust looks for gaps with `if gap > 1 and r_offset`, and offset 0 counts as false. The records 0 and
#   5 are processed, 1 to 4 do not exist, and the committed offset stays 1 for as long as the process runs.
#   After a restart it processes everything again.
# Source: Kafka documentation, "Log compaction" (offsets are never reassigned, consumers skip what is gone);
#   faust-streaming issue #378 (closed; the same symptom for every gap).
# rolecall: docs/operations.md, "Known gaps on Apache Kafka". Its topics are compacted, and its worker
#   inherits this arithmetic from Faust (streams/worker/faust/transport.py). Replaying events again changes
#   nothing, but such a group never reports a lag of 0.
set -euo pipefail
: "${KAFKA_HOME:?set it to the folder of an Apache Kafka 4 distribution (needs Java 17)}"

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    faust-streaming==0.15.3 mode-streaming==0.7.1 aiokafka==0.14.0 click==8.3.3
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
timeout 240 "$python" - "127.0.0.1:$port" <<'EOF'
import asyncio
import logging
import sys
from importlib.metadata import version

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BROKER, HERE = sys.argv[1], TopicPartition("events", 0)
COMPACTED = {
    "cleanup.policy": "compact",
    "segment.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "1000",
}
logging.disable(logging.CRITICAL)


async def offsets():
    """Of the records that exist."""
    async with AIOKafkaConsumer(bootstrap_servers=BROKER) as consumer:
        consumer.assign([HERE])
        await consumer.seek_to_beginning(HERE)
        last = (await consumer.end_offsets([HERE]))[HERE] - 1
        found = [(await consumer.getone()).offset]
        while found[-1] < last:
            found.append((await consumer.getone()).offset)
        return found


async def compacted_topic(admin):
    """Records 0 (key a), 1 to 5 (key b) and later ones, once the older records of key b are gone."""
    await admin.create_topics([NewTopic("events", 1, 1, topic_configs=COMPACTED)])
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        for key in (b"a", b"b", b"b", b"b", b"b", b"b"):
            await producer.send_and_wait("events", b"value", key=key)
        while 1 in await offsets():
            await asyncio.sleep(0.5)  # compaction tells nobody when it is done
            await producer.send_and_wait("events", b"value", key=b"c")  # a later record closes the segment
    return await offsets()


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    exist = await compacted_topic(admin)

    app = faust.App(
        "group",
        broker=f"kafka://{BROKER}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        broker_session_timeout=6,
        broker_heartbeat_interval=0.5,
    )
    topic = app.topic("events", value_type=bytes, value_serializer="raw")
    processed, end = [], asyncio.Event()

    @app.agent(topic)
    async def work(stream):
        async for event in stream.events():
            processed.append(event.message.offset)
            if event.message.offset == exist[-1]:
                end.set()

    await app.start()
    await end.wait()
    await app.stop()  # commits what is acknowledged
    committed = (await admin.list_consumer_group_offsets("group", partitions=[HERE]))[HERE].offset
    await admin.close()

    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming", "aiokafka")))
    print(f"offsets in the topic: {exist}")
    print(f"processed and acknowledged: {processed}")
    print(f"committed offset: {committed}")
    if committed != 1:
        sys.exit("CHANGED: the gap behind offset 0 does not stop the commits")


asyncio.run(main())
EOF

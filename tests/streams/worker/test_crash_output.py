"""Everything that a crashing worker prints is read: no text of an entity and no secret is in it."""

import os
import subprocess
import sys

import pytest

MARK, SECRET = "Wombat-of-Numbat-street", "hunter2-of-the-broker"
PRELUDE = f"""
import asyncio, json, logging, os, threading
import structlog
from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexUnavailable
from rolecall.streams.monitor.logs import configure
from rolecall.streams.monitor.health import Health
from rolecall.streams.settings import Settings
from rolecall.streams.worker import serve
from tests.streams.conftest import Make, World

configure(os.environ["FORM"], "debug")
MARK = {MARK!r}
settings = Settings()
make, world = Make(), World(retry_seconds=0.1)
record = make.candidate("c1", title=MARK, summary=MARK, skills=[MARK])
"""
CRASHES = {
    "poison of the encoder": """
def choke(documents):
    raise ValueError(f"cannot encode {documents}")
world.encoder.encode = choke
asyncio.run(world.candidates(record))
print(len(world.dead_letters), "dead letter")
raise SystemExit(1)
""",
    "a stage that fails for good": """
async def refuse(records):
    text = json.loads(record.value)
    raise KeyError(f"no {text} in {records} for {settings.broker_password.get_secret_value()}")
world.publisher.publish = refuse
class Ready:
    async def run(self, topic, records, acknowledge):
        await world.candidates(*records)
asyncio.run(serve._handler(Ready(), Health(None))("candidates", [record], None))
""",
    "a task that nobody waits for": """
async def main():
    async def fail():
        text = record.value.decode()
        raise RuntimeError(text)
    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task
    await asyncio.sleep(0)
asyncio.run(main())
raise SystemExit(1)
""",
    "a thread": """
def fail():
    raise RuntimeError(record.value.decode())
thread = threading.Thread(target=fail)
thread.start(); thread.join()
raise SystemExit(1)
""",
    "nobody catches it": """
try:
    raise ValueError(record.value.decode())
except ValueError as error:
    raise RuntimeError(settings.broker_password.get_secret_value()) from error
""",
    "a library that logs": """
try:
    raise ValueError(record.value.decode())
except ValueError as error:
    logging.getLogger("faust.agents").exception("crashed with %r", error)
raise SystemExit(1)
""",
    "a library that logs the exception alone": """
logging.getLogger("faust.agents").error(ValueError(record.value.decode()))
raise SystemExit(1)
""",
}


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_prints_where_and_never_what(form: str, crash: str) -> None:
    environment = os.environ | {
        "FORM": form,
        "ROLECALL_BROKER_SASL": "PLAIN",
        "ROLECALL_BROKER_USERNAME": "worker",
        "ROLECALL_BROKER_PASSWORD": SECRET,
    }
    command = [sys.executable, "-c", PRELUDE + CRASHES[crash]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert any(word in printed for word in ("Error", "dead letter")), printed
    for private in (MARK, SECRET, MARK.lower()):
        assert private not in printed

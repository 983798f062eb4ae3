"""Code that quicktype generates from our JSON Schemas reads what we publish, today and after a later release.

`make test-generated` runs these. They install quicktype and the TypeScript compiler from the npm registry.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rolecall.schemas.asyncapi import HERE
from tests.schemas.test_golden import EVENTS, GOLDEN

pytestmark = [
    pytest.mark.skipif("ROLECALL_TEST_GENERATED" not in os.environ, reason="run `make test-generated`"),
    pytest.mark.timeout(300),
]

PACKAGES = "quicktype@23.3.25", "typescript@5.9.3"
SCHEMAS = sorted((HERE / "json").glob("*.json"))
READER = """
const { Convert } = require("./events.js");
for (const { type, event } of JSON.parse(require("fs").readFileSync(0, "utf8"))) {
    const written = `${type[0].toLowerCase()}${type.slice(1)}ToJson`;
    console.log(JSON.stringify(JSON.parse(Convert[written](Convert[`to${type}`](event)))));
}
"""
# The headers of a dead letter are bytes on the wire, not a JSON text.
BODIES = {name: type(event).__name__ for name, event in EVENTS.items() if not name.startswith("dead_letter")}


def run(*command: str | Path, cwd: Path, given: str | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text("{}")
    run("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES, cwd=folder)
    return folder


def generated(npm: Path, language: str, *options: str, to: str) -> None:
    quicktype = "node_modules/.bin/quicktype"
    run(quicktype, "--src-lang", "schema", "--lang", language, *options, "-o", to, *SCHEMAS, cwd=npm)


@pytest.fixture(scope="module")
def as_read(npm: Path):
    """The events as a program in TypeScript reads and writes them. It ends if a type does not fit."""
    generated(npm, "typescript", to="events.ts")
    run(
        *("node_modules/.bin/tsc", "--strict", "--target", "es2020", "--module", "commonjs", "events.ts"),
        cwd=npm,
    )

    def read(events: list[tuple[str, str]]) -> list[object]:
        given = json.dumps([{"type": kind, "event": event} for kind, event in events])
        return [json.loads(line) for line in run("node", "-e", READER, cwd=npm, given=given).splitlines()]

    return read


def of_today() -> list[tuple[str, str]]:
    return [(kind, GOLDEN[name].read_text(encoding="utf-8")) for name, kind in BODIES.items()]


def test_typescript_reads_every_event_of_today(as_read):
    events = of_today()
    ids = [json.loads(event).get("id") for _, event in events]
    assert [read.get("id") for read in as_read(events)] == ids


def test_typescript_reads_fields_that_a_later_release_adds(as_read):
    events = [(kind, json.dumps(json.loads(event) | {"added_later": [1]})) for kind, event in of_today()]
    assert all(read["added_later"] == [1] for read in as_read(events))


def test_typescript_reads_a_reason_that_a_later_release_adds(as_read):
    event = json.loads(GOLDEN["matches_withdrawn_full"].read_text(encoding="utf-8"))
    [read] = as_read([("MatchesWithdrawn", json.dumps(event | {"reason": "merged"}))])
    assert read["reason"] == "merged"


def test_maps_and_anchors_have_types(npm, as_read):
    source = (npm / "events.ts").read_text()
    assert "counterparts?: { [key: string]: number } | null;" in source
    assert "anchors:     Anchor[];" in source


def test_java_compiles(npm):
    if shutil.which("javac") is None:
        pytest.skip("there is no javac")
    (npm / "java").mkdir()
    generated(npm, "java", "--just-types", "--package", "events", to="java/Events.java")
    run("javac", "-Xlint:all", "-d", "classes", *sorted((npm / "java").glob("*.java")), cwd=npm)
    assert (npm / "classes" / "events" / "MatchesWithdrawn.class").exists()

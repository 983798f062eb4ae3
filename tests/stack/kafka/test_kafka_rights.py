"""The table of least rights in docs/operations.md is enough for each role, on Kafka's own authorizer."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from rolecall.streams.embedded.stack import free_port

pytestmark = pytest.mark.kafka("it has no authorizer")
DOC = Path(__file__).parents[3] / "docs" / "operations.md"
ROW = re.compile(r"\| (every role|worker|publisher|reader|trainer|operator) \| (\w+) \| (.*) \| (.*) \|")
ROLES = "worker", "publisher", "reader", "trainer", "operator"
# Kafka's AclOperation, ResourceType, PatternType and AclPermissionType.
OPERATION = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8, "DescribeConfigs": 10}
RESOURCE = {"topic": 2, "group": 3, "cluster": 4}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
PASSWORD = "only-for-this-test"
NOW = "2026-11-20T00:00:00Z"


def granted():
    """Role, resource type, pattern type, name and operation of every right in the table."""
    for role, resource, names, operations in ROW.findall(DOC.read_text()):
        for name in re.findall(r"`([^`]+)`", names):
            pattern = PREFIXED if name.endswith("*") else LITERAL
            for operation in operations.split(", "):
                for user in ROLES if role == "every role" else [role]:
                    yield user, RESOURCE[resource], pattern, name.rstrip("*"), OPERATION[operation]


async def grant(broker):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        for user, resource, pattern, name, operation in granted():
            asked = CreateAclsRequest(resource, name, pattern, f"User:{user}", "*", operation, ALLOW)
            answer = await admin._send_request(asked)
            assert not answer.creation_responses[0][0], answer
    finally:
        await admin.close()


@pytest.fixture(scope="module")
def logins(kit):
    return kit.logins(f"127.0.0.1:{free_port()}", dict.fromkeys((*ROLES, "nobody"), PASSWORD))


@pytest.fixture(scope="module")
def stack(kit, logins, tmp_path_factory):
    home = Path(os.environ["KAFKA_HOME"])
    with kit.kafka_stack(home, tmp_path_factory.mktemp("rights"), topics=False, logins=logins) as running:
        asyncio.run(grant(running.broker))
        yield running


@pytest.fixture(scope="module")
def environment(stack, logins):
    def of(role):
        return stack.environment() | {
            "ROLECALL_BROKER": logins.address,
            "ROLECALL_BROKER_SASL": "PLAIN",
            "ROLECALL_BROKER_USERNAME": role,
            "ROLECALL_BROKER_PASSWORD": PASSWORD,
        }

    return of


@pytest.fixture(scope="module")
def rolecall(environment, tmp_path_factory):
    """The command of a role: it has to succeed."""
    folder = tmp_path_factory.mktemp("work")

    def run(role, *arguments, module="rolecall.streams.cli", fails=False):
        command = [sys.executable, "-m", module, *map(str, arguments)]
        done = subprocess.run(
            command,
            env=os.environ | environment(role),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def topics(rolecall):
    assert "created: vacancies" in rolecall("operator", "topics", "create")


@pytest.fixture(scope="module")
def worker(kit, topics, environment, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "worker.jsonl"
    with kit.running_worker(environment("worker") | kit.wide, log) as running:
        kit.poll(lambda: running.lines("worker_started") or running.process.poll() is not None, "the start")
        assert running.process.poll() is None, log.read_text()
        yield running


@pytest.fixture(scope="module")
def published(rolecall, worker, tmp_path_factory):
    """A pair that matches, a record that cannot be read, and an erasure."""
    events = tmp_path_factory.mktemp("events") / "events.jsonl"
    lines = [
        {"id": "v", "occurred_at": NOW, "title": "cook"},
        {"id": "c", "occurred_at": NOW, "titles": ["cook"]},
    ]
    events.write_text("\n".join(map(json.dumps, lines)))
    rolecall("publisher", "publish", events)


def test_a_reader_sees_what_a_worker_matched_for_a_publisher(rolecall, published):
    said = rolecall("reader", "tail", "--json", "--from-start", "--count", "1")
    assert '"vacancy_id":"v"' in said
    assert "1 match holds" in rolecall("reader", "matches")


def test_a_worker_copies_erasures_and_writes_dead_letters(kit, stack, worker, published):
    wire = kit.wire(stack.broker)
    try:
        wire.send(kit.sent("candidates", b"c", None))
        wire.send(kit.sent("vacancies", b"x", b"{"))
        wire.settle()
        assert len(wire.letters) == 1
    finally:
        wire.close()
    assert worker.process.poll() is None


def test_an_operator_may_do_all_that_an_operator_does(rolecall, published):
    said = rolecall("operator", "doctor")
    assert "FAIL" not in said
    assert "live" in rolecall("operator", "rollout", "status")
    rolecall("operator", "dead-letters", "list")
    rolecall("operator", "dead-letters", "replay", "--all")


def test_a_trainer_reads_feedback(rolecall, published, tmp_path):
    rolecall("trainer", "feedback", "export", tmp_path / "feedback.jsonl")


@pytest.mark.parametrize("command", [["doctor"], ["tail"], ["matches"], ["rollout", "status"], ["worker"]])
def test_without_rights_a_command_names_the_one_that_is_missing(rolecall, topics, command):
    said = rolecall("nobody", *command, fails=True)
    assert "may not Describe" in said
    assert "kafka-acls.sh --add --allow-principal User:NAME --operation Describe" in said


def test_a_reader_may_not_publish_and_is_told_which_right_it_lacks(rolecall, topics, tmp_path):
    (tmp_path / "events.jsonl").write_text(json.dumps({"id": "v", "occurred_at": NOW, "title": "cook"}))
    said = rolecall("reader", "publish", tmp_path / "events.jsonl", fails=True)
    assert "--operation Write --topic" in said

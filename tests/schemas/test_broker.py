"""From broker settings to the arguments of every Kafka client; and settings that are refused."""

import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from rolecall.schemas.broker.settings import BrokerSettings, is_loopback

AWAY = "kafka.example:9093"
LOGIN = {"broker_username": "worker", "broker_password": "s3cret"}


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and client.pem with its key.pem."""
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client = authority.issue_cert("worker@example.org")
    client.private_key_pem.write_to_path(folder / "key.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    return folder


def test_without_settings_nothing_is_encrypted() -> None:
    assert BrokerSettings().client() == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_tls_verifies_certificate_and_name() -> None:
    options = BrokerSettings(broker=AWAY, broker_tls=True).client()
    assert options["security_protocol"] == "SSL"
    context = options["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_an_authority_of_ones_own_replaces_the_systems(pem: Path) -> None:
    context = BrokerSettings(broker_tls=True, broker_ca=pem / "ca.pem").client()["ssl_context"]
    [authority] = context.get_ca_certs()
    assert "trustme" in str(authority["issuer"])


def test_a_client_certificate_is_loaded(pem: Path) -> None:
    certified = {"broker_certificate": pem / "client.pem", "broker_key": pem / "key.pem"}
    assert BrokerSettings(broker_tls=True, **certified).client()["ssl_context"]
    with pytest.raises(ssl.SSLError):  # the key is really read
        BrokerSettings(broker_tls=True, **certified | {"broker_key": pem / "ca.pem"}).client()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_with_a_password(mechanism: str) -> None:
    options = BrokerSettings(broker=AWAY, broker_tls=True, broker_sasl=mechanism, **LOGIN).client()
    del options["ssl_context"]
    assert options == {
        "bootstrap_servers": AWAY,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "worker",
        "sasl_plain_password": "s3cret",
        "sasl_oauth_token_provider": None,
    }


async def test_a_token_comes_from_the_named_function_at_each_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my_tokens.py").write_text(
        "import itertools\nfetch = map('t{}'.format, itertools.count()).__next__"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = BrokerSettings(broker_sasl="OAUTHBEARER", broker_token="my_tokens:fetch")
    provider = settings.client()["sasl_oauth_token_provider"]
    assert [await provider.token(), await provider.token()] == ["t0", "t1"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"broker_ca": "ca.pem"}, "set ROLECALL_BROKER_TLS=true"),
        ({"broker_tls": True, "broker_key": "key.pem"}, "CERTIFICATE and ROLECALL_BROKER_KEY go together"),
        (LOGIN, "set ROLECALL_BROKER_SASL"),
        ({"broker_sasl": "SCRAM-SHA-512", "broker_username": "worker"}, "needs ROLECALL_BROKER_USERNAME and"),
        ({"broker_sasl": "OAUTHBEARER"}, "needs ROLECALL_BROKER_TOKEN"),
        ({"broker_sasl": "PLAIN", **LOGIN}, "sends the secret unencrypted"),
        ({"broker_sasl": "OAUTHBEARER", "broker_token": "a:b"}, "sends the secret unencrypted"),
        (
            {"broker_sasl": "PLAIN", **LOGIN, "broker": f"127.0.0.1:9092,{AWAY}"},
            "sends the secret unencrypted",
        ),
        ({"broker": "worker:s3cret@kafka:9092"}, "must not hold a login"),
        ({"broker_token": "os.system('x')"}, "pattern"),
        ({"secrets_dir": "nowhere"}, "nowhere is not a directory"),
    ],
)
def test_what_does_not_go_together_is_refused(pem: Path, settings: dict[str, object], reason: str) -> None:
    files = {name: pem / str(value) for name, value in settings.items() if str(value).endswith(".pem")}
    with pytest.raises(ValidationError, match=reason) as refused:
        BrokerSettings(**{"broker": AWAY} | settings | files)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("broker", ["kafka:x", ":9092", "kafka:9092,"])
def test_what_is_no_address_is_refused(broker: str) -> None:
    with pytest.raises(ValidationError, match="this is not an address; write host:port"):
        BrokerSettings(broker=broker)


def test_a_password_in_the_clear_may_stay_on_the_machine() -> None:
    assert BrokerSettings(broker_sasl="PLAIN", **LOGIN).security_protocol == "SASL_PLAINTEXT"


class TestFilesOfSecrets:
    @pytest.fixture(autouse=True)
    def files(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "rolecall_broker_password").write_text("from-file\n")
        (tmp_path / "secrets" / "ROLECALL_BROKER_USERNAME").write_text("worker")
        monkeypatch.setenv("ROLECALL_BROKER_SASL", "SCRAM-SHA-256")
        monkeypatch.setenv("ROLECALL_SECRETS_DIR", str(tmp_path / "secrets"))

    def test_they_are_named_as_variables_in_either_case(self) -> None:
        options = BrokerSettings().client()
        login = options["sasl_plain_username"], options["sasl_plain_password"]
        assert login == ("worker", "from-file")

    def test_the_environment_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ROLECALL_BROKER_PASSWORD", "from-environment")
        assert BrokerSettings().client()["sasl_plain_password"] == "from-environment"

    def test_they_are_not_in_the_text_of_the_settings(self) -> None:
        settings = BrokerSettings()
        assert (
            "from-file" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
        )


def test_null_takes_back_what_a_file_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "ROLECALL_BROKER_SASL=PLAIN\nROLECALL_BROKER_USERNAME=a\nROLECALL_BROKER_PASSWORD=b"
    )
    assert BrokerSettings().broker_sasl == "PLAIN"
    for name in ("SASL", "USERNAME", "PASSWORD"):
        monkeypatch.setenv(f"ROLECALL_BROKER_{name}", "null")
    assert BrokerSettings().security_protocol == "PLAINTEXT"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.evil.example", False),
        ("localhost.evil.example", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_the_whole_address(host, loopback):
    assert is_loopback(host) is loopback


def test_a_secret_may_go_to_a_host_that_is_named_private():
    with pytest.raises(ValidationError, match=r"unencrypted to 127\.evil\.example"):
        BrokerSettings(broker_sasl="PLAIN", **LOGIN, broker="127.evil.example:9092")
    BrokerSettings(broker_sasl="PLAIN", **LOGIN, broker="kafka:9092,[::1]:9092", private_hosts="kafka, redis")

"""How to reach the broker: every Kafka client of the project is made from these settings."""

import asyncio
import importlib
import ssl
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import aiokafka.admin.client
import aiokafka.client
from aiokafka.abc import AbstractTokenProvider
from aiokafka.conn import collect_hosts
from aiokafka.protocol.metadata import MetadataRequest
from pydantic import Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from rolecall.schemas.receive import Limits

SECRETS_DIR = Path("/run/secrets")  # where Docker puts them

# aiokafka's clients let the broker create the topics that they ask for, with the broker's defaults: records
# of `rollouts` would be deleted after 7 days. There is no parameter for this, so it is set for all clients.
for asks in (aiokafka.client, aiokafka.admin.client):
    asks.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


def is_loopback(host: str) -> bool:
    """By the whole address: 127.example.org is no loopback address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class BrokerSettings(BaseSettings):
    """Read from the environment, `.env` and files of secrets, in this order.

    Environment variables are the field names in upper case with the prefix `ROLECALL_`; a file of secrets is
    named as its variable, in either case: `rolecall_broker_password`.
    """

    model_config = SettingsConfigDict(
        env_prefix="ROLECALL_",
        env_file=".env",
        env_ignore_empty=True,
        env_parse_none_str="null",  # the environment can unset a value of `.env`
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # the input may be a secret
    )

    broker: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port[,host:port…]")
    broker_tls: bool = Field(False, description="TLS to the broker, its certificate and name verified")
    broker_ca: FilePath | None = Field(
        None,
        description="PEM file of the authority that signed the broker's certificate; empty: the system's",
    )
    broker_certificate: FilePath | None = Field(
        None, description="PEM file of the client's certificate, if the broker asks for one"
    )
    broker_key: FilePath | None = Field(None, description="PEM file of its key, without a passphrase")
    broker_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="How to log in at the broker: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
    )
    broker_username: str | None = Field(None, description="For PLAIN and SCRAM")
    broker_password: SecretStr | None = Field(None, description="For PLAIN and SCRAM")
    broker_token: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = Field(
        None,
        description="For OAUTHBEARER, module:function without arguments that returns a token; "
        "called in a thread at each connection",
    )
    fetch_max_wait_ms: Annotated[int, Field(ge=1)] = Field(
        500, description="How long the broker may hold an empty fetch"
    )
    idempotent_producer: bool = Field(True, description="Off for brokers without InitProducerId")
    max_record_bytes: Annotated[int, Field(ge=1)] = Field(
        1_048_576, description="Larger records go to the dead letters"
    )
    max_clock_skew_seconds: Annotated[float, Field(gt=0)] = Field(
        300, description="Events dated further ahead of their record go to the dead letters"
    )
    private_hosts: str = Field(
        "",
        description="Hosts to which secrets may go without TLS, host[,host…]: those of a private network. "
        "Loopback is always allowed",
    )
    secrets_dir: Path = Field(
        SECRETS_DIR, description="Files with settings, each named as its variable: Docker secrets"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings, env_settings, dotenv_settings
        named = [place for source in given if (place := source().get("secrets_dir"))]
        directory = Path(next(iter(named), SECRETS_DIR))
        files = [SecretsSettingsSource(settings_cls, directory)] if directory.is_dir() else []
        return *given, *files

    @field_validator("broker")
    @classmethod
    def _are_addresses(cls, addresses: str) -> str:
        if "@" in addresses:
            raise ValueError(
                "addresses must not hold a login, because logs show them: use ROLECALL_BROKER_USERNAME"
            )
        try:
            hosts = [host for host, _, _ in collect_hosts(addresses)]
        except ValueError:
            hosts = [""]
        if not all(hosts):
            raise ValueError("this is not an address; write host:port[,host:port…]")
        return addresses

    @field_validator("secrets_dir")
    @classmethod
    def _is_there(cls, directory: Path) -> Path:
        if directory != SECRETS_DIR and not directory.is_dir():
            raise ValueError(f"{directory} is not a directory")
        return directory

    @model_validator(mode="after")
    def _complete(self) -> Self:
        sasl, login = self.broker_sasl, (self.broker_username, self.broker_password)
        if not self.broker_tls and (self.broker_ca or self.broker_certificate or self.broker_key):
            raise ValueError("broker certificates are set, but TLS is off: set ROLECALL_BROKER_TLS=true")
        if (self.broker_certificate is None) != (self.broker_key is None):
            raise ValueError("ROLECALL_BROKER_CERTIFICATE and ROLECALL_BROKER_KEY go together")
        if sasl is None and (any(login) or self.broker_token):
            raise ValueError("a broker login is set without its mechanism: set ROLECALL_BROKER_SASL")
        if sasl == "OAUTHBEARER" and not self.broker_token:
            raise ValueError("OAUTHBEARER needs ROLECALL_BROKER_TOKEN=module:function")
        if sasl not in (None, "OAUTHBEARER") and not all(login):
            raise ValueError(f"{sasl} needs ROLECALL_BROKER_USERNAME and ROLECALL_BROKER_PASSWORD")
        if sasl in ("PLAIN", "OAUTHBEARER") and not self.broker_tls:
            for address in self.broker.split(","):
                host = address.rpartition(":")[0].strip("[] ")
                self.check_private(host, f"{sasl} sends the secret", "ROLECALL_BROKER_TLS=true")
        return self

    def check_private(self, host: str, what: str, remedy: str) -> None:
        """Raises `ValueError` if a secret would go unencrypted to a host that is not known to be private."""
        if not is_loopback(host) and host not in [each.strip() for each in self.private_hosts.split(",")]:
            raise ValueError(
                f"{what} unencrypted to {host}: set {remedy}, or name the host in ROLECALL_PRIVATE_HOSTS if "
                "its network is private"
            )

    @property
    def security_protocol(self) -> Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]:
        if self.broker_sasl:
            return "SASL_SSL" if self.broker_tls else "SASL_PLAINTEXT"
        return "SSL" if self.broker_tls else "PLAINTEXT"

    def tls(self) -> ssl.SSLContext | None:
        if not self.broker_tls:
            return None
        context = ssl.create_default_context(cafile=self.broker_ca)
        # Debian's Python leaves the least version to OpenSSL's configuration.
        context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
        if self.broker_certificate:
            context.load_cert_chain(self.broker_certificate, self.broker_key)
        return context

    def tokens(self) -> AbstractTokenProvider | None:
        if self.broker_token is None:
            return None
        module, _, function = self.broker_token.partition(":")
        return _Tokens(getattr(importlib.import_module(module), function))

    def limits(self) -> Limits:
        """What `receive` refuses. Training reads with the limits of the workers."""
        return Limits(self.max_record_bytes, round(self.max_clock_skew_seconds * 1000))

    def client(self) -> dict[str, Any]:
        """Where and how to connect, as AIOKafka's producers, consumers and admin clients take it."""
        return {
            "bootstrap_servers": self.broker,
            "security_protocol": self.security_protocol,
            "ssl_context": self.tls(),
            **self._login(),
        }

    def reader(self) -> dict[str, Any]:
        """As `client`, for consumers: they see committed records only, no aborted or open transaction."""
        return {**self.client(), "isolation_level": "read_committed"}

    def _login(self) -> dict[str, Any]:
        if self.broker_sasl is None:
            return {}
        return {
            "sasl_mechanism": self.broker_sasl,
            "sasl_plain_username": self.broker_username,
            "sasl_plain_password": self.broker_password and self.broker_password.get_secret_value(),
            "sasl_oauth_token_provider": self.tokens(),
        }


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    def __init__(self, fetch: Callable[[], str]) -> None:
        self._fetch = fetch

    async def token(self) -> str:
        return await asyncio.to_thread(self._fetch)

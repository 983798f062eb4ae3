"""Every setting of the online side, in one typed object, read once from environment, `.env` and secrets."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, FiniteFloat, SecretStr, field_validator, model_validator
from pydantic_extra_types.currency_code import Currency

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import FEEDBACK, INPUTS, Topic
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.policy import Policy

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

FOR_TESTS = "ROLECALL_TEST_"  # where the tests find servers that run already


class Settings(BrokerSettings):
    consumer_group: str = Field("rolecall", description="Workers of one group share the partitions")

    session_timeout_seconds: Positive = Field(
        30, description="After this time the group takes over the partitions of a dead worker"
    )

    index: Literal["qdrant", "edge"] = Field("qdrant", description="Qdrant server, or the embedded index")
    qdrant_url: str = Field(
        "http://127.0.0.1:6333", description="https: TLS; gRPC is expected on the next port"
    )
    qdrant_api_key: SecretStr | None = Field(None, description="Sent with every request")
    qdrant_ca: FilePath | None = Field(
        None, description="PEM file of the authority that signed Qdrant's certificate; empty: the usual ones"
    )
    edge_socket: Path = Field(Path(".rolecall/index.sock"), description="Unix socket of the embedded index")
    index_timeout_seconds: Positive = Field(30, description="Longest time of one request to the index")

    redis_url: SecretStr | None = Field(
        None,
        description="Embedding cache, redis://[[user]:password@]host:port/0; rediss: TLS, its authority with "
        "?ssl_ca_certs=FILE; empty: no cache",
    )
    redis_timeout_seconds: Positive = Field(
        0.05, description="Longest time of one request to Redis; then the batch goes on without it"
    )
    cache_ttl_seconds: Count = Field(86_400, description="How long an embedding is kept")

    model: Path | None = Field(None, description="Model directory; empty: the bundled one")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: CUDA where there is one")
    encoder_threads: Count = Field(1, description="Processor threads of the encoder")

    top_k: Annotated[int, Field(ge=1, le=1000)] = Field(10, description="Largest number of matches per event")
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Lowest confidence of a match"
    )

    max_top_k: Annotated[int, Field(ge=1, le=1000)] = Field(
        1000, description="Largest number of matches that an event may ask for with matching.top_k"
    )
    lowest_min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0, description="Lowest confidence that an event may ask for with matching.min_confidence"
    )

    min_reference_score: Annotated[float, Field(ge=0, le=1)] = Field(
        0.86, description="An entity less similar than this to every reference occupation is unfamiliar"
    )
    max_entered: Count = Field(
        1000, description="How many lists of the other side one event may enter; the rest are searched later"
    )
    max_per_employer: Count | None = Field(
        None, description="Most vacancies of one employer in a candidate's list; empty: no limit"
    )

    drop_turned_down: bool = Field(
        True,
        description="A pair that was dismissed, rejected or hired leaves both lists until one of the two "
        "changes; false: workers do not read the topic feedback",
    )

    duplicates_share_a_place: bool = Field(
        True, description="Duplicates of one vacancy take one place of a candidate's list"
    )

    hard_rules: dict[HardRule, Mode] = Field(
        {}, description='Hard rules that are "soft" or "off": {"salary":"soft"}'
    )
    soft_penalty: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="The confidence is multiplied by this for each broken soft rule"
    )
    rates: dict[Currency, Annotated[FiniteFloat, Field(gt=0)]] = Field(
        {}, description='What one unit of a currency is worth in a common one: {"EUR":1,"USD":0.9}'
    )

    batch_size: Annotated[int, Field(ge=1, le=500)] = Field(
        256, description="Largest number of events in a batch"
    )
    batch_within_seconds: Positive = Field(0.01, description="How long a batch waits to fill")
    expiry_interval_seconds: Positive = Field(60, description="How often expired vacancies are removed")
    retry_seconds: Positive = Field(
        60, description="How long a failing dependency is retried before the exit"
    )
    max_poison_in_a_row: Count = Field(
        50, description="The worker exits after so many consecutive events that fail with the same error"
    )
    stop_seconds: Positive = Field(20, description="Deadline of a graceful stop")

    http_host: str = Field(
        "127.0.0.1", description="Address of /live, /ready and /metrics; 0.0.0.0: all interfaces"
    )
    http_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0,
        description="Port of /live, /ready and /metrics, one for each worker; 0: a free one, see the log",
    )

    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("hard_rules")
    @classmethod
    def _expiry_is_hard(cls, rules: dict[HardRule, Mode]) -> dict[HardRule, Mode]:
        if rules.get(HardRule.EXPIRY, Mode.HARD) is not Mode.HARD:
            raise ValueError("expiry is always hard, because expired vacancies leave the index")
        return rules

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis_url(cls, url: SecretStr | None) -> SecretStr | None:
        """Later errors would quote parts of the URL: an unescaped character splits the password."""
        if url is not None:
            try:
                parts = urlsplit(url.get_secret_value())
                sound = parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
            except ValueError:
                sound = False
            if not sound:
                raise ValueError(
                    "not redis://, rediss:// or unix://; escape /, #, ? and @ in a password as %2F…"
                )
        return url

    @field_validator("qdrant_url")
    @classmethod
    def _holds_no_login(cls, url: str) -> str:
        if "@" in urlsplit(url).netloc:
            raise ValueError("the URL holds a login, which logs would show: use ROLECALL_QDRANT_API_KEY")
        return url

    @model_validator(mode="after")
    def _secrets_are_encrypted(self) -> Self:
        index, cache = urlsplit(self.qdrant_url), urlsplit(_revealed(self.redis_url))
        if self.qdrant_api_key and self.index == "qdrant" and index.scheme == "http":
            self.check_private(
                index.hostname or "", "the API key of Qdrant goes", "https in ROLECALL_QDRANT_URL"
            )
        if cache.password and cache.scheme == "redis":
            self.check_private(
                cache.hostname or "", "the password of Redis goes", "rediss in ROLECALL_REDIS_URL"
            )
        return self

    def policy(self) -> Policy:
        return Policy(
            top_k=self.top_k,
            min_confidence=self.min_confidence,
            book=RuleBook(self.hard_rules, {str(currency): rate for currency, rate in self.rates.items()}),
            soft_penalty=self.soft_penalty,
            max_per_employer=self.max_per_employer,
            duplicates_share_a_place=self.duplicates_share_a_place,
            min_reference_score=self.min_reference_score,
            max_top_k=self.max_top_k,
            lowest_min_confidence=self.lowest_min_confidence,
            max_entered=self.max_entered,
            drop_turned_down=self.drop_turned_down,
        )

    @property
    def inputs(self) -> tuple[Topic, ...]:
        """The topics that workers consume."""
        return tuple(each for each in INPUTS if self.drop_turned_down or each is not FEEDBACK)


def _revealed(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def unknown_names(names: Iterable[str]) -> list[str]:
    """ROLECALL_ variables that are not settings, for example misspelt ones."""
    known = {f"ROLECALL_{field.upper()}" for field in Settings.model_fields}
    ours = (name for name in names if name.startswith("ROLECALL_") and not name.startswith(FOR_TESTS))
    return sorted(name for name in ours if name not in known)

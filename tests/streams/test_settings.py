"""Settings: one typed object from the environment and `.env`."""

import pytest
from pydantic import ValidationError

from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.settings import Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    """Removes all settings of the machine."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ROLECALL_{name.upper()}", raising=False)


def test_without_any_setting_it_works():
    assert Settings().broker == "127.0.0.1:9092"


def test_the_environment_sets_a_field_by_its_prefixed_name(monkeypatch):
    monkeypatch.setenv("ROLECALL_TOP_K", "3")
    assert Settings().top_k == 3


def test_a_dot_env_file_is_read(tmp_path):
    (tmp_path / ".env").write_text("ROLECALL_TOP_K=4\n")
    assert Settings().top_k == 4


def test_the_environment_beats_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("ROLECALL_TOP_K=4\n")
    monkeypatch.setenv("ROLECALL_TOP_K", "3")
    assert Settings().top_k == 3


def test_an_empty_variable_means_the_default(monkeypatch):
    monkeypatch.setenv("ROLECALL_REDIS_URL", "")
    assert Settings().redis_url is None


def test_other_variables_of_the_file_are_not_ours(tmp_path):
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=x\nROLECALL_NO_SUCH=1\n")
    Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOP_K", "0"),
        ("TOP_K", "1001"),
        ("MIN_CONFIDENCE", "1.5"),
        ("MIN_CONFIDENCE", "nan"),
        ("BATCH_SIZE", "501"),
        ("BATCH_WITHIN_SECONDS", "0"),
        ("RETRY_SECONDS", "-1"),
        ("STOP_SECONDS", "soon"),
        ("INDEX", "faiss"),
        ("LOG_LEVEL", "loud"),
        ("MAX_RECORD_BYTES", "1.5"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(f"ROLECALL_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize("name", ["qdrant_api_key", "redis_url"])
def test_a_secret_shows_nowhere(monkeypatch, name):
    monkeypatch.setenv(f"ROLECALL_{name.upper()}", "redis://:hunter2@127.0.0.1")
    settings = Settings()
    assert getattr(settings, name).get_secret_value() == "redis://:hunter2@127.0.0.1"
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().top_k = 3


def test_rules_and_rates_are_json(monkeypatch):
    monkeypatch.setenv("ROLECALL_HARD_RULES", '{"salary":"soft","place":"off"}')
    monkeypatch.setenv("ROLECALL_RATES", '{"EUR":1,"USD":0.9}')
    assert Settings().policy().book == RuleBook(
        {HardRule.SALARY: Mode.SOFT, HardRule.PLACE: Mode.OFF}, {"EUR": 1.0, "USD": 0.9}
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HARD_RULES", '{"pay":"soft"}'),
        ("HARD_RULES", '{"salary":"sometimes"}'),
        ("HARD_RULES", '{"expiry":"soft"}'),
        ("RATES", '{"EURO":1}'),
        ("RATES", '{"EUR":0}'),
    ],
)
def test_a_rule_mode_or_rate_that_cannot_be_is_refused(monkeypatch, variable, value):
    monkeypatch.setenv(f"ROLECALL_{variable}", value)
    with pytest.raises(ValidationError, match=variable.lower()):
        Settings()


def test_operators_limit_what_an_event_asks_for(monkeypatch):
    monkeypatch.setenv("ROLECALL_MAX_TOP_K", "20")
    monkeypatch.setenv("ROLECALL_LOWEST_MIN_CONFIDENCE", "0.3")
    policy = Settings().policy()

    def asking(**matching):
        event = {"id": "v1", "occurred_at": "2026-01-01T00:00:00Z", "title": "nurse", "matching": matching}
        own = policy.of(Vacancy.model_validate(event))
        return own.top_k, own.min_confidence

    assert asking(top_k=1000, min_confidence=0.0) == (20, 0.3)
    assert asking(top_k=5, min_confidence=0.9) == (5, 0.9)
    assert asking(top_k=None) == (10, 0.2)


@pytest.mark.parametrize(
    ("given", "sound"),
    [
        ({"qdrant_url": "http://qdrant:6333"}, True),
        ({"qdrant_url": "http://127.0.0.1:6333", "qdrant_api_key": "k"}, True),
        ({"qdrant_url": "https://qdrant:6333", "qdrant_api_key": "k"}, True),
        ({"qdrant_url": "http://qdrant:6333", "qdrant_api_key": "k"}, False),
        ({"qdrant_url": "http://qdrant:6333", "qdrant_api_key": "k", "private_hosts": "qdrant"}, True),
        ({"redis_url": "redis://redis:6379"}, True),
        ({"redis_url": "redis://:s3cret@redis:6379"}, False),
        ({"redis_url": "rediss://:s3cret@redis:6379"}, True),
        ({"redis_url": "redis://:s3cret@[::1]:6379"}, True),
        ({"redis_url": "redis://:s3cret@redis:6379", "private_hosts": "qdrant,redis"}, True),
    ],
)
def test_a_secret_goes_unencrypted_to_private_hosts_only(given, sound):
    if sound:
        Settings(**given)
    else:
        with pytest.raises(ValidationError, match=r"unencrypted to .*ROLECALL_PRIVATE_HOSTS") as refused:
            Settings(**given)
        assert "s3cret" not in str(refused.value)

"""Faust's client gets the same TLS settings and login as all other clients."""

import pytest
import trustme
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust.transport import credentials

LOGIN = {"broker_username": "worker", "broker_password": "s3cret"}
CASES = [
    {},
    {"broker_tls": True},
    {"broker_sasl": "PLAIN", **LOGIN},
    {"broker_tls": True, "broker_sasl": "PLAIN", **LOGIN},
    {"broker_tls": True, "broker_sasl": "SCRAM-SHA-256", **LOGIN},
    {"broker_sasl": "SCRAM-SHA-512", **LOGIN},
    {"broker_tls": True, "broker_sasl": "OAUTHBEARER", "broker_token": "platform:node"},
]


def described(options):
    """Options in a form that can be compared: a TLS context by its authorities, tokens by their function."""
    told = {
        name: value for name, value in options.items() if name != "bootstrap_servers" and value is not None
    }
    if context := told.pop("ssl_context", None):
        told["authorities"] = [each["subject"] for each in context.get_ca_certs()]
    if provider := told.pop("sasl_oauth_token_provider", None):
        told["tokens"] = provider._fetch
    return told


@pytest.mark.parametrize("given", CASES, ids=lambda given: "-".join(map(str, given.values())) or "nothing")
def test_faust_connects_as_the_settings_say(given, tmp_path):
    if given.get("broker_tls"):
        trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
        given = given | {"broker_ca": tmp_path / "ca.pem"}
    settings = Settings(_env_file=None, **given)
    faust = credentials_to_aiokafka_auth(credentials(settings))
    assert described(faust) == described(settings.client())
    assert faust["security_protocol"] == settings.security_protocol


def test_its_credentials_do_not_print_the_password():
    assert "s3cret" not in repr(credentials(BrokerSettings(broker_sasl="SCRAM-SHA-512", **LOGIN)))

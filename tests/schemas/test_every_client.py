"""Every Kafka client is made from BrokerSettings. Any other would send plain text, or fail to log in."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CALL = re.compile(r"AIOKafka(?:Producer|Consumer|AdminClient)\(.{0,120}", re.DOTALL)
CALLERS = {
    str(path.relative_to(ROOT)): calls
    for package in ("streams", "training")
    for path in (ROOT / package).rglob("*.py")
    if (calls := CALL.findall(path.read_text()))
}


def test_the_clients_are_found() -> None:
    assert {
        "streams/kafka/publisher.py",
        "streams/kafka/lag.py",
        "training/feedback/topics.py",
    } <= CALLERS.keys()


@pytest.mark.parametrize("path", CALLERS)
def test_a_client_has_the_options_of_the_settings(path: str) -> None:
    for call in CALLERS[path]:
        assert (".reader()" if "Consumer(" in call else ".client()") in call
        assert "bootstrap_servers" not in call

"""What the log says of a broker that is away, on a clock of the test."""

import pytest
from structlog.testing import capture_logs

from rolecall.streams.errors import GaveUp
from rolecall.streams.monitor.contact import Contact


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def contact(clock):
    return Contact("k:9092", retry_seconds=60, now=lambda: clock[0])


def test_a_broker_that_is_away_is_told_once_in_5_seconds(contact, clock):
    with capture_logs() as logs:
        for _ in range(20):
            clock[0] += 1
            contact.failed("refused")
    assert [line["event"] for line in logs] == ["broker_away"] * 4
    assert [line["ends_in_seconds"] for line in logs] == [59, 54, 49, 44]


def test_that_it_is_back_is_told_with_how_long_it_was_away(contact, clock):
    clock[0] += 7
    contact.failed("refused")
    clock[0] += 1
    with capture_logs() as logs:
        contact.answered()
        contact.answered()
    assert [(line["event"], line["away_seconds"]) for line in logs] == [("broker_back", 8.0)]


def test_after_the_time_of_retries_it_gives_up(contact, clock):
    clock[0] += 61
    with pytest.raises(GaveUp, match="no Kafka broker answers at k:9092 for 61 s"):
        contact.failed("refused")

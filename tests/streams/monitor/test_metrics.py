"""The metrics after batches whose outcome was worked out by hand."""

import asyncio

import pytest

from rolecall.schemas.topics import CANDIDATES, RULES, VACANCIES
from rolecall.streams.kafka.lag import Progress
from rolecall.streams.monitor.health import Health
from rolecall.streams.monitor.metrics import Metrics
from rolecall.streams.monitor.tally import LookupTally


class Loop:
    """A stand-in for an event loop. These tests do not use it."""


@pytest.fixture
def health():
    return Health(Loop())


@pytest.fixture
def metrics(health):
    return Metrics(health)


@pytest.fixture
def value(metrics):
    return lambda name, **labels: metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def of_vacancies(value):
    return lambda outcome: value("rolecall_events_total", topic="vacancies", outcome=outcome)


def test_every_event_is_counted_by_its_outcome_once(world, make, metrics, of_vacancies):
    async def run():
        await world.vacancies(make.vacancy("closed"), make.vacancy("new", revision=5))
        return await world.vacancies(
            make.vacancy("a"),
            make.vacancy("b", revision=1),
            make.vacancy("b", revision=2),  # only the newest revision of a batch counts
            make.vacancy("new", revision=4),  # older than what is stored
            make.vacancy("closed", revision=2, status="closed"),
            make.raw(b"{"),
        )

    metrics.entities(VACANCIES.name, asyncio.run(run()), seconds=0.3)
    outcomes = "upserted", "removed", "unchanged", "stale", "dead_lettered"
    assert [of_vacancies(outcome) for outcome in outcomes] == [2, 1, 0, 2, 1]


def test_a_dead_letter_is_counted_under_the_stage_that_failed(world, make, metrics, value):
    world.encoder.fail_on("encode", lambda document: document.title == "poison")
    records = [make.vacancy("v1"), make.vacancy("v2", title="poison"), make.raw(b"{")]
    metrics.entities(VACANCIES.name, asyncio.run(world.vacancies(*records)), seconds=0.3)
    stages = ("receive", "encode", "upsert")
    counts = [value("rolecall_dead_letters_total", topic="vacancies", stage=stage) for stage in stages]
    assert counts == [1, 1, 0]


def test_batches_are_counted_by_size_and_duration(world, make, metrics, value):
    records = [make.vacancy(f"v{n}") for n in range(5)]
    metrics.entities(VACANCIES.name, asyncio.run(world.vacancies(*records)), seconds=0.3)
    # 5 events fall into the bucket up to 8, 0.3 s into the one up to 0.5
    assert value("rolecall_batch_events_bucket", topic="vacancies", le="4.0") == 0
    assert value("rolecall_batch_events_bucket", topic="vacancies", le="8.0") == 1
    assert value("rolecall_batch_duration_seconds_bucket", topic="vacancies", le="0.25") == 0
    assert value("rolecall_batch_duration_seconds_bucket", topic="vacancies", le="0.5") == 1
    assert value("rolecall_stage_duration_seconds_count", stage="encode") == 1


def test_matches_and_certainties_are_counted(world, make, metrics, value):
    async def run():
        await world.vacancies(make.vacancy("v1"), make.vacancy("v2"))
        return await world.candidates(make.candidate("c1"))

    metrics.entities(CANDIDATES.name, asyncio.run(run()), seconds=0.1)
    assert value("rolecall_matches_total") == 2
    # The fake encoder gives certainty .5 to everything.
    assert value("rolecall_certainty_bucket", topic="candidates", le="0.4") == 0
    assert value("rolecall_certainty_bucket", topic="candidates", le="0.5") == 1


def test_definitions_are_applied_or_dead_lettered(metrics, value, world, make):
    rejects = asyncio.run(world.vacancies(make.raw(b"{"))).rejects
    metrics.lookups(RULES.name, LookupTally(events=3, retries=2, rejects=rejects), seconds=0.1)
    assert value("rolecall_events_total", topic="rules", outcome="applied") == 2
    assert value("rolecall_events_total", topic="rules", outcome="dead_lettered") == 1
    assert value("rolecall_retries_total", topic="rules") == 2


def test_series_exist_before_anything_happened(value, of_vacancies):
    """An alert cannot see an increase from a missing series to 1."""
    assert of_vacancies("dead_lettered") == 0
    assert value("rolecall_dead_letters_total", topic="rules", stage="upsert") == 0
    assert value("rolecall_cache_lookups_total", result="miss") == 0


def test_lag_is_told_by_partition_where_it_is_known(health, value):
    lag = {("vacancies", 0): 7, ("vacancies", 1): None}
    health.consuming = lambda: Progress(lag, unacked=3)
    assert value("rolecall_consumer_lag_events", topic="vacancies", partition="0") == 7
    assert value("rolecall_consumer_lag_events", topic="vacancies", partition="1") is None
    assert value("rolecall_unacked_events") == 3


def test_batches_in_hand_are_seen_while_they_last(health, value):
    with health.batch():
        assert value("rolecall_batches_in_hand") == 1
        assert 0 < value("rolecall_oldest_batch_seconds") < 60
    assert (value("rolecall_batches_in_hand"), value("rolecall_oldest_batch_seconds")) == (0, 0)


def test_readiness_is_a_metric_too(health, value):
    assert value("rolecall_ready", check="model") == 0
    health.model_version = "m1"
    assert value("rolecall_ready", check="model") == 1

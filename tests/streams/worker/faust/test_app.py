"""The settings of the Faust app, as docs/operations.md lists them, and the records that it hands on."""

from types import SimpleNamespace

import pytest

from rolecall.streams.events.record import Record
from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust import app as module
from rolecall.streams.worker.faust.agents import record
from rolecall.streams.worker.faust.app import create_app
from tests.streams.worker.faust.messages import untouched


@pytest.fixture
async def configured():
    def made(**settings):
        app = create_app(Settings(_env_file=None, **settings), "rolecall-g2", untouched, list)
        return app.conf

    return made


async def test_it_is_in_the_group_of_its_deployment_on_every_broker_that_is_named(configured):
    conf = configured(broker="one:9092,two:9093")
    assert conf.id == "rolecall-g2"
    assert [(each.host, each.port) for each in conf.broker] == [("one", 9092), ("two", 9093)]


@pytest.mark.parametrize(("session", "rebalance"), [(30, 30), (6, 10)])
async def test_timeouts_follow_from_the_session_timeout(configured, session, rebalance):
    """A heartbeat every sixth of it; a rebalance as long, at least 10 s; requests 30 s longer."""
    conf = configured(session_timeout_seconds=session)
    assert conf.broker_session_timeout == session
    assert conf.broker_heartbeat_interval == session / 6
    assert conf.broker_rebalance_timeout == rebalance
    assert conf.broker_request_timeout == session + 30


async def test_partitions_that_were_added_are_read_within_half_a_minute(configured):
    assert configured().consumer_metadata_max_age_ms == 30_000


async def test_commits_come_every_second(configured):
    assert configured().broker_commit_interval == 1


async def test_a_fetch_takes_one_batch_and_two_may_wait_in_the_queue_of_a_stream(configured):
    conf = configured(batch_size=100)
    assert (conf.broker_max_poll_records, conf.stream_buffer_maxsize) == (100, 200)


async def test_it_declares_no_topic_serves_nothing_and_waits_for_no_stream_at_its_end(configured):
    conf = configured()
    assert not conf.topic_allow_declare
    assert conf.topic_disable_leader
    assert not conf.web_enabled
    assert not conf.autodiscover
    assert not conf.stream_wait_empty


@pytest.mark.parametrize(("session", "stop", "part"), [(30, 20, 10), (10, 20, 5)])
async def test_a_part_may_take_half_of_the_shorter_of_session_and_stop(monkeypatch, session, stop, part):
    given = {}
    monkeypatch.setattr(module, "add_agents", lambda app, handle, inputs, **options: given.update(options))
    settings = Settings(
        _env_file=None,
        session_timeout_seconds=session,
        stop_seconds=stop,
        batch_size=100,
        batch_within_seconds=0.02,
    )
    create_app(settings, "rolecall", untouched, list)
    assert given == {"batch_size": 100, "within_seconds": 0.02, "part_seconds": part}


@pytest.mark.parametrize(
    ("drops", "read"),
    [
        (True, {"rules", "occupations", "feedback", "vacancies", "candidates"}),
        (False, {"rules", "occupations", "vacancies", "candidates"}),
    ],
)
async def test_feedback_is_read_only_if_it_matters(drops, read):
    app = create_app(Settings(_env_file=None, drop_turned_down=drops), "rolecall", untouched, list)
    assert {topic for agent in app.agents.values() for topic in agent.get_topic_names()} == read


def test_a_record_has_all_of_its_message():
    message = SimpleNamespace(
        topic="vacancies",
        partition=3,
        offset=7,
        key=b"v1",
        value=None,
        timestamp=1_767_225_600.001,
        headers=[("ce_id", b"1")],
    )
    expected = Record("vacancies", 3, 7, b"v1", None, 1_767_225_600_001, (("ce_id", b"1"),))
    assert record(message) == expected
    assert isinstance(record(message).timestamp_ms, int)


def test_a_message_without_time_and_headers_is_a_record_without_them():
    message = SimpleNamespace(
        topic="vacancies", partition=0, offset=0, key=None, value=b"{}", timestamp=None, headers=None
    )
    assert record(message) == Record("vacancies", 0, 0, None, b"{}", -1, ())

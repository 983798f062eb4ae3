"""The Faust app: settings that were measured, nothing that keeps state."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import faust
from faust.types import TP

from rolecall.schemas.topics import VACANCIES
from rolecall.streams.settings import Settings
from rolecall.streams.worker.faust.agents import Handle, add_agents
from rolecall.streams.worker.faust.transport import Transport, credentials

METADATA_MS = 30_000  # how long partitions that were added stay unread at most


def create_app(settings: Settings, group: str, handle: Handle, sweep: Callable[[], None]) -> faust.App:
    """An app that hands every batch to `handle`. It has no tables, web server or topic declarations.

    docs/operations.md has the reason for each timeout. After every rebalance one worker of the group calls
    `sweep`: the one that gets the first partition of the vacancies.
    """
    session = settings.session_timeout_seconds
    app = faust.App(
        group,
        broker=[f"kafka://{address}" for address in settings.broker.split(",")],
        broker_credentials=credentials(settings),
        store="memory://",
        web_enabled=False,
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=VACANCIES.partitions,
        stream_buffer_maxsize=2 * settings.batch_size,
        stream_wait_empty=False,
        broker_commit_interval=1.0,
        broker_max_poll_records=settings.batch_size,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 6,
        broker_rebalance_timeout=max(10.0, session),
        broker_request_timeout=session + 30,
        producer_request_timeout=30.0,
        consumer_metadata_max_age_ms=METADATA_MS,
        datadir=Path(tempfile.gettempdir(), "rolecall-faust"),
    )
    app.transport = Transport(app, fetch_max_wait_ms=settings.fetch_max_wait_ms)

    async def assigned(_: faust.App, partitions: set[TP], **__: object) -> None:
        if TP(VACANCIES.name, 0) in partitions:
            sweep()

    app.on_partitions_assigned.connect(assigned, weak=False)
    add_agents(
        app,
        handle,
        settings.inputs,
        batch_size=settings.batch_size,
        within_seconds=settings.batch_within_seconds,
        part_seconds=min(session, settings.stop_seconds) / 2,
    )
    return app

"""The worker process: settings in, a running Faust app out, and an orderly end."""

import asyncio
import gc
import os
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import faust
import structlog

from encoder.model import Encoder
from schemas.dead_letter import Stage
from schemas.match import Side
from schemas.occupation import Occupation
from schemas.rule import ExclusionRule
from schemas.topics import CANDIDATES, OCCUPATIONS, RULES, VACANCIES
from streams import publish
from streams.agents import Acknowledge, add_agents
from streams.batch import BatchRunner
from streams.cache import Cache
from streams.definitions import DefinitionRunner, DefinitionTally
from streams.deployment import collections, group
from streams.exclusion import Rules
from streams.health import Health, HealthServer
from streams.index import Index
from streams.lifecycle import Sweeper, keep_sweeping
from streams.match import Policy
from streams.metrics import Metrics
from streams.patience import FATAL, patiently
from streams.receive import Limits, Record
from streams.reference import Occupations
from streams.rollouts import Rehearsing, Rollouts, deployment_of, followed, watch
from streams.rules import RuleBook
from streams.settings import Settings
from streams.tally import Tally
from streams.to_end import replayed
from streams.transport import Transport, credentials, progress

log = structlog.get_logger()

SIDES = {VACANCIES.name: Side.VACANCY, CANDIDATES.name: Side.CANDIDATE}

EXIT_FAILED = 1
EXIT_DEADLINE = 3


def connect_index(settings: Settings, version: str, dims: int) -> Index:
    if settings.index == "edge":
        from streams.qdrant_edge import QdrantEdge

        return QdrantEdge(settings.edge_socket, version, dims, settings.index_timeout_seconds)
    from streams import qdrant_server

    return qdrant_server.connect(
        settings.qdrant_url,
        api_key=settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None,
        ca=settings.qdrant_ca,
        version=version,
        dims=dims,
        timeout_seconds=settings.index_timeout_seconds,
    )


def connect_cache(settings: Settings, version: str, dims: int) -> Cache | None:
    if settings.redis_url is None:
        return None
    return Cache.connect(
        settings.redis_url.get_secret_value(),
        timeout_seconds=settings.redis_timeout_seconds,
        version=version,
        dims=dims,
        ttl_seconds=settings.cache_ttl_seconds,
    )


def policy(settings: Settings) -> Policy:
    return Policy(
        top_k=settings.top_k,
        min_confidence=settings.min_confidence,
        book=RuleBook(settings.rules, {str(currency): rate for currency, rate in settings.rates.items()}),
        soft_penalty=settings.soft_penalty,
        max_per_employer=settings.max_per_employer,
        min_reference_score=settings.min_reference_score,
    )


def create_app(settings: Settings, group: str) -> faust.App:
    """A Faust app without tables, web server or topic declarations; timeouts as measured."""
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
        datadir=Path(tempfile.gettempdir(), "rolecall-faust"),
    )
    app.transport = Transport(app, fetch_max_wait_ms=settings.fetch_max_wait_ms)
    return app


async def serve(settings: Settings, *, newest: bool = False) -> bool:
    """Match until SIGTERM or SIGINT, or until the deployment is dropped: whether it was.

    A failed batch ends the process at once, unacked. `newest`: of two deployments of the model, that one.
    """
    async with (
        followed(settings, retry_seconds=settings.retry_seconds) as rollouts,
        _publisher(settings) as confirmed,
    ):
        return await _serve(settings, rollouts, confirmed, newest=newest)


async def _serve(
    settings: Settings, rollouts: Rollouts, confirmed: publish.Publisher, *, newest: bool
) -> bool:
    health = Health(asyncio.get_running_loop())
    metrics = Metrics(health)
    http = HealthServer(settings.http_host, settings.http_port, health, metrics.registry)
    log.info("http_listening", host=settings.http_host, port=http.port)
    load = partial(Encoder.load, settings.model, device=settings.device, threads=settings.encoder_threads)
    encoder = await asyncio.to_thread(load)
    health.model_version = encoder.version
    metrics.model(encoder)
    find = partial(deployment_of, rollouts, confirmed, encoder.version, newest=newest)
    (deployment, silent), _ = await patiently(find, "start", settings.retry_seconds)
    index = connect_index(settings, collections(deployment), encoder.dims)
    cache = connect_cache(settings, encoder.version, encoder.dims)
    await patiently(index.prepare, "start", settings.retry_seconds)
    health.index = index
    publisher = Rehearsing(confirmed, rollouts, deployment, silent=silent)
    limits = Limits(settings.max_record_bytes, round(settings.max_clock_skew_seconds * 1000))
    runner = BatchRunner(
        encoder=encoder,
        index=index,
        cache=cache,
        publisher=publisher,
        policy=policy(settings),
        limits=limits,
        retry_seconds=settings.retry_seconds,
        max_poison_in_a_row=settings.max_poison_in_a_row,
        rehearses=lambda: publisher.silent,
    )
    rules = DefinitionRunner(
        ExclusionRule,
        Rules(encoder, index).apply,
        publisher=publisher,
        limits=limits,
        retry_seconds=settings.retry_seconds,
    )
    occupations = DefinitionRunner(
        Occupation,
        Occupations(encoder, index).apply,
        publisher=publisher,
        limits=limits,
        retry_seconds=settings.retry_seconds,
    )

    async def run(topic: str, records: list[Record], acknowledge: Acknowledge) -> None:
        started = time.perf_counter()
        if topic in SIDES:
            tally = await runner.run(SIDES[topic], records)
            with tally.timed(Stage.ACK):
                await acknowledge()
            metrics.entities(topic, tally, time.perf_counter() - started)
            _log_batch(tally)
        else:
            counts = await (rules if topic == RULES.name else occupations).run(records)
            await acknowledge()
            metrics.definitions(topic, counts, time.perf_counter() - started)
            _log_definitions(topic, counts)

    async def handle(topic: str, records: list[Record], acknowledge: Acknowledge) -> None:
        try:
            with health.batch():
                await run(topic, records, acknowledge)
        except Exception as error:
            unexplained = None if isinstance(error, FATAL) else error
            log.critical("worker_failed", topic=topic, error=str(error), exc_info=unexplained)
            os._exit(EXIT_FAILED)

    if publisher.silent:  # a replay: the references come before the entities that they describe
        await occupations.run(await replayed(settings, OCCUPATIONS.name))
    app = create_app(settings, group(deployment, settings.consumer_group))
    add_agents(
        app,
        handle,
        batch_size=settings.batch_size,
        within_seconds=settings.batch_within_seconds,
        part_seconds=min(settings.session_timeout_seconds, settings.stop_seconds) / 2,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await app.start()
    health.consuming = partial(progress, app)
    gc.collect()
    gc.freeze()  # a full collection past the libraries' objects takes longer than a batch
    # What has expired has, whichever model says so: its withdrawal is never held back.
    sweeper = Sweeper(index=index, publisher=confirmed, cache=cache)
    sweeping = asyncio.create_task(keep_sweeping(sweeper.sweep, settings.expiry_interval_seconds))
    sweeping.add_done_callback(_end_if_failed)
    dropped = asyncio.create_task(watch(rollouts, deployment))
    dropped.add_done_callback(lambda _: stop.set())
    log.info(
        "worker_started",
        model=encoder.version,
        generation=deployment.generation,
        dims=encoder.dims,
        device=str(encoder.device),
    )
    await app.wait_for_stopped(stop)
    moves = dropped.done()
    dropped.cancel()
    _arm_deadline(settings.stop_seconds)
    health.consuming = None
    sweeping.cancel()
    await app.stop()
    await index.close()
    if cache is not None:
        await cache.close()
    http.close()
    log.info("worker_stopped", crashed=app.crashed)
    if app.crashed:
        raise SystemExit(EXIT_FAILED)
    if moves:
        dropped.result()  # raises what ended the watch, if it was that
    return moves


@asynccontextmanager
async def _publisher(settings: Settings) -> AsyncIterator[publish.Publisher]:
    events, letters = publish.producer(settings), publish.letter_producer(settings)
    try:
        for sender in (events, letters):
            await patiently(partial(publish.start, sender), "start", settings.retry_seconds)
        yield publish.KafkaPublisher(events, letters)
    finally:
        await events.stop()
        await letters.stop()


def _end_if_failed(sweeping: "asyncio.Task[None]") -> None:
    if not sweeping.cancelled() and (error := sweeping.exception()):
        log.critical("worker_failed", error=str(error), exc_info=error)
        os._exit(EXIT_FAILED)


def _arm_deadline(seconds: float) -> None:
    """End the process after `seconds` whatever hangs: unacked batches are delivered again."""

    def expire() -> None:
        log.error("stop_deadline", seconds=seconds)
        os._exit(EXIT_DEADLINE)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()


def _log_batch(tally: Tally) -> None:
    log.info(
        "batch",
        side=tally.side,
        events=tally.events,
        upserted=tally.upserted,
        removed=tally.removed,
        stale=tally.stale,
        matches=tally.matches,
        dead_letters=tally.dead_letters,
        cache_hits=tally.cache_hits,
        retries=tally.retries,
        ms={stage.value: round(seconds * 1000, 1) for stage, seconds in tally.seconds.items()},
    )


def _log_definitions(topic: str, tally: DefinitionTally) -> None:
    log.info(
        "definitions",
        topic=topic,
        events=tally.events,
        published=tally.published,
        dead_letters=tally.dead_letters,
        retries=tally.retries,
    )

"""The worker process: settings in, a running Faust app out, and an orderly end."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Coroutine
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import Any, NoReturn

import structlog
from aiokafka.errors import KafkaError

from rolecall.encoder.model import Encoder
from rolecall.schemas.rollout import Deployment
from rolecall.schemas.topics import MATCHES, OCCUPATIONS
from rolecall.streams.connect import connect_index
from rolecall.streams.discretion import said
from rolecall.streams.errors import (
    FatalError,
    NotAllowed,
    PublishFailed,
    TopicsMissing,
    TopicsWrong,
    Unreachable,
)
from rolecall.streams.events.record import Record
from rolecall.streams.index.port import Index
from rolecall.streams.kafka.lag import handled
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.kafka.read import filled, replayed
from rolecall.streams.kafka.topic_ids import topic_id
from rolecall.streams.kafka.topic_settings import Deviation
from rolecall.streams.kafka.topics import require_sound_topics
from rolecall.streams.matching.policy import Policy
from rolecall.streams.monitor.contact import Contact
from rolecall.streams.monitor.health import Health, HealthServer
from rolecall.streams.monitor.metrics import Metrics
from rolecall.streams.retry import patiently
from rolecall.streams.rollout.founding import check_unfounded
from rolecall.streams.rollout.rehearsal import Rehearsing
from rolecall.streams.rollout.steps import collections, group
from rolecall.streams.rollout.topic import RolloutTopic, deployment_of, followed
from rolecall.streams.settings import Settings
from rolecall.streams.worker.assemble import Batches, runners
from rolecall.streams.worker.clients import publisher
from rolecall.streams.worker.embedding_cache import Cache, connect_cache
from rolecall.streams.worker.expiry import Sweeper, keep_sweeping
from rolecall.streams.worker.faust.agents import Acknowledge, Handle
from rolecall.streams.worker.faust.app import create_app
from rolecall.streams.worker.faust.transport import progress
from rolecall.streams.worker.intact import Intact, keep_checking
from rolecall.streams.worker.placement import Placement
from rolecall.streams.worker.rolling import keep_rolling
from rolecall.streams.worker.watch import Watch

log = structlog.get_logger()

EXIT_FAILED = 1
EXIT_DEADLINE = 3


class Ending(Enum):
    TERMINATED = auto()  # by SIGTERM
    INTERRUPTED = auto()  # by SIGINT
    DROPPED = auto()  # its deployment is neither live, nor standing by, nor being built any more


async def serve(settings: Settings, *, newest: bool = False, found: bool = False) -> Ending:
    """Match until SIGTERM or SIGINT, or until the deployment is dropped.

    A batch that fails ends the process at once, without an ack. `newest`: if the model has two deployments,
    serve the newer one. `found`: begin at generation 0 even if the index holds points.
    """
    (deviations, policy), _ = await patiently(partial(_checked, settings), "start", settings.retry_seconds)
    for each in deviations:
        log.warning("topic_setting", topic=each.topic, problem=str(each), remedy=each.remedy)
    async with (
        followed(settings, retry_seconds=settings.retry_seconds) as rollouts,
        publisher(settings) as confirmed,
    ):
        return await _serve(settings, policy, rollouts, confirmed, newest=newest, found=found)


async def _checked(settings: Settings) -> tuple[list[Deviation], Policy]:
    """What deviates in the topics' settings, and the policy for the topic `matches` that is there now."""
    try:
        deviations = await require_sound_topics(settings)
        published_to = await topic_id(settings, MATCHES.name)
    except (TopicsMissing, TopicsWrong, NotAllowed):
        raise
    except (Unreachable, KafkaError) as error:
        raise PublishFailed(str(error)) from error
    return deviations, replace(settings.policy(), published_to=published_to)


async def _serve(
    settings: Settings,
    policy: Policy,
    rollouts: RolloutTopic,
    confirmed: Publisher,
    *,
    newest: bool,
    found: bool,
) -> Ending:
    contact = Contact(settings.broker, settings.retry_seconds)
    health = Health(asyncio.get_running_loop(), contact, settings.session_timeout_seconds)
    metrics = Metrics(health)
    http = HealthServer(settings.http_host, settings.http_port, health, metrics.registry)
    log.info("http_listening", host=settings.http_host, port=http.port)
    encoder = await _loaded(settings, health, metrics)
    may_found = partial(check_unfounded, settings, encoder.version, encoder.dims, found=found)
    find = partial(deployment_of, rollouts, confirmed, encoder.version, newest=newest, may_found=may_found)
    (deployment, silent), _ = await patiently(find, "start", settings.retry_seconds)
    index = connect_index(settings, collections(deployment), encoder.dims)
    cache = connect_cache(settings, encoder.version, encoder.dims)
    named = group(deployment, settings.consumer_group)
    committed = partial(handled, settings, named)
    intact = Intact(index, named, partial(filled, settings))
    await patiently(partial(intact.open_at, committed), "start", settings.retry_seconds)
    health.index = index
    handled_live = partial(_handled_live, settings, rollouts, deployment)
    rehearsing = Rehearsing(confirmed, rollouts, deployment, handled_live, silent=silent)
    placement = Placement()
    ready = runners(settings, policy, encoder, index, cache, rehearsing)
    batches = Batches(ready, metrics, placement, intact, settings.retry_seconds)
    if silent:  # a replay: the references come before the entities that they describe
        await ready.lookups[OCCUPATIONS.name].run(await replayed(settings, OCCUPATIONS.name))
    health.lists = lambda: ready.entities.lists.counts
    app = create_app(settings, named, _handler(batches, health), ready.entities.lists.sweep)
    stop = Stop(asyncio.get_running_loop(), settings.stop_seconds)
    contact.answered()
    watch = Watch(settings, named, rollouts, contact, health.progress, placement)
    beside = Beside()
    dropped = beside.start(watch.until_dropped(deployment))  # a start may hang: it is watched too
    dropped.add_done_callback(lambda _: stop.now(Ending.DROPPED))
    await app.start()
    health.consuming = partial(progress, app)
    _freeze_libraries()
    # An expired vacancy has expired whichever model says so: its withdrawal never goes to a rehearsal.
    sweeper = Sweeper(index=index, publisher=confirmed, cache=cache, lists=ready.entities.lists)
    beside.start(keep_sweeping(sweeper.sweep, settings.expiry_interval_seconds))
    beside.start(keep_rolling(confirmed.publish, lambda: health.progress().lag))
    beside.start(keep_checking(intact, committed))
    beside.start(ready.entities.lists.keep(lambda: bool(health.batches)))
    _log_start(encoder, deployment)
    await app.wait_for_stopped(stop.event)
    health.consuming = None
    beside.cancel()
    await app.stop()
    await _close(index, cache, http)
    log.info("worker_stopped", crashed=app.crashed)
    if app.crashed:
        raise SystemExit(EXIT_FAILED)
    return stop.ending


async def _loaded(settings: Settings, health: Health, metrics: Metrics) -> Encoder:
    load = partial(Encoder.load, settings.model, device=settings.device, threads=settings.encoder_threads)
    encoder = await asyncio.to_thread(load)
    health.model_version = encoder.version
    metrics.model(encoder)
    return encoder


async def _handled_live(
    settings: Settings, rollouts: RolloutTopic, deployment: Deployment
) -> dict[tuple[str, int], int]:
    rollout = await rollouts.newest()
    live = deployment if rollout is None else rollout.live
    return await handled(settings, group(live, settings.consumer_group))


def _freeze_libraries() -> None:
    """A full collection past the libraries' objects takes longer than a batch."""
    gc.collect()
    gc.freeze()


def _log_start(encoder: Encoder, deployment: Deployment) -> None:
    log.info(
        "worker_started",
        model=encoder.version,
        generation=deployment.generation,
        dims=encoder.dims,
        device=str(encoder.device),
    )


async def _close(index: Index, cache: Cache | None, http: HealthServer) -> None:
    await index.close()
    if cache is not None:
        await cache.close()
    http.close()


class Beside:
    """Tasks beside the agents. If one fails, the process ends."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(_end_if_failed)
        self._tasks.append(task)
        return task

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class Stop:
    """Set by the first of SIGTERM, SIGINT and the end of the deployment.

    From then on the process ends within `seconds`, whatever it was doing: also before it had any partition.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._seconds = seconds
        self.event = asyncio.Event()
        self.ending = Ending.TERMINATED
        loop.add_signal_handler(signal.SIGTERM, self.now, Ending.TERMINATED)
        loop.add_signal_handler(signal.SIGINT, self.now, Ending.INTERRUPTED)

    def now(self, ending: Ending) -> None:
        if not self.event.is_set():
            self.ending = ending
            self.event.set()
            _arm_deadline(self._seconds)


def _handler(batches: Batches, health: Health) -> Handle:
    async def handle(topic: str, records: list[Record], acknowledge: Acknowledge) -> None:
        try:
            with health.batch():
                await batches.run(topic, records, acknowledge)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of the batch may be acknowledged
            _fail(error, topic=topic)

    return handle


def _end_if_failed(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()):
        _fail(error)


def _fail(error: BaseException, **where: str) -> NoReturn:
    """End the process at once. The message of a `FatalError` explains it; others need their traceback."""
    unexplained = None if isinstance(error, FatalError) else error
    log.critical("worker_failed", **where, error=said(error), exc_info=unexplained)
    os._exit(EXIT_FAILED)


def _arm_deadline(seconds: float) -> None:
    """End the process after `seconds`, whatever hangs. Batches without an ack are delivered again."""

    def expire() -> None:
        log.error("stop_deadline", seconds=seconds)
        os._exit(EXIT_DEADLINE)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()

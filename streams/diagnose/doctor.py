"""Check everything that a worker needs. Each finding says how to fix what is wrong."""

import asyncio
import difflib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from rolecall.encoder.artifact import ArtifactError
from rolecall.encoder.model import Encoder
from rolecall.schemas.broker.reading import partitions_of
from rolecall.schemas.errors import RolecallError
from rolecall.schemas.match import Side
from rolecall.schemas.topics import MATCHES, SIDE_OF
from rolecall.streams.connect import connect_index
from rolecall.streams.errors import IndexMismatch, IndexUnavailable, NotDeployed, Unreachable
from rolecall.streams.index.port import SPACES, Space
from rolecall.streams.kafka.lag import groups_with_commits, handled, lag
from rolecall.streams.kafka.read import newest_records
from rolecall.streams.kafka.topic_settings import deviations
from rolecall.streams.kafka.topics import missing_topics
from rolecall.streams.rollout.steps import group
from rolecall.streams.rollout.topic import newest_rollout, served_collections
from rolecall.streams.settings import Settings, unknown_names
from rolecall.streams.worker.intact import lost
from rolecall.streams.worker.placement import REMEDY, misplaced

MAX_CLOCK_DIFFERENCE_SECONDS = 2.0
KEYS_READ = 100  # of each partition
CHECK_SECONDS = 4.0  # for the broker's, then for the rest: less than 10 s in all


@dataclass(frozen=True, slots=True)
class Finding:
    part: str
    healthy: bool
    state: str
    remedy: str = ""
    required: bool = True


async def diagnose(settings: Settings) -> AsyncIterator[Finding]:
    """Yields each finding as soon as it is made."""
    if misspelt := unknown_names(os.environ):
        yield Finding(
            "settings", False, f"no such setting: {', '.join(misspelt)}", _meant(misspelt[0]), required=False
        )
    encoder, model = _model(settings)
    yield model
    try:
        missing = await missing_topics(settings)
    except Unreachable as error:
        state, _, remedy = str(error).partition("; ")
        yield Finding("broker", False, state, remedy)
    else:
        yield Finding("broker", True, settings.broker)
        if missing:
            yield Finding("topics", False, f"missing: {', '.join(missing)}", "rolecall topics create")
        else:
            checks = {"topics": _topics, "keys": _keys, "clock": _clock, "lag": _lag}
            asked = [_in_time(part, partial(check, settings)) for part, check in checks.items()]
            for found in await asyncio.gather(*asked):
                for each in found:
                    yield each
    asked = [_in_time("index", partial(_index, settings, encoder))] if encoder is not None else []
    for found in await asyncio.gather(*asked, _in_time("redis", partial(_redis, settings))):
        for each in found:
            yield each


async def _in_time(part: str, check: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """The findings of a check, or one finding that says why it failed. So no check blocks the others."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        state, remedy = f"no answer within {CHECK_SECONDS:g} s", "try again; look at the log of the broker"
    except KafkaError as error:
        state, remedy = f"{type(error).__name__}: {error}", "look at the log of the broker"
    except RolecallError as error:
        state, _, remedy = str(error).partition("; ")
    return [Finding(part, False, state, remedy)]


async def _topics(settings: Settings) -> list[Finding]:
    found = await deviations(settings)
    if not found:
        return [Finding("topics", True, "all there, as the contracts need them")]
    return [Finding("topics", False, str(each), each.remedy, required=each.loses_state) for each in found]


async def _keys(settings: Settings) -> list[Finding]:
    """Whether the newest records lie in the partitions that Kafka's own clients choose for their keys."""
    found = []
    for topic in SIDE_OF:
        newest = await newest_records(settings, topic, KEYS_READ)
        partitions = len(await partitions_of(settings, topic))
        if wrong := misplaced(newest, partitions):
            state = (
                f"{len(wrong):,} of the newest {len(newest):,} records of {topic} lie in another partition "
                f"than murmur2 gives their key, the first at {topic}/{wrong[0].partition}/{wrong[0].offset}"
            )
            found.append(Finding("keys", False, state, REMEDY, required=False))
    return found or [Finding("keys", True, "the newest records lie in the partitions of their keys")]


def _meant(name: str) -> str:
    known = [f"ROLECALL_{field.upper()}" for field in Settings.model_fields]
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "`rolecall settings` lists them all"


def _model(settings: Settings) -> tuple[Encoder | None, Finding]:
    started = time.perf_counter()
    try:
        encoder = Encoder.load(settings.model, device=settings.device)
    except ArtifactError as error:
        remedy = "set ROLECALL_MODEL to the directory of a trained model, or unset it to use the bundled one"
        return None, Finding("model", False, str(error), remedy)
    seconds = time.perf_counter() - started
    state = f"{encoder.version}, {encoder.dims} dimensions on {encoder.device}, loaded in {seconds:.1f} s"
    return encoder, Finding("model", True, state)


async def _clock(settings: Settings) -> list[Finding]:
    """Revisions are timestamps: if a clock is wrong, the wrong event counts as the newer one."""
    newest = await newest_records(settings, MATCHES.name, 1)
    if not newest:
        return [Finding("clock", True, "nothing published yet to compare with")]
    ahead = max(each.timestamp_ms for each in newest) / 1000 - time.time()
    if ahead > MAX_CLOCK_DIFFERENCE_SECONDS:
        state = f"the newest match is dated {ahead:.1f} s ahead of this clock"
        return [Finding("clock", False, state, "synchronise the clocks (NTP)")]
    return [Finding("clock", True, "not behind the newest match")]


async def _lag(settings: Settings) -> list[Finding]:
    live = await _live_group(settings)
    behind = await lag(settings, live, settings.inputs)
    wait = "event waits" if behind == 1 else "events wait"
    return [Finding("lag", True, f"{behind:,} {wait} for the workers of {live}")]


async def _live_group(settings: Settings) -> str:
    rollout = await newest_rollout(settings)
    base = settings.consumer_group
    return base if rollout is None else group(rollout.live, base)


async def _index(settings: Settings, encoder: Encoder) -> list[Finding]:
    where = str(settings.edge_socket) if settings.index == "edge" else settings.qdrant_url
    try:
        name = await served_collections(settings, encoder.version) or encoder.version
    except NotDeployed as error:
        return [Finding("index", False, str(error), "point ROLECALL_MODEL at the live model")]
    index = connect_index(settings, name, encoder.dims)
    try:
        if gone := await index.missing():
            return [await _lacking(settings, where, gone)]
        counts = {side: await index.count(side) for side in Side}
    except IndexUnavailable as error:
        remedy = (
            "run `rolecall up`, and export the lines it prints"
            if settings.index == "edge"
            else "start Qdrant, or set ROLECALL_QDRANT_URL; for the embedded index ROLECALL_INDEX=edge"
        )
        return [Finding("index", False, str(error), remedy)]
    except IndexMismatch as error:
        state, _, remedy = str(error).rpartition("; ")
        return [Finding("index", False, state, remedy)]
    finally:
        await index.close()
    held = ", ".join(f"{count:,} {side} points" for side, count in counts.items())
    open_key = settings.index == "qdrant" and settings.qdrant_api_key and where.startswith("http:")
    plain = Finding(
        "index",
        False,
        f"the API key is sent to {where} without TLS",
        "use https:// in ROLECALL_QDRANT_URL where the network is not your own",
        required=False,
    )
    return [Finding("index", True, f"{where}: {held}"), *([plain] if open_key else [])]


async def _lacking(settings: Settings, where: str, gone: Sequence[Space]) -> Finding:
    """If no group has committed an offset, no worker ever ran: then missing collections are all right."""
    if len(gone) == len(SPACES) and not await groups_with_commits(settings, settings.consumer_group):
        return Finding("index", True, f"{where}: no collection yet, the first worker creates them")
    if not (gone := lost(gone, await handled(settings, await _live_group(settings)))):
        return Finding("index", True, f"{where}: the next worker that starts adds the collection of verdicts")
    state = f"{where} lacks the collections of {', '.join(gone)}, and workers have committed offsets"
    return Finding("index", False, state, "run `rolecall rebuild`: it makes the index again from the topics")


async def _redis(settings: Settings) -> list[Finding]:
    if settings.redis_url is None:
        return [Finding("redis", True, "off: embeddings are not cached")]
    redis = Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=2, socket_connect_timeout=2)
    ping: Callable[[], Awaitable[object]] = redis.ping
    try:
        await ping()
    except RedisError as error:
        state = f"{type(error).__name__}: {error}"
        remedy = "workers go on without it; start Redis, or unset ROLECALL_REDIS_URL"
        return [Finding("redis", False, state, remedy, required=False)]
    finally:
        await redis.aclose()
    return [Finding("redis", True, "answers")]

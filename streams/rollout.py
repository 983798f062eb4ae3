"""`rolecall rollout` and `rolecall rebuild`: build another, switch to it, go back, remove one."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.model import Encoder
from schemas.rollout import Deployment, Rollout
from schemas.topics import MATCHES
from streams import deployment, lag
from streams.app import connect_index
from streams.deployment import RolloutRefused, collections, rehearsal
from streams.embedded import spawn
from streams.publish import KafkaPublisher, Outgoing, Publisher, producer
from streams.reach import require_topics
from streams.rollouts import WATCH_SECONDS, Rollouts, followed, write
from streams.settings import Settings
from streams.to_end import records_to_end
from streams.topics import create_rehearsal, delete_topic

LEVEL_SECONDS = 5.0  # nearer than this behind, a deployment keeps up
PAUSE_SECONDS = 0.2
ALONE_SECONDS = 60.0
COPIED_AT_ONCE = 1_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a command reads and writes."""

    settings: Settings
    rollouts: Rollouts
    publisher: Publisher

    async def now(self) -> Rollout:
        newest = await self.rollouts.newest()
        if newest is None:
            raise RolloutRefused("no worker ever ran on this broker: start one, it is live then")
        return newest

    async def write(self, rollout: Rollout) -> Rollout:
        return await write(self.publisher, rollout)

    def group(self, of: Deployment) -> str:
        return deployment.group(of, self.settings.consumer_group)


@asynccontextmanager
async def desk(settings: Settings) -> AsyncIterator[Desk]:
    await require_topics(settings)
    sender = producer(settings)
    await sender.start()
    try:
        async with followed(settings) as rollouts:
            yield Desk(settings, rollouts, KafkaPublisher(sender))
    finally:
        await sender.stop()


async def start(at: Desk, model: Path) -> Deployment:
    encoder = await asyncio.to_thread(Encoder.load, model, device="cpu")
    return await _start(at, encoder.version, again=False)


async def _start(at: Desk, version: str, *, again: bool) -> Deployment:
    rollout = await at.now()
    live = rollout.live.model_version
    if not again and live == version:
        raise RolloutRefused(f"model {version} is live already; `rolecall rebuild` makes its index anew")
    if again and live != version:
        raise RolloutRefused(f"the live model is {live}, this one is {version}: set ROLECALL_MODEL")
    after = deployment.started(rollout, version)
    assert after.next is not None
    await create_rehearsal(at.settings, rehearsal(after.next))
    await at.write(after)
    return after.next


async def switch(at: Desk, say: Say) -> Rollout:
    """Once the newer deployment is level with the inputs, its matches count. May be begun again."""
    rollout = await at.now()
    if rollout.next is not None:
        await _level(at, rollout.next, say)
        rollout = await at.write(deployment.promoted(rollout))
    green = deployment.newer_standby(rollout)
    # Whatever was published for events past this fence is in `matches`, what is before it in the rehearsal.
    ends = await lag.fence(at.settings, at.group(green))
    await _reached(at, green, ends, say)
    copied = await _copy(at, rehearsal(green))
    say(f"{copied:,} matches and withdrawals published")
    return await at.write(deployment.swapped(rollout))


async def roll_back(at: Desk) -> Rollout:
    return await at.write(deployment.rolled_back(await at.now()))


async def drop(at: Desk, say: Say) -> Deployment:
    """Remove what is not live: its workers stop, then its collections and its rehearsal go."""
    rollout = await at.now()
    after = deployment.leaving(rollout)
    if after is not rollout:
        await at.write(after)
    gone = after.leaving
    assert gone is not None
    say(f"waiting for the workers of {collections(gone)} to stop")
    await _emptied(at, at.group(gone))
    index = connect_index(at.settings, collections(gone), dims=1)
    try:
        await index.drop()
    finally:
        await index.close()
    await delete_topic(at.settings, rehearsal(gone))
    await at.write(deployment.left(after))
    return gone


async def rebuild(at: Desk, say: Say) -> Rollout:
    """The live model's index, anew from the topics, by a worker that runs for as long as it takes."""
    settings = at.settings
    encoder = await asyncio.to_thread(Encoder.load, settings.model, device="cpu")
    fresh = await _start(at, encoder.version, again=True)
    say(f"building {collections(fresh)}")
    with _builder() as check:
        switched = asyncio.create_task(switch(at, say))
        while not switched.done():
            check()
            await asyncio.wait([switched], timeout=PAUSE_SECONDS)
        rollout = await switched
        await drop(at, say)
    return rollout


@contextmanager
def _builder() -> Iterator[Callable[[], None]]:
    command = [sys.executable, "-m", "streams.cli", "worker", "--newest"]
    with spawn(command, {**os.environ, "ROLECALL_HTTP_PORT": "0"}) as process:

        def check() -> None:
            if process.poll() is not None:
                raise RolloutRefused(
                    f"the building worker ended with exit code {process.returncode}; its log is above."
                    " `rolecall rollout drop` removes what it made"
                )

        yield check


async def status(at: Desk) -> dict[str, Any]:
    """Each deployment with its group, its workers, and the events that it has not handled yet."""
    rollout = await at.now()
    found: dict[str, Any] = {}
    for name in ("live", "standby", "next", "leaving"):
        there: Deployment | None = getattr(rollout, name)
        if there is not None:
            found[name] = {
                **there.model_dump(),
                "group": at.group(there),
                "workers": await lag.members(at.settings, at.group(there)),
                "lag": await lag.lag(at.settings, at.group(there)),
            }
    return found


async def _level(at: Desk, green: Deployment, say: Say) -> None:
    """Fence after fence, until one is reached at once."""
    group = at.group(green)
    deadline = time.monotonic() + ALONE_SECONDS
    while not await lag.members(at.settings, group):
        if time.monotonic() > deadline:
            raise RolloutRefused(
                f"no worker of model {green.model_version} came: start one, with ROLECALL_MODEL its directory"
            )
        await asyncio.sleep(PAUSE_SECONDS)
    while True:
        began = time.monotonic()
        await _reached(at, green, await lag.fence(at.settings, group), say)
        if time.monotonic() - began < LEVEL_SECONDS:
            return


async def _reached(at: Desk, green: Deployment, ends: dict[Any, int], say: Say) -> None:
    told, moved = 0, time.monotonic()
    while left := await lag.missing(at.settings, at.group(green), ends):
        if left != told:
            say(f"{left:,} events to go")
            told, moved = left, time.monotonic()
        elif time.monotonic() - moved > ALONE_SECONDS:
            raise RolloutRefused(
                f"{left:,} events to go, and for {ALONE_SECONDS:.0f} s none less: look at the workers of"
                f" group {at.group(green)}, then run this again"
            )
        await asyncio.sleep(PAUSE_SECONDS)


async def _copy(at: Desk, topic: str) -> int:
    copied, waiting = 0, list[Outgoing]()
    async for record in records_to_end(at.settings, topic):
        waiting.append(Outgoing(MATCHES.name, record.key, record.value, record.headers))
        if len(waiting) == COPIED_AT_ONCE:
            await at.publisher.publish(waiting)
            copied, waiting = copied + len(waiting), []
    await at.publisher.publish(waiting)
    return copied + len(waiting)


async def _emptied(at: Desk, group: str) -> None:
    """Or until its workers must have ended: the embedded broker may keep the last member that left."""
    deadline = time.monotonic() + WATCH_SECONDS + at.settings.stop_seconds + PAUSE_SECONDS
    while time.monotonic() < deadline:
        if await lag.members(at.settings, group) == 0:
            return
        await asyncio.sleep(PAUSE_SECONDS)

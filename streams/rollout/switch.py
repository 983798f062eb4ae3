"""`rolecall rollout` and `rolecall rebuild`: build another, switch to it, go back, remove one."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Side
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.schemas.topics import MATCHES
from rolecall.streams.connect import connect_index
from rolecall.streams.errors import RolloutRefused
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import read_event
from rolecall.streams.events.records import Outgoing
from rolecall.streams.kafka import lag
from rolecall.streams.kafka.publisher import KafkaPublisher, Publisher
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.kafka.topics import create_rehearsal, delete_topic, require_topics
from rolecall.streams.process import ROLECALL, spawn
from rolecall.streams.rollout import steps
from rolecall.streams.rollout.steps import Rebuild, collections, rehearsal
from rolecall.streams.rollout.topic import RolloutTopic, followed, write_next
from rolecall.streams.settings import Settings

log = structlog.get_logger()

LEVEL_SECONDS = 5.0  # nearer than this behind, a deployment keeps up
PAUSE_SECONDS = 0.2
ALONE_SECONDS = 60.0
WATCH_SECONDS = 1.0  # a worker looks that often whether it is to stop
COPIED_AT_ONCE = 1_000

MOST_LOST = 0.9  # a rebuilt index with less of either side than this share of the live one is not taken

Say = Callable[[str], None]
Check = Callable[[Deployment, Deployment], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RolloutSession:
    """What the commands of a rollout read and write with."""

    settings: Settings
    rollouts: RolloutTopic
    publisher: Publisher

    async def now(self) -> Rollout:
        newest = await self.rollouts.newest()
        if newest is None:
            raise RolloutRefused("no worker ever ran on this broker: start one, it is live then")
        return newest

    async def write(self, before: Rollout, after: Rollout) -> Rollout:
        return await write_next(self.rollouts, self.publisher, before, after)

    def group(self, of: Deployment) -> str:
        return steps.group(of, self.settings.consumer_group)


@asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[RolloutSession]:
    await require_topics(settings)
    publisher = KafkaPublisher.of(settings)
    try:
        await publisher.start()
        async with followed(settings) as rollouts:
            yield RolloutSession(settings, rollouts, publisher)
    finally:
        await publisher.stop()


async def start(at: RolloutSession, model: Path, *, despite_gate: str | None = None) -> Deployment:
    """Raises `RolloutRefused` if the gate kept the model back, unless `despite_gate` says why it is to be
    built."""
    encoder = await asyncio.to_thread(Encoder.load, model, device="cpu")
    if (reasons := kept_back(model, encoder.version)) and despite_gate is None:
        raise RolloutRefused(
            f"the gate kept model {encoder.version} back: {'; '.join(reasons)}. If it is to serve all the "
            'same, say why: rolecall rollout start MODEL --despite-gate "REASON"'
        )
    return await _start(at, encoder.version, again=False, despite_gate=despite_gate if reasons else None)


def kept_back(model: Path, version: str) -> list[str]:
    """Why the gate of `rolecall retrain` kept the model back; empty if it did not, or never judged it."""
    try:
        verdict = orjson.loads((model / "gate.json").read_bytes())
        if verdict["version"] != version or verdict["promoted"]:
            return []
        return [str(each) for each in verdict["reasons"]] or ["it gives no reason"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        return [f"{model / 'gate.json'} cannot be read ({type(error).__name__})"]


async def _start(
    at: RolloutSession, version: str, *, again: bool, despite_gate: str | None = None
) -> Deployment:
    rollout = await at.now()
    live = rollout.live.model_version
    if not again and live == version:
        raise RolloutRefused(f"model {version} is live already; `rolecall rebuild` makes its index anew")
    if again and live != version:
        raise RolloutRefused(f"the live model is {live}, this one is {version}: set ROLECALL_MODEL")
    after = steps.started(rollout, version, despite_gate)
    assert after.next is not None
    await create_rehearsal(at.settings, rehearsal(after.next))
    await at.write(rollout, after)
    return after.next


async def switch(at: RolloutSession, say: Say, *, check: Check | None = None) -> Rollout:
    """Wait until the newer deployment has caught up, then let its matches count. Can be run again.

    `check` is called when it has caught up, and may raise `RolloutRefused` before its matches count.
    """
    rollout = await at.now()
    if rollout.next is not None:
        await _level(at, rollout.next, say)
        if check is not None:
            await check(rollout.live, rollout.next)
        rollout = await at.write(rollout, steps.promoted(rollout))
    green = steps.newer_standby(rollout)
    # Matches of events after this fence go to `matches`. Those of earlier ones are in the rehearsal topic.
    ends = await lag.fence(at.settings, at.group(green))
    await _reached(at, green, ends, say)
    copied, known = await _copy(at, rehearsal(green))
    say(f"{copied:,} matches and withdrawals published, {known:,} were published before")
    return await at.write(rollout, steps.swapped(rollout))


async def roll_back(at: RolloutSession) -> Rollout:
    """Raises `RolloutRefused` unless the older deployment has workers, and they are not behind."""
    rollout = await at.now()
    after = steps.rolled_back(rollout)
    group = at.group(after.live)
    if not await lag.members(at.settings, group):
        raise RolloutRefused(
            f"no worker of {collections(after.live)} runs, so nothing new would be matched: start one "
            f"(ROLECALL_MODEL=DIRECTORY rolecall worker, with the directory of {after.live.model_version})"
        )
    if behind := await lag.lag(at.settings, group, at.settings.inputs):
        await _reached(at, after.live, await lag.fence(at.settings, group), lambda _: None)
        log.info("rollback_waited", group=group, events=behind)
    return await at.write(rollout, after)


async def drop(at: RolloutSession, say: Say) -> Deployment:
    """Remove what is not live: its workers stop, then its collections and its rehearsal go."""
    rollout = await at.now()
    after = steps.leaving(rollout)
    if after is not rollout:
        await at.write(rollout, after)
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
    await at.write(after, steps.left(after))
    return gone


async def rebuild(at: RolloutSession, say: Say, *, yes: bool = False) -> Rollout:
    """Build the live model's index again from the topics, with a worker of its own, and switch to it.

    Continues a rebuild that was interrupted. Raises `RolloutRefused` if the new index holds far less than the
    one that it replaces, unless `yes`.
    """
    settings = at.settings

    async def compare(live: Deployment, fresh: Deployment) -> None:
        counts = {of: await _counts(settings, of, encoder.dims) for of in (live, fresh)}
        for of, held in counts.items():
            say(
                f"{collections(of)}: "
                + ", ".join(f"{number:,} {side} points" for side, number in held.items())
            )
        shrunk = any(counts[fresh][side] < MOST_LOST * counts[live][side] for side in Side)
        if shrunk and not yes:
            raise RolloutRefused(
                "the new index holds far less than the live one: the topics may have lost records. Nothing"
                " was switched. `rolecall rollout drop` removes the new index; `rolecall rebuild --yes`"
                " replaces the live one all the same"
            )

    encoder = await asyncio.to_thread(Encoder.load, settings.model, device="cpu")
    rollout = await at.now()
    ours = rollout.live.model_version == encoder.version
    if ours and steps.rebuild_of(rollout) is Rebuild.SWITCHED:
        say("an earlier rebuild has switched already: only what it replaced is left to drop")
        await drop(at, say)
        return await at.now()
    if ours and steps.rebuild_of(rollout) is Rebuild.BUILDS:
        fresh = rollout.next or steps.newer_standby(rollout)
        say(f"going on with {collections(fresh)}, which an earlier rebuild began")
    else:
        fresh = await _start(at, encoder.version, again=True)
        say(f"building {collections(fresh)}")
    with _builder() as check:
        switched = asyncio.create_task(switch(at, say, check=compare))
        while not switched.done():
            check()
            await asyncio.wait([switched], timeout=PAUSE_SECONDS)
        rollout = await switched
        await drop(at, say)
    return rollout


async def _counts(settings: Settings, of: Deployment, dims: int) -> dict[Side, int]:
    index = connect_index(settings, collections(of), dims)
    try:
        gone = await index.missing()  # a rebuild may be what is made for it
        return {side: 0 if side in gone else await index.count(side) for side in Side}
    finally:
        await index.close()


@contextmanager
def _builder() -> Iterator[Callable[[], None]]:
    command = [*ROLECALL, "worker", "--newest"]
    with spawn(command, {"ROLECALL_HTTP_PORT": "0"}) as process:

        def check() -> None:
            if process.poll() is not None:
                raise RolloutRefused(
                    f"the building worker ended with exit code {process.returncode}; its log is above."
                    " `rolecall rollout drop` removes what it made"
                )

        yield check


async def status(at: RolloutSession) -> dict[str, Any]:
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
                "lag": await lag.lag(at.settings, at.group(there), at.settings.inputs),
            }
    return found


async def _level(at: RolloutSession, green: Deployment, say: Say) -> None:
    """Repeat: note where the inputs end, wait until the group gets there. Stop once that takes under 5 s."""
    group = at.group(green)
    deadline = time.monotonic() + ALONE_SECONDS
    while not await lag.members(at.settings, group):
        if time.monotonic() > deadline:
            raise RolloutRefused(
                f"no worker of model {green.model_version} runs: start one (ROLECALL_MODEL=DIRECTORY "
                "rolecall worker, with the directory of this model)"
            )
        await asyncio.sleep(PAUSE_SECONDS)
    while True:
        began = time.monotonic()
        await _reached(at, green, await lag.fence(at.settings, group), say)
        if time.monotonic() - began < LEVEL_SECONDS:
            return


async def _reached(at: RolloutSession, green: Deployment, ends: dict[Any, int], say: Say) -> None:
    told, moved = 0, time.monotonic()
    while left := await lag.missing(at.settings, at.group(green), ends):
        if left != told:
            say(f"{left:,} {'event' if left == 1 else 'events'} to go")
            told, moved = left, time.monotonic()
        elif time.monotonic() - moved > ALONE_SECONDS:
            raise RolloutRefused(
                f"events to go: {left:,}, the same number for {ALONE_SECONDS:.0f} s: look at the workers of"
                f" group {at.group(green)}, then run this again"
            )
        await asyncio.sleep(PAUSE_SECONDS)


async def _copy(at: RolloutSession, topic: str) -> tuple[int, int]:
    """Returns how many were published, and how many were not because `matches` has them already."""
    state = MatchState()
    async for record in records_to_end(at.settings, MATCHES.name):
        if event := read_event(record.value):
            state.apply(event)
    copied, known, waiting = 0, 0, list[Outgoing]()
    async for record in records_to_end(at.settings, topic):
        event = read_event(record.value)
        if event is not None and state.knows(event):
            known += 1
            continue
        waiting.append(Outgoing(MATCHES.name, record.key, record.value, record.headers))
        if event is not None:
            state.apply(event)
        if len(waiting) == COPIED_AT_ONCE:
            await at.publisher.publish(waiting)
            copied, waiting = copied + len(waiting), []
    await at.publisher.publish(waiting)
    return copied + len(waiting), known


async def _emptied(at: RolloutSession, group: str) -> None:
    """Return when the group has no member.

    Also return after the longest time that a worker needs to stop: the embedded broker may still list a
    member that left.
    """
    deadline = time.monotonic() + WATCH_SECONDS + at.settings.stop_seconds + PAUSE_SECONDS
    while time.monotonic() < deadline:
        if await lag.members(at.settings, group) == 0:
            return
        await asyncio.sleep(PAUSE_SECONDS)

"""What a running worker watches: the broker, its group, its input topics and its deployment."""

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog
from aiokafka.errors import KafkaError

from rolecall.schemas.rollout import Deployment
from rolecall.streams.errors import FatalError, GaveUp, PublishFailed
from rolecall.streams.kafka.lag import Progress, may_read
from rolecall.streams.kafka.topic_ids import Made, made
from rolecall.streams.monitor.contact import Contact
from rolecall.streams.rollout.steps import stays
from rolecall.streams.rollout.topic import RolloutTopic
from rolecall.streams.settings import Settings
from rolecall.streams.worker.placement import Placement

log = structlog.get_logger()

WATCH_SECONDS = 1.0
LINE_SECONDS = 5.0  # between two lines that say the same
ANSWER_SECONDS = 5.0


class TopicRemade(FatalError):
    """An input topic was deleted, or made again, while the worker ran. It has to begin anew."""

    exit_code = 1


class Watch:
    def __init__(
        self,
        settings: Settings,
        group: str,
        rollouts: RolloutTopic,
        contact: Contact,
        progress: Callable[[], Progress],
        placement: Placement,
    ) -> None:
        self._settings = settings
        self._group = group
        self._rollouts = rollouts
        self._contact = contact
        self._progress = progress
        self._placement = placement
        self._joined = time.monotonic()  # when it was last seen in its group
        self._told = self._joined  # when a line last said that it is not
        self._inputs: dict[str, Made] = {}

    async def until_dropped(self, deployment: Deployment) -> None:
        """Return when the deployment is to end: it is neither live, nor standing by, nor being built.

        Raises `FatalError` when the broker stays away, the group lets nobody in, or an input was made again.
        """
        while True:
            try:
                rollout = await self._rollouts.newest()
                self._compare(await self._ask())
            except (PublishFailed, KafkaError, OSError, TimeoutError) as error:
                self._contact.failed(str(error) or f"no answer within {ANSWER_SECONDS:g} s")
            else:
                self._contact.answered()
                self._check_group()
                self._check_fetches()
                if rollout is not None and not stays(rollout, deployment):
                    return
            await asyncio.sleep(WATCH_SECONDS)

    async def _ask(self) -> dict[str, Made]:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await made(self._settings, [topic.name for topic in self._settings.inputs])

    def _compare(self, now: Mapping[str, Made]) -> None:
        for name, before in self._inputs.items():
            if name not in now or now[name].id != before.id:
                was = "deleted" if name not in now else "deleted and made again"
                raise TopicRemade(
                    f"topic {name} was {was} while this worker ran, which would miss the new records. "
                    "It ends, to be started again on the new topic. `rolecall rebuild` removes what only the "
                    "old one held"
                )
            if now[name].partitions > before.partitions:
                log.warning(
                    "partitions_added", topic=name, before=before.partitions, now=now[name].partitions
                )
        self._inputs = dict(now)
        self._placement.partitions = {name: each.partitions for name, each in now.items()}

    def _check_group(self) -> None:
        if self._progress().joined:
            self._joined = self._told = time.monotonic()
            return
        outside = time.monotonic() - self._joined
        # A group that lost a member lets nobody in before the session of that member is over.
        if outside > self._settings.session_timeout_seconds + self._settings.retry_seconds:
            raise GaveUp(
                f"group {self._group} did not let this worker in for {outside:.0f} s. It needs the "
                f"right to Read the group: {may_read(self._group)}"
            )
        if time.monotonic() - self._told > LINE_SECONDS:
            self._told = time.monotonic()
            log.warning("not_in_the_group", group=self._group, seconds=round(outside))

    def _check_fetches(self) -> None:
        """The broker answers at its bootstrap address, but the consumer may still look for it elsewhere."""
        if (silent := self._progress().silent_seconds) > self._settings.retry_seconds:
            raise GaveUp(
                f"a partition was not fetched for {silent:.0f} s, although {self._settings.broker} answers. "
                "The worker ends, so that its next start asks the bootstrap addresses again"
            )

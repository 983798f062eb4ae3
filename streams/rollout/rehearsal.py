"""A deployment that is being built publishes to a topic of its own, until its matches count."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from rolecall.schemas.dead_letter import Stage
from rolecall.schemas.rollout import Deployment
from rolecall.schemas.topics import DEAD_LETTERS, MATCHES
from rolecall.streams.events.records import ERASURE_COPY, Outgoing
from rolecall.streams.kafka.publisher import Publisher
from rolecall.streams.rollout.steps import publishes, rehearsal
from rolecall.streams.rollout.topic import RolloutTopic

Place = tuple[str, int, int]  # topic, partition, offset
Handled = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]


class Rehearsing:
    """The publisher of a deployment that is not live yet: its matches go to its rehearsal topic.

    Before each publication it reads the topic `rollouts`, until it may publish. So once the record is written
    that lets it publish, the matches of every later event go to `matches`, on every worker.
    """

    def __init__(
        self,
        publisher: Publisher,
        rollouts: RolloutTopic,
        deployment: Deployment,
        handled: Handled,
        *,
        silent: bool,
    ) -> None:
        """`handled`: how far the live deployment has committed each input, by topic and partition."""
        self._publisher = publisher
        self._rollouts = rollouts
        self._deployment = deployment
        self._handled = handled
        self.silent = silent

    async def publish(self, records: Iterable[Outgoing]) -> None:
        records = list(records)
        if self.silent and records:
            rollout = await self._rollouts.newest()
            self.silent = rollout is None or not publishes(rollout, self._deployment)
        if self.silent:
            topic = rehearsal(self._deployment)
            handled = await self._handled() if any(_origin(each) for each in records) else {}
            records = [_redirected(each, topic) for each in records if not _told_before(each, handled)]
        await self._publisher.publish(records)


def _redirected(record: Outgoing, topic: str) -> Outgoing:
    if record.topic != MATCHES.name:
        return record
    return Outgoing(topic, record.key, record.value, record.headers)


def _origin(record: Outgoing) -> Place | None:
    """Where the refused record was, or the erasure that this is a copy of; None for every other record."""
    said = dict(record.headers)
    if record.besides is not None:
        partition, _, offset = said[ERASURE_COPY].partition(b"/")
        return record.topic, int(partition), int(offset)
    if record.topic != DEAD_LETTERS.name or said["__connect.errors.stage"] != Stage.RECEIVE.value.encode():
        return None
    topic, partition, offset = (said[f"__connect.errors.{each}"] for each in ("topic", "partition", "offset"))
    return topic.decode(), int(partition), int(offset)


def _told_before(record: Outgoing, handled: Mapping[tuple[str, int], int]) -> bool:
    """Whether the live deployment has published this already.

    While a deployment rehearses, it reads old records again. The live deployment has dead-lettered those that
    cannot be read, and has copied the erasures, up to its committed offsets. It may never come to later ones,
    so these are published.
    """
    origin = _origin(record)
    if origin is None:
        return False
    topic, partition, offset = origin
    return offset < handled.get((topic, partition), 0)

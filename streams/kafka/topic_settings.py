"""Compares the settings of the topics on the broker with what the contracts need."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.topics import CANDIDATES, TOPICS, VACANCIES, Topic

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Deviation:
    """A setting that differs from what the contract needs, and the command that mends it."""

    topic: str
    state: str
    reason: str
    remedy: str
    loses_state: bool = False  # no worker may start on it

    def __str__(self) -> str:
        return f"{self.topic}: {self.state}, {self.reason}"


async def deviations(settings: BrokerSettings, topics: Sequence[Topic] = TOPICS) -> list[Deviation]:
    """Checks the topics that exist. Empty if the broker does not tell settings, as the embedded broker."""
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await admin.start()
        described = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
        there = [topic for topic in topics if topic.name in described]
        asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in there]
        try:
            answers = await admin.describe_configs(asked)
        except (IncompatibleBrokerVersion, NotImplementedError, KafkaError):
            return []
    finally:
        await admin.close()
    found: dict[str, dict[str, str]] = {}
    for answer in answers:
        for error, _, _, name, entries in answer.resources:
            if not error:
                found[name] = {entry[0]: entry[1] for entry in entries}
    counts = {name: len(partitions) for name, partitions in described.items()}
    return [*_of_settings(there, found, settings.broker), *_of_sides(counts, settings.broker)]


def _of_settings(
    topics: Sequence[Topic], found: Mapping[str, Mapping[str, str]], broker: str
) -> Iterator[Deviation]:
    for topic in topics:
        has = found.get(topic.name)
        if not has:
            continue
        for name, needed, reason, loses_state in needs(topic, has):
            yield Deviation(
                topic.name,
                f"{name}={has[name]}",
                reason,
                f"kafka-configs.sh --bootstrap-server {broker} --alter --entity-type topics "
                f"--entity-name {topic.name} --add-config {name}={needed}",
                loses_state,
            )


def needs(topic: Topic, has: Mapping[str, str]) -> Iterator[tuple[str, str, str, bool]]:
    """Yields (setting, needed value, reason, whether states get lost) for each wrong setting.

    A setting that the broker does not tell counts as right.
    """
    compacted = topic.cleanup_policy == "compact"
    if has.get("cleanup.policy", topic.cleanup_policy) != topic.cleanup_policy:
        reason = (
            "which deletes states that nobody has published again"
            if compacted
            else "which keeps one event a key and drops the rest"
        )
        yield "cleanup.policy", topic.cleanup_policy, reason, compacted
    kept = "delete.retention.ms" if compacted else "retention.ms"
    if UNLIMITED < int(has.get(kept, UNLIMITED)) < topic.retention_ms:
        reason = f"the contract keeps {'tombstones' if compacted else 'records'} {topic.retention_ms} ms"
        yield kept, str(topic.retention_ms), reason, False
    for lasts in ("segment.ms", "max.compaction.lag.ms") if compacted else ("segment.ms",):
        if int(has.get(lasts, 0)) > topic.segment_ms:
            yield lasts, str(topic.segment_ms), "so erased texts stay on disk for that long", False
    most = topic.max_message_bytes
    if most is not None and int(has.get("max.message.bytes", most)) < most:
        needed = str(most)
        yield "max.message.bytes", needed, "large dead letters are refused or cut", False
    if has.get("message.timestamp.type", "CreateTime") != "CreateTime":
        yield "message.timestamp.type", "CreateTime", "an erasure's revision is its producer's time", False


def _of_sides(counts: Mapping[str, int], broker: str) -> Iterator[Deviation]:
    vacancies, candidates = counts.get(VACANCIES.name), counts.get(CANDIDATES.name)
    if vacancies and candidates and vacancies != candidates:
        fewer = VACANCIES if vacancies < candidates else CANDIDATES
        yield Deviation(
            fewer.name,
            f"{counts[fewer.name]} partitions, the other side has {max(vacancies, candidates)}",
            "so workers share the load unevenly",
            f"kafka-topics.sh --bootstrap-server {broker} --alter --topic {fewer.name} "
            f"--partitions {max(vacancies, candidates)}, then `rolecall rebuild`: keys move",
        )

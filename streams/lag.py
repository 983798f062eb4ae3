"""How far a consumer group is behind its topics."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topics import CANDIDATES, VACANCIES

INPUTS = (VACANCIES.name, CANDIDATES.name)


async def end_offsets(broker: str, topics: Sequence[str]) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=broker)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in consumer.partitions_for_topic(topic) or ()
        ]
        return dict(await consumer.end_offsets(partitions))
    finally:
        await consumer.stop()


async def lag(broker: str, group: str, topics: Sequence[str] = INPUTS) -> int:
    """Events of the topics that the group has not committed yet."""
    ends = await end_offsets(broker, topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(group, partitions=list(ends))
    finally:
        await admin.close()
    done = {partition: metadata.offset for partition, metadata in committed.items()}
    return sum(end - max(done.get(partition, 0), 0) for partition, end in ends.items())

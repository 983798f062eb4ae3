"""The record that closes the segment of a quiet partition disturbs nobody."""

from rolecall.schemas.match import Side
from rolecall.schemas.topics import CANDIDATES, RULES, VACANCIES
from rolecall.streams.events.record import Record
from rolecall.streams.worker.rolling import ROLL_ID, ROLL_SECONDS, rolling_records

PARTITIONS = [("vacancies", 1), ("candidates", 0), ("candidates", 3), ("rules", 0), ("occupations", 0)]


def test_each_partition_of_entities_gets_one():
    records = rolling_records(PARTITIONS)
    assert [(each.topic, each.partition) for each in records] == [
        ("candidates", 0), ("candidates", 3), ("vacancies", 1),
    ]  # fmt: skip
    assert {(each.key, each.value, each.timestamp_ms) for each in records} == {(ROLL_ID.encode(), None, None)}
    assert RULES.name not in {each.topic for each in records}


def test_it_comes_several_times_in_the_time_of_a_segment():
    assert min(VACANCIES.segment_ms, CANDIDATES.segment_ms) >= 4 * ROLL_SECONDS * 1000


async def test_a_worker_takes_it_and_publishes_no_copy_and_no_letter(world, make):
    await world.vacancies(make.vacancy("v1"))
    await world.candidates(make.candidate("c1"))
    matched = world.pairs
    [record] = rolling_records([("candidates", 0)])
    for at in (1_000, 2_000):
        await world.candidates(Record("candidates", 0, at, record.key, None, at, record.headers))
    assert {each.topic for each in world.publisher.records} == {"matches"}
    assert world.index.live(Side.CANDIDATE) == {"c1"}
    assert world.pairs == matched
    assert {each.entity_id for each in world.withdrawn} <= {ROLL_ID}

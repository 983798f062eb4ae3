"""Records in another partition than the one of their key, and erasures that reach every partition."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from rolecall.streams.worker.placement import Placement, misplaced

# murmur2 as Kafka's Java client hashes, from the table in its own UtilsTest: "21" -> -973932308,
# "foobar" -> -790332482, "abc" -> 479470107. Without the sign, modulo 4: 0, 2, 3.
JAVA = {b"21": 0, b"foobar": 2, b"abc": 3}


@pytest.fixture
def record(make):
    def made(key, partition):
        return replace(make.raw(b"{}", key), partition=partition)

    return made


def test_where_java_writes_nothing_is_misplaced(record):
    assert misplaced([record(key, partition) for key, partition in JAVA.items()], 4) == []


def test_another_partition_is_noticed(record):
    wrong = record(b"foobar", 1)
    assert misplaced([record(b"21", 0), wrong], 4) == [wrong]


def test_a_copy_of_an_erasure_belongs_to_every_partition(record):
    assert misplaced([replace(record(b"foobar", 1), headers=[("__rolecall.erasure", b"2/7")])], 4) == []


def test_before_the_partitions_are_known_nothing_is_said(record):
    assert misplaced([record(b"foobar", 1)], 0) == []


def test_of_a_topic_whose_partitions_are_not_known_yet_nothing_is_said(record):
    assert Placement().check("vacancies", [record(b"foobar", 1)]) == 0


def test_a_record_without_a_key_may_be_anywhere(record):
    assert misplaced([record(None, number) for number in range(4)], 4) == []


def test_it_is_logged_once_a_minute_with_how_many_there_were(record):
    clock = [0.0]
    placement = Placement(now=lambda: clock[0])
    placement.partitions = {"vacancies": 4}
    with capture_logs() as logs:
        for _ in range(3):
            placement.check("vacancies", [record(b"foobar", 1)] * 5)
            clock[0] += 30
    assert [line["records"] for line in logs] == [5, 10]


def test_the_line_says_where_the_first_of_them_is(record):
    placement = Placement()
    placement.partitions = {"vacancies": 4}
    right, wrong, another = record(b"21", 0), record(b"foobar", 1), record(b"abc", 0)
    with capture_logs() as logs:
        assert placement.check("vacancies", [right, wrong, another]) == 2
    [line] = logs
    assert (line["topic"], line["partition"], line["offset"]) == ("vacancies", 1, wrong.offset)
    assert "murmur2" in line["remedy"]


def test_each_topic_has_a_minute_of_its_own(record):
    placement = Placement(now=lambda: 0.0)
    placement.partitions = {"vacancies": 4, "candidates": 4}
    with capture_logs() as logs:
        for topic in ("vacancies", "candidates", "vacancies"):
            placement.check(topic, [record(b"foobar", 1)])
    assert [line["topic"] for line in logs] == ["vacancies", "candidates"]


def test_of_records_in_their_place_nothing_is_said(record):
    placement = Placement()
    placement.partitions = {"vacancies": 4}
    with capture_logs() as logs:
        assert placement.check("vacancies", [record(b"foobar", 2)]) == 0
    assert logs == []


class TestErasures:
    async def test_one_goes_to_every_other_partition_with_its_time(self, world, make):
        await world.candidates(replace(make.erasure("c1", at=9), topic="candidates", partition=2))
        [copy] = [each for each in world.publisher.records if each.topic == "candidates"]
        assert (copy.key, copy.value, copy.timestamp_ms, copy.besides) == (b"c1", None, 9, 2)

    async def test_a_copy_is_not_copied_and_withdraws_nothing_again(self, world, make):
        await world.candidates(make.candidate("c1"))
        original = replace(make.erasure("c1", at=9), topic="candidates", partition=2)
        await world.candidates(original)
        [sent] = [each for each in world.publisher.records if each.topic == "candidates"]
        before = len(world.publisher.records)
        copied = replace(make.erasure("c1", at=9), topic="candidates", partition=0, headers=sent.headers)
        await world.candidates(copied)
        assert len(world.publisher.records) == before

    async def test_a_copy_that_comes_first_in_a_replay_erases(self, world, make):
        await world.candidates(make.candidate("c1"))
        copied = replace(make.erasure("c1", at=9), headers=[("__rolecall.erasure", b"2/7")])
        await world.candidates(copied)
        assert world.index.live("candidate") == set()
        assert [each.reason for each in world.withdrawn] == ["erased"]

    async def test_a_stale_erasure_is_not_copied(self, world, make):
        await world.candidates(make.candidate("c1", revision=10))
        await world.candidates(make.erasure("c1", at=9))
        assert [each for each in world.publisher.records if each.besides is not None] == []

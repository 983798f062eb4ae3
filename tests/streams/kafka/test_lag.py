"""What a group has committed, where its inputs end, and how many events lie between."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
)

from rolecall.schemas.topics import INPUTS, VACANCIES
from rolecall.streams.errors import NotAllowed, PublishFailed
from rolecall.streams.kafka import lag
from rolecall.streams.settings import Settings

V0, V1, C0 = TopicPartition("vacancies", 0), TopicPartition("vacancies", 1), TopicPartition("candidates", 0)
SETTINGS = Settings(_env_file=None, broker="kafka.test:9092")


class Cluster:
    """A broker with partitions, groups and their commits. Each client of it must be closed."""

    def __init__(self):
        self.ends = {V0: 10, V1: 20, C0: 5}
        self.commits = {}  # by group
        self.workers = {}
        self.error = None
        self.open = 0
        self.assigned = {}

    async def partitions_of(self, settings, *topics):
        return [each for each in self.ends if each.topic in topics]

    async def ends_now(self, consumer):
        return {each: self.ends[each] for each in self.assigned}

    def assign(self, consumer, starts):
        self.assigned = starts

    async def start(self):
        self.open += 1

    async def close(self):
        self.open -= 1

    stop = close

    async def list_consumer_group_offsets(self, group, partitions=None):
        """As Kafka says: -1 for a partition without a commit, if it is asked for by name."""
        if self.error:
            raise self.error
        found = self.commits.get(group, {})
        if partitions is not None:
            found = {each: found.get(each, -1) for each in partitions}
        return {each: SimpleNamespace(offset=offset) for each, offset in found.items()}

    async def describe_consumer_groups(self, groups):
        if self.error:
            raise self.error
        [group] = groups
        members = [("member", n) for n in range(self.workers.get(group, 0))]
        return [SimpleNamespace(groups=[(0, group, "Stable", "consumer", "range", members)])]

    async def list_consumer_groups(self):
        return [(name, "consumer") for name in self.commits]


@pytest.fixture
def cluster(monkeypatch):
    cluster = Cluster()
    for name in ("partitions_of", "ends_now", "assign"):
        monkeypatch.setattr(lag, name, getattr(cluster, name))
    for client in ("AIOKafkaAdminClient", "AIOKafkaConsumer"):
        monkeypatch.setattr(lag, client, lambda **_: cluster)
    yield cluster
    assert cluster.open == 0


async def test_lag_is_what_lies_between_the_commits_and_the_ends(cluster):
    """10 - 4, all 20 of a partition without a commit, 5 - 5."""
    cluster.commits["rolecall"] = {V0: 4, C0: 5}
    assert await lag.lag(SETTINGS, "rolecall") == 26
    assert cluster.assigned == {V0: 4, V1: 0, C0: 5}


async def test_lag_of_chosen_topics_leaves_out_the_others(cluster):
    assert await lag.lag(SETTINGS, "rolecall", [VACANCIES]) == 30


async def test_a_partition_that_was_made_again_below_its_commit_lags_by_nothing(cluster):
    cluster.commits["rolecall"] = {V0: 500, V1: 20, C0: 4}
    assert await lag.lag(SETTINGS, "rolecall") == 1


async def test_a_fence_is_the_end_of_every_partition_of_every_input(cluster):
    every = {TopicPartition(topic.name, number): number for topic in INPUTS for number in range(3)}
    cluster.ends = {**every, TopicPartition("matches", 0): 9}
    assert await lag.fence(SETTINGS, "rolecall") == every


async def test_feedback_that_no_worker_reads_is_behind_no_fence(cluster):
    settings = SETTINGS.model_copy(update={"drop_turned_down": False})
    cluster.ends = {TopicPartition("feedback", 0): 9, V0: 10}
    assert await lag.fence(settings, "rolecall") == {V0: 10}


async def test_only_events_before_the_fence_are_missing(cluster):
    """V0 lacks 6; V1 has passed the fence by 3; C0 never committed, so it lacks 5."""
    cluster.commits["rolecall"] = {V0: 4, V1: 23}
    assert await lag.missing(SETTINGS, "rolecall", {V0: 10, V1: 20, C0: 5}) == 11


async def test_a_group_that_has_reached_the_fence_misses_nothing(cluster):
    cluster.commits["rolecall"] = {V0: 10}
    assert await lag.missing(SETTINGS, "rolecall", {V0: 10}) == 0


async def test_what_was_handled_is_told_by_topic_and_partition(cluster):
    cluster.commits["rolecall"] = {V0: 4, C0: 5}
    handled = await lag.handled(SETTINGS, "rolecall")
    assert handled == {("vacancies", 0): 4, ("vacancies", 1): 0, ("candidates", 0): 5}


async def test_without_a_broker_what_was_handled_may_be_asked_again(cluster):
    cluster.error = KafkaConnectionError("nobody there")
    with pytest.raises(PublishFailed, match=r"offsets of rolecall: KafkaConnectionError: .*nobody there"):
        await lag.handled(SETTINGS, "rolecall")


async def test_the_members_of_a_group_are_counted(cluster):
    cluster.workers["rolecall"] = 3
    assert [await lag.members(SETTINGS, each) for each in ("rolecall", "rolecall-g1")] == [3, 0]


async def test_a_new_cluster_knows_no_group_and_that_is_no_error(cluster):
    cluster.error = GroupCoordinatorNotAvailableError()
    assert await lag.members(SETTINGS, "rolecall") == 0
    assert await lag.lag(SETTINGS, "rolecall") == 35


async def test_a_right_that_is_missing_is_named(cluster):
    cluster.error = GroupAuthorizationFailedError()
    for asked in (lag.members, lag.lag):
        with pytest.raises(NotAllowed, match=r"group rolecall on kafka.test:9092.* --operation Read --group"):
            await asked(SETTINGS, "rolecall")


async def test_of_all_groups_those_of_this_name_and_its_generations_with_commits_are_found(cluster):
    some, none = {V0: 0, V1: 1}, {V0: 0, V1: -1}
    cluster.commits = {
        "role.call-g12": some,
        "role.call": some,
        "role.call-g1": none,
        "role.call-g": some,
        "role.call-g2x": some,
        "role.call-other": some,
        "my-role.call": some,
        "roleXcall": some,
    }
    assert await lag.groups_with_commits(SETTINGS, "role.call") == ["role.call", "role.call-g12"]


def test_a_worker_that_has_not_begun_has_joined_nothing_and_waits_for_nothing():
    assert lag.Progress() == lag.Progress({}, unacked=0, joined=False, silent_seconds=0.0)

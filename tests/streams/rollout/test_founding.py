"""Who may write the first rollout record. If one was lost, a second first one would revive an old index."""

from types import SimpleNamespace

import pytest

from rolecall.schemas.match import Side
from rolecall.streams.errors import IndexUnavailable, NotDeployed
from rolecall.streams.rollout import founding, switch
from tests.streams.fakes import SharedTopic
from tests.streams.rollout.cluster import SWAPPED

SETTINGS = SimpleNamespace(consumer_group="rolecall")


class Index:
    """Points of both sides; None where there is no collection."""

    def __init__(self, vacancies=None, candidates=None):
        self.points = {Side.VACANCY: vacancies, Side.CANDIDATE: candidates}
        self.closed = False
        self.error = None

    async def missing(self):
        return [side for side, points in self.points.items() if points is None]

    async def count(self, side):
        if self.error:
            raise self.error
        return self.points[side]

    async def close(self):
        self.closed = True


@pytest.fixture
def checked(monkeypatch):
    """The check of the first worker, where the groups have committed and the index holds this."""

    async def check(groups, index, *, found=False):
        async def groups_with_commits(settings, base):
            assert base == "rolecall"
            return groups

        monkeypatch.setattr(founding, "groups_with_commits", groups_with_commits)
        monkeypatch.setattr(founding, "connect_index", lambda settings, version, dims: index)
        await founding.check_unfounded(SETTINGS, "blue", 4, found=found)

    return check


@pytest.mark.parametrize("index", [Index(), Index(0, 0), Index(0)])
async def test_where_nothing_ever_was_it_may_be_founded(checked, index):
    await checked([], index)
    assert index.closed


async def test_a_group_with_commits_says_that_a_record_was_lost(checked):
    with pytest.raises(NotDeployed, match=r"group rolecall, rolecall-g2 has committed.*rollout found"):
        await checked(["rolecall", "rolecall-g2"], Index())


@pytest.mark.parametrize("index", [Index(7, 3), Index(10), Index(0, 10)])
async def test_points_in_the_index_say_that_a_record_was_lost(checked, index):
    with pytest.raises(NotDeployed, match=r"holds 10 points of model blue.*rollout found"):
        await checked([], index)
    assert index.closed


async def test_points_may_be_allowed_and_commits_may_not(checked):
    await checked([], Index(7, 3), found=True)
    with pytest.raises(NotDeployed, match="group rolecall has committed"):
        await checked(["rolecall"], Index(), found=True)


async def test_an_index_that_does_not_answer_is_closed_all_the_same(checked):
    index = Index(7, 3)
    index.error = IndexUnavailable("away")
    with pytest.raises(IndexUnavailable):
        await checked([], index)
    assert index.closed


async def test_a_lost_record_is_written_again_with_the_generation_that_is_live():
    topic = SharedTopic()
    at = switch.RolloutSession(SETTINGS, topic.reader(), topic)
    written = await founding.found(at, "green", 4)
    assert await topic.reader().newest() == written
    assert (written.live.model_version, written.live.generation, written.generations) == ("green", 4, 5)


async def test_where_a_record_is_none_is_written_again():
    topic = SharedTopic(SWAPPED)
    at = switch.RolloutSession(SETTINGS, topic.reader(), topic)
    with pytest.raises(NotDeployed, match="green-g1 is live: nothing is lost"):
        await founding.found(at, "green", 4)
    assert len(topic.records) == 1

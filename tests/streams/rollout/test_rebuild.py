"""A rebuild, and how what is not live is dropped."""

import asyncio
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import pytest

from rolecall.schemas.match import Side
from rolecall.streams.errors import RolloutRefused
from rolecall.streams.process import ROLECALL
from rolecall.streams.rollout import steps, switch
from tests.streams.rollout.cluster import FOUNDED, LEAVING, STARTED, SWAPPED, roles

RED = steps.founded("red")
REBUILDING_RED = steps.started(RED, "red")


class TestDrop:
    ORDER = ("live=green leaving=blue", "drop index blue", "close blue", "delete matches-g0", "live=green")

    async def test_workers_are_gone_before_the_points_and_the_points_before_the_record(self, cluster):
        at = cluster(SWAPPED)
        gone = await switch.drop(at.session, at.said.append)
        assert gone.model_version == "blue"
        assert at.did == list(self.ORDER)
        assert at.said == ["waiting for the workers of blue to stop"]

    async def test_interrupted_it_goes_on_without_a_second_record(self, cluster):
        at = cluster(LEAVING)
        await switch.drop(at.session, at.said.append)
        assert at.did == list(self.ORDER[1:])

    async def test_it_waits_until_the_group_is_empty(self, cluster):
        at = cluster(SWAPPED)
        at.members["rolecall"] = [2, 2, 1, 0]
        await switch.drop(at.session, at.said.append)
        assert round(at.clock, 3) == 0.6  # it asks five times a second

    async def test_a_member_that_stays_is_waited_for_as_long_as_a_worker_may_take_to_stop(self, cluster):
        """1 s until it looks, 5 s to stop, 0.2 s between two questions."""
        at = cluster(SWAPPED)
        at.members["rolecall"] = [1]
        await switch.drop(at.session, at.said.append)
        assert round(at.clock, 3) == pytest.approx(6.2, abs=0.2)
        assert at.newest() == "live=green"


class TestRebuild:
    @pytest.fixture
    def rebuilding(self, cluster, monkeypatch):
        """The model blue is loaded. The building worker runs, or is found ended."""

        def made(rollout, *, ended=None):
            at = cluster(rollout)
            at.checks = 0
            at.points = {name: dict.fromkeys(Side, 10) for name in ("blue", "blue-g1")}

            @contextmanager
            def builder():
                def check():
                    at.checks += 1
                    if ended and at.checks == 3:
                        raise ended

                at.did.append("builder starts")
                yield check
                at.did.append("builder stops")

            monkeypatch.setattr(switch, "_builder", builder)
            loaded = SimpleNamespace(version="blue", dims=4)
            monkeypatch.setattr(switch.Encoder, "load", lambda *_, **__: loaded)
            return at

        return made

    async def test_it_builds_switches_and_drops(self, rebuilding):
        at = rebuilding(FOUNDED)
        done = await switch.rebuild(at.session, at.said.append)
        assert (roles(done), done.live.generation) == ("live=blue standby=blue", 1)
        assert [
            each for each in at.did if "=" in each or "builder" in each or each.startswith(("create", "d"))
        ] == [
            "create matches-g1",
            "live=blue next=blue",
            "builder starts",
            "live=blue standby=blue",
            "live=blue standby=blue",
            "live=blue leaving=blue",
            "drop index blue",
            "delete matches-g0",
            "live=blue",
            "builder stops",
        ]
        assert at.said[0] == "building blue-g1"

    @pytest.mark.parametrize("side", Side)
    async def test_an_index_that_holds_less_than_nine_tenths_of_a_side_is_not_taken(self, rebuilding, side):
        at = rebuilding(FOUNDED)
        at.points["blue-g1"][side] = 8
        with pytest.raises(RolloutRefused, match=r"far less.*rolecall rebuild --yes"):
            await switch.rebuild(at.session, at.said.append)
        assert at.newest() == "live=blue next=blue"

    async def test_nine_tenths_are_enough(self, rebuilding):
        at = rebuilding(FOUNDED)
        at.points["blue-g1"] = dict.fromkeys(Side, 9)
        await switch.rebuild(at.session, at.said.append)
        assert at.newest() == "live=blue"

    async def test_asked_to_it_takes_an_empty_index_and_says_both_counts(self, rebuilding):
        at = rebuilding(FOUNDED)
        at.points["blue-g1"] = {}
        await switch.rebuild(at.session, at.said.append, yes=True)
        assert at.newest() == "live=blue"
        assert at.said[1:3] == [
            "blue: 10 vacancy points, 10 candidate points",
            "blue-g1: 0 vacancy points, 0 candidate points",
        ]
        assert [each for each in at.did if "close" in each][:2] == ["close blue", "close blue-g1"]

    @pytest.mark.parametrize(
        "step", [steps.started(FOUNDED, "blue"), steps.promoted(steps.started(FOUNDED, "blue"))]
    )
    async def test_interrupted_before_the_switch_it_builds_the_same_deployment(self, rebuilding, step):
        at = rebuilding(step)
        await switch.rebuild(at.session, at.said.append)
        assert at.said[0] == "going on with blue-g1, which an earlier rebuild began"
        assert "create matches-g2" not in at.did
        assert at.newest() == "live=blue"

    async def test_interrupted_after_the_switch_it_only_drops(self, rebuilding):
        at = rebuilding(steps.swapped(steps.promoted(steps.started(FOUNDED, "blue"))))
        done = await switch.rebuild(at.session, at.said.append)
        assert (roles(done), done.live.generation) == ("live=blue", 1)
        assert "builder starts" not in at.did
        assert at.said[0].startswith("an earlier rebuild has switched already")

    async def test_a_builder_that_ends_ends_the_rebuild(self, rebuilding, monkeypatch):
        at = rebuilding(FOUNDED, ended=RolloutRefused("the building worker ended"))
        at.left = [5]  # for ever
        at.sleeps_for_real = True
        monkeypatch.setattr(switch, "PAUSE_SECONDS", 0.001)
        with pytest.raises(RolloutRefused, match="the building worker ended"):
            await asyncio.wait_for(switch.rebuild(at.session, at.said.append), 20)
        assert at.newest() == "live=blue next=blue"

    async def test_beside_a_rollout_to_another_model_it_is_refused(self, rebuilding):
        at = rebuilding(STARTED)
        with pytest.raises(RolloutRefused, match="green-g1 is being built"):
            await switch.rebuild(at.session, at.said.append)

    @pytest.mark.parametrize("step", [RED, REBUILDING_RED, steps.swapped(steps.promoted(REBUILDING_RED))])
    async def test_of_a_model_that_is_not_live_it_is_refused(self, rebuilding, step):
        """Also where a rebuild of the live one was interrupted."""
        at = rebuilding(step)
        with pytest.raises(
            RolloutRefused, match="the live model is red, this one is blue: set ROLECALL_MODEL"
        ):
            await switch.rebuild(at.session, at.said.append)
        assert at.did == []


class TestBuilder:
    """The worker that a rebuild starts."""

    def test_it_serves_the_newer_deployment_on_a_port_of_its_own(self, monkeypatch):
        """Another worker of the same model may run on this machine."""
        started = []

        @contextmanager
        def spawn(command, environment):
            started.append((command, environment["ROLECALL_HTTP_PORT"]))
            yield SimpleNamespace(poll=lambda: None)

        monkeypatch.setattr(switch, "spawn", spawn)
        with switch._builder() as check:
            check()
        assert started == [([*ROLECALL, "worker", "--newest"], "0")]

    def test_once_it_has_ended_the_check_says_with_which_exit_code(self, monkeypatch):
        @contextmanager
        def spawn(command, environment):
            yield SimpleNamespace(poll=lambda: 0, returncode=0)

        monkeypatch.setattr(switch, "spawn", spawn)
        with switch._builder() as check, pytest.raises(RolloutRefused, match="exit code 0"):
            check()


async def test_a_session_stops_its_publisher_however_it_ends(monkeypatch):
    did = []

    class KafkaPublisher:
        @classmethod
        def of(cls, settings):
            return cls()

        async def start(self):
            did.append("start")

        async def stop(self):
            did.append("stop")

    @asynccontextmanager
    async def followed(settings):
        did.append("follow")
        yield "rollouts"

    async def require_topics(settings):
        did.append("topics are there")

    for name, fake in {
        "KafkaPublisher": KafkaPublisher,
        "followed": followed,
        "require_topics": require_topics,
    }.items():
        monkeypatch.setattr(switch, name, fake)

    async def refused():
        async with switch.session(SimpleNamespace()) as at:
            assert at.rollouts == "rollouts"
            raise RolloutRefused("any")

    with pytest.raises(RolloutRefused):
        await refused()
    assert did == ["topics are there", "start", "follow", "stop"]

"""A switch: what each step waits for, and in which order they come."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from rolecall.schemas.match import Match, MatchesWithdrawn, Reasons, Side, WithdrawalReason
from rolecall.streams.errors import RolloutRefused
from rolecall.streams.rollout import switch
from tests.streams.rollout.cluster import FOUNDED, LEAVING, PROMOTED, STARTED, SWAPPED, roles

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(event):
    return SimpleNamespace(key=b"v", value=event.model_dump_json().encode(), headers=[("ce_id", b"1")])


def match(vacancy, model="green"):
    return Match(
        id=f"{vacancy}/{model}",
        occurred_at=NOW,
        vacancy_id=vacancy,
        vacancy_revision=1,
        candidate_id="c1",
        candidate_revision=1,
        model_version=model,
        score=0.5,
        confidence=0.5,
        found_by=Side.VACANCY,
        rank=1,
        reasons=Reasons(vacancy_certainty=0.5, candidate_certainty=0.5),
    )


def withdrawn(vacancy, revision=2):
    return MatchesWithdrawn(
        side=Side.VACANCY,
        entity_id=vacancy,
        revision=revision,
        reason=WithdrawalReason.CLOSED,
        occurred_at=NOW,
    )


class TestSwitch:
    async def test_the_fence_comes_after_the_record_that_lets_the_new_model_publish(self, cluster):
        """Set before, a match of an event behind it could still go to the rehearsal topic, and stay there."""
        at = cluster(STARTED)
        at.held["matches-g1"] = [record(match("v1"))]
        done = await switch.switch(at.session, at.said.append)
        assert at.did == [
            "fence rolecall-g1",
            "reached rolecall-g1",
            "live=blue standby=green",
            "fence rolecall-g1",
            "reached rolecall-g1",
            "read matches",
            "read matches-g1",
            "publish 1",
            "live=green standby=blue",
        ]
        assert roles(done) == "live=green standby=blue"

    async def test_interrupted_after_the_promotion_it_goes_on_from_there(self, cluster):
        at = cluster(PROMOTED)
        await switch.switch(at.session, at.said.append)
        assert at.did[0] == "fence rolecall-g1"
        assert [each for each in at.did if "=" in each] == ["live=green standby=blue"]

    async def test_the_check_comes_before_the_promotion_and_may_refuse_it(self, cluster):
        at, compared = cluster(STARTED), []

        async def check(live, fresh):
            compared.append((live.model_version, fresh.model_version))
            raise RolloutRefused("far less")

        with pytest.raises(RolloutRefused, match="far less"):
            await switch.switch(at.session, at.said.append, check=check)
        assert compared == [("blue", "green")]
        assert at.did == ["fence rolecall-g1", "reached rolecall-g1"]

    @pytest.mark.parametrize("rollout", [FOUNDED, SWAPPED])
    async def test_without_a_newer_deployment_it_is_refused(self, cluster, rollout):
        at = cluster(rollout)
        with pytest.raises(RolloutRefused, match="nothing to switch to"):
            await switch.switch(at.session, at.said.append)
        assert at.did == []

    async def test_while_catching_up_takes_long_it_asks_again_where_the_inputs_end(self, cluster):
        """Events arrive meanwhile: two fences are reached after 60 s and 5 s, the third one at once."""
        at = cluster(STARTED)
        at.reading_takes = [60.0, 5.0, 0.0]
        await switch.switch(at.session, at.said.append)
        assert (
            at.did[: at.did.index("live=blue standby=green")]
            == ["fence rolecall-g1", "reached rolecall-g1"] * 3
        )

    async def test_a_worker_that_joins_within_a_minute_is_waited_for(self, cluster):
        at = cluster(STARTED)
        at.members["rolecall-g1"] = [0] * 299 + [1]  # it asks five times a second
        await switch.switch(at.session, at.said.append)
        assert at.newest() == "live=green standby=blue"

    async def test_without_a_worker_it_gives_up_after_a_minute(self, cluster):
        at = cluster(STARTED)
        at.members["rolecall-g1"] = [0]
        with pytest.raises(RolloutRefused, match="no worker of model green runs"):
            await switch.switch(at.session, at.said.append)
        assert (at.did, round(at.clock)) == ([], 60)

    async def test_it_says_how_many_events_are_left_each_time_the_number_changes(self, cluster):
        at = cluster(PROMOTED)
        at.left = [1200, 1200, 1, 0]
        await switch.switch(at.session, at.said.append)
        assert at.said[:2] == ["1,200 events to go", "1 event to go"]
        at.left = [1, 0]
        await switch._reached(at.session, PROMOTED.standby, {("vacancies", 0): 7}, at.said.append)
        assert at.said[-1] == "1 event to go"

    async def test_a_group_that_stands_still_for_a_minute_ends_it(self, cluster):
        at = cluster(PROMOTED)
        at.left = [9] * 200 + [8]  # moves once, after 40 s
        with pytest.raises(RolloutRefused, match="events to go: 8, the same number for 60 s"):
            await switch.switch(at.session, at.said.append)
        assert round(at.clock) == 100
        assert at.did == ["fence rolecall-g1"]


class TestCopy:
    """Of the matches in the rehearsal topic, those that `matches` lacks are published there."""

    async def test_what_is_there_already_is_not_published_again(self, cluster):
        at = cluster(PROMOTED)
        at.held["matches"] = [record(match("v1")), record(match("v2", "blue")), record(withdrawn("v3"))]
        new = [match("v2"), withdrawn("v3", revision=3)]
        at.held["matches-g1"] = [record(each) for each in (match("v1"), withdrawn("v3"), *new)]
        await switch.switch(at.session, at.said.append)
        assert [each.value.decode() for each in at.published] == [each.model_dump_json() for each in new]
        assert at.said == ["2 matches and withdrawals published, 2 were published before"]

    async def test_what_the_rehearsal_topic_has_twice_is_published_once(self, cluster):
        at = cluster(PROMOTED)
        at.held["matches-g1"] = [record(match("v1"))] * 2
        await switch.switch(at.session, at.said.append)
        assert at.said == ["1 matches and withdrawals published, 1 were published before"]

    async def test_key_and_headers_stay_and_the_topic_is_matches(self, cluster):
        at = cluster(PROMOTED)
        at.held["matches-g1"] = [record(match("v1"))]
        await switch.switch(at.session, at.said.append)
        [sent] = at.published
        assert (sent.topic, sent.key, sent.headers) == ("matches", b"v", [("ce_id", b"1")])

    async def test_an_event_of_a_later_version_is_published_as_it_is(self, cluster):
        at = cluster(PROMOTED)
        at.held["matches-g1"] = [SimpleNamespace(key=b"k", value=b'{"type": "new"}', headers=[])] * 2
        at.held["matches"] = at.held["matches-g1"]
        await switch.switch(at.session, at.said.append)
        assert [each.value for each in at.published] == [b'{"type": "new"}'] * 2

    async def test_many_go_in_lists_of_a_thousand(self, cluster):
        at = cluster(PROMOTED)
        at.held["matches-g1"] = [record(match(f"v{number}")) for number in range(2_001)]
        await switch.switch(at.session, at.said.append)
        assert [each for each in at.did if "publish" in each] == ["publish 1000", "publish 1000", "publish 1"]
        assert at.said == ["2,001 matches and withdrawals published, 0 were published before"]
        assert len({each.value for each in at.published}) == 2_001


class TestStart:
    async def test_the_rehearsal_topic_is_there_before_the_record(self, cluster):
        """A worker that reads the record publishes to the topic at once."""
        at = cluster(FOUNDED)
        fresh = await switch._start(at.session, "green", again=False, despite_gate="we need it")
        assert at.did == ["create matches-g1", "live=blue next=green"]
        assert (fresh.model_version, fresh.generation, fresh.despite_gate) == ("green", 1, "we need it")

    async def test_the_live_model_is_rebuilt_and_not_rolled_out(self, cluster):
        at = cluster(FOUNDED)
        with pytest.raises(RolloutRefused, match="model blue is live already; `rolecall rebuild`"):
            await switch._start(at.session, "blue", again=False)
        assert at.did == []

    async def test_before_any_worker_ran_there_is_nothing_to_roll_out_beside(self, cluster):
        at = cluster(FOUNDED)
        at.rollouts.records.clear()
        with pytest.raises(RolloutRefused, match="no worker ever ran"):
            await switch._start(at.session, "green", again=False)


class TestStatus:
    @pytest.mark.parametrize(
        ("rollout", "groups"),
        [
            (FOUNDED, {"live": "rolecall"}),
            (STARTED, {"live": "rolecall", "next": "rolecall-g1"}),
            (SWAPPED, {"live": "rolecall-g1", "standby": "rolecall"}),
            (LEAVING, {"live": "rolecall-g1", "leaving": "rolecall"}),
        ],
    )
    async def test_every_deployment_is_told_with_its_group(self, cluster, rollout, groups):
        told = await switch.status(cluster(rollout).session)
        assert {name: each["group"] for name, each in told.items()} == groups

    async def test_with_its_workers_and_the_events_that_it_has_not_handled(self, cluster):
        at = cluster(STARTED)
        at.members, at.left = {"rolecall": [2], "rolecall-g1": [1]}, [7]
        told = await switch.status(at.session)
        assert [(each["workers"], each["lag"]) for each in told.values()] == [(2, 7), (1, 7)]
        assert (told["next"]["model_version"], told["next"]["generation"]) == ("green", 1)

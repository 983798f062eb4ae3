"""The steps of a rollout, and how workers and publishers react to them."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from rolecall.schemas.rollout import Deployment
from rolecall.schemas.topics import DEAD_LETTERS, INPUTS, MATCHES
from rolecall.streams.errors import NotDeployed, RolloutRefused
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing, erasure_copy
from rolecall.streams.rollout import steps as deployment
from rolecall.streams.rollout import switch
from rolecall.streams.rollout.rehearsal import Rehearsing
from rolecall.streams.rollout.switch import kept_back
from rolecall.streams.rollout.topic import write_next
from tests.streams.fakes import SharedTopic

FOUNDED = deployment.founded("blue")
STARTED = deployment.started(FOUNDED, "green")
PROMOTED = deployment.promoted(STARTED)
SWAPPED = deployment.swapped(PROMOTED)
LEAVING = deployment.leaving(SWAPPED)
BLUE, GREEN = FOUNDED.live, Deployment(model_version="green", generation=1)


def roles(rollout):
    return {name: each for name in ("live", "standby", "next", "leaving") if (each := getattr(rollout, name))}


def test_a_rollout_goes_forward_and_back():
    assert roles(STARTED) == {"live": BLUE, "next": GREEN}
    assert roles(PROMOTED) == {"live": BLUE, "standby": GREEN}
    assert roles(SWAPPED) == {"live": GREEN, "standby": BLUE}
    assert roles(deployment.rolled_back(SWAPPED)) == roles(PROMOTED)


@pytest.mark.parametrize("rollout", [STARTED, PROMOTED, SWAPPED])
def test_what_is_not_live_leaves_and_is_gone(rollout):
    leaving = deployment.leaving(rollout)
    [gone] = {BLUE, GREEN} - {rollout.live}
    assert roles(leaving) == {"live": rollout.live, "leaving": gone}
    assert deployment.leaving(leaving) == leaving
    assert roles(deployment.left(leaving)) == {"live": rollout.live}


def test_each_step_is_newer_than_the_one_before():
    steps = [FOUNDED, STARTED, PROMOTED, SWAPPED, deployment.leaving(SWAPPED)]
    assert [step.revision for step in steps] == sorted({step.revision for step in steps})


def test_the_revision_of_a_step_is_its_time():
    """Also of a step whose program took the record before from a clock that is ahead: a higher one."""
    old = FOUNDED.model_copy(update={"revision": 1, "occurred_at": datetime(2026, 1, 1, tzinfo=UTC)})
    step = deployment.started(old, "green")
    assert abs(step.revision - step.occurred_at.timestamp() * 1000) <= 1
    assert datetime.now(UTC) - step.occurred_at < timedelta(minutes=1)
    ahead = FOUNDED.model_copy(update={"revision": 2**52})
    assert deployment.started(ahead, "green").revision > 2**52


def test_no_generation_is_given_twice():
    given_up = deployment.left(deployment.leaving(STARTED))
    again = deployment.started(given_up, "green").next
    assert again == Deployment(model_version="green", generation=2)
    assert deployment.collections(again) == "green-g2"
    assert deployment.group(again, "rolecall") == "rolecall-g2"


def test_the_first_has_plain_names():
    assert (deployment.collections(BLUE), deployment.group(BLUE, "rolecall")) == ("blue", "rolecall")


@pytest.mark.parametrize("rollout", [STARTED, PROMOTED, SWAPPED, deployment.leaving(SWAPPED)])
def test_a_second_rollout_waits_for_the_end_of_the_first(rollout):
    with pytest.raises(RolloutRefused, match="rolecall rollout drop"):
        deployment.started(rollout, "red")


@pytest.mark.parametrize(
    ("rollout", "there"),
    [(STARTED, "green-g1 is being built"), (SWAPPED, "blue stands by"), (LEAVING, "blue is not completely")],
)
def test_what_keeps_a_rollout_from_starting_is_named(rollout, there):
    with pytest.raises(RolloutRefused, match=there):
        deployment.started(rollout, "red")


@pytest.mark.parametrize(
    ("rollout", "stay", "publish"),
    [
        (FOUNDED, [BLUE], [BLUE]),
        (STARTED, [BLUE, GREEN], [BLUE]),
        (PROMOTED, [BLUE, GREEN], [BLUE, GREEN]),
        (SWAPPED, [BLUE, GREEN], [BLUE, GREEN]),
        (LEAVING, [GREEN], [GREEN]),
        (deployment.left(LEAVING), [GREEN], [GREEN]),
    ],
)
def test_whose_workers_stay_and_who_publishes_at_each_step(rollout, stay, publish):
    both = BLUE, GREEN
    assert [each for each in both if deployment.stays(rollout, each)] == stay
    assert [each for each in both if deployment.publishes(rollout, each)] == publish


def test_where_one_deployment_is_there_is_nothing_to_drop():
    with pytest.raises(RolloutRefused, match="nothing to drop beside blue"):
        deployment.leaving(FOUNDED)


def test_once_promoted_the_newer_one_is_switched_to():
    assert deployment.newer_standby(PROMOTED) == GREEN


@pytest.mark.parametrize("rollout", [FOUNDED, STARTED, PROMOTED])
def test_before_a_switch_there_is_nothing_to_roll_back_to(rollout):
    with pytest.raises(RolloutRefused, match="nothing to roll back to"):
        deployment.rolled_back(rollout)


@pytest.mark.parametrize("rollout", [FOUNDED, STARTED, SWAPPED])
def test_nothing_older_is_switched_to(rollout):
    with pytest.raises(RolloutRefused, match="nothing to switch to"):
        deployment.newer_standby(rollout)


def test_a_worker_serves_the_deployment_of_its_model():
    for rollout in (STARTED, PROMOTED, SWAPPED):
        assert deployment.served(rollout, "green", newest=False) == GREEN
        assert deployment.served(rollout, "blue", newest=False) == BLUE
    with pytest.raises(NotDeployed, match="model red has no index; live is blue"):
        deployment.served(STARTED, "red", newest=False)


def test_of_two_with_its_model_it_serves_the_live_one_unless_told_otherwise():
    rebuilding = deployment.started(FOUNDED, "blue")
    assert deployment.served(rebuilding, "blue", newest=False) == BLUE
    assert deployment.served(rebuilding, "blue", newest=True).generation == 1


class Topic:
    """A fake topic: it holds the newest rollout and counts the reads."""

    def __init__(self, rollout):
        self.rollout = rollout
        self.read = 0

    async def newest(self):
        self.read += 1
        return self.rollout


MATCH = Outgoing(MATCHES.name, b"v1", b"{}", [("ce_id", b"1")])


def letter(stage, offset=4):
    place = {"topic": b"vacancies", "partition": b"2", "offset": b"%d" % offset, "stage": stage}
    return Outgoing(
        DEAD_LETTERS.name, b"v1", b"{", [(f"__connect.errors.{name}", value) for name, value in place.items()]
    )


async def handled():
    """The live deployment has committed 5 records."""
    return {("vacancies", 2): 5}


@pytest.fixture
def publisher(new_world):
    return new_world().publisher


async def test_rehearsing_it_publishes_to_a_topic_of_its_own(publisher):
    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, handled, silent=True)
    await rehearsing.publish([MATCH])
    assert publisher.records == [Outgoing("matches-g1", b"v1", b"{}", [("ce_id", b"1")])]


async def test_rehearsing_it_repeats_no_dead_letter_of_what_nobody_can_read(publisher):
    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, handled, silent=True)
    await rehearsing.publish([letter(b"receive"), letter(b"encode")])
    assert publisher.records == [letter(b"encode")]


async def test_rehearsing_it_tells_of_a_refused_record_that_the_live_deployment_has_not_handled(publisher):
    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, handled, silent=True)
    await rehearsing.publish([letter(b"receive", offset=4), letter(b"receive", offset=5)])
    assert publisher.records == [letter(b"receive", offset=5)]


async def test_rehearsing_it_tells_of_the_first_record_of_a_partition_without_commits(publisher):
    async def nothing():
        return {}

    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, nothing, silent=True)
    await rehearsing.publish([letter(b"receive", offset=0)])
    assert publisher.records == [letter(b"receive", offset=0)]


async def test_rehearsing_it_takes_records_that_can_be_read_only_once(publisher):
    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, handled, silent=True)
    await rehearsing.publish(each for each in [MATCH, MATCH])
    assert len(publisher.records) == 2


async def test_rehearsing_it_asks_for_commits_only_to_tell_of_refused_records(publisher):
    async def unasked():
        raise AssertionError("this asks the broker")

    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, unasked, silent=True)
    await rehearsing.publish([MATCH, letter(b"encode")])
    assert len(publisher.records) == 2


async def test_with_nothing_to_publish_the_rollouts_are_not_read(publisher):
    topic = Topic(STARTED)
    await Rehearsing(publisher, topic, GREEN, handled, silent=True).publish([])
    assert topic.read == 0


async def test_while_the_record_of_the_rollout_is_lost_it_goes_on_rehearsing(publisher):
    rehearsing = Rehearsing(publisher, Topic(None), GREEN, handled, silent=True)
    await rehearsing.publish([MATCH])
    assert [record.topic for record in publisher.records] == ["matches-g1"]


async def test_it_publishes_from_the_record_on_that_lets_it_and_asks_no_more(publisher):
    topic = Topic(STARTED)
    rehearsing = Rehearsing(publisher, topic, GREEN, handled, silent=True)
    await rehearsing.publish([MATCH])
    topic.rollout = PROMOTED
    for _ in range(3):
        await rehearsing.publish([MATCH])
    assert [record.topic for record in publisher.records] == ["matches-g1", *["matches"] * 3]
    assert topic.read == 2


async def test_given_up_it_publishes_nothing_that_counts(publisher):
    rehearsing = Rehearsing(publisher, Topic(deployment.leaving(STARTED)), GREEN, handled, silent=True)
    await rehearsing.publish([MATCH])
    assert [record.topic for record in publisher.records] == ["matches-g1"]


async def test_rehearsing_a_new_entity_withdraws_what_a_lost_index_may_have_matched(new_world, make):
    world = new_world(rehearses=lambda: True)
    await world.vacancies(make.vacancy("v1", revision=7))
    [withdrawn] = world.withdrawn
    assert (withdrawn.entity_id, withdrawn.revision) == ("v1", 7)


async def test_rehearsing_it_repeats_no_copy_of_an_erasure_that_the_live_deployment_has_handled(publisher):
    rehearsing = Rehearsing(publisher, Topic(STARTED), GREEN, handled, silent=True)
    copies = [erasure_copy(Record("vacancies", 2, offset, b"v1", None, timestamp_ms=9)) for offset in (4, 5)]
    await rehearsing.publish(copies)
    assert publisher.records == copies[1:]


class TestGate:
    """What `rolecall retrain` writes beside a model."""

    def test_a_model_without_a_verdict_may_start(self, tmp_path):
        assert kept_back(tmp_path, "m1") == []

    def test_a_promoted_model_may_start(self, tmp_path):
        (tmp_path / "gate.json").write_text('{"version": "m1", "promoted": true, "reasons": []}')
        assert kept_back(tmp_path, "m1") == []

    def test_a_model_that_was_kept_back_has_the_reasons(self, tmp_path):
        (tmp_path / "gate.json").write_text('{"version": "m1", "promoted": false, "reasons": ["worse"]}')
        assert kept_back(tmp_path, "m1") == ["worse"]

    def test_the_verdict_on_another_model_says_nothing(self, tmp_path):
        (tmp_path / "gate.json").write_text('{"version": "m0", "promoted": false, "reasons": ["worse"]}')
        assert kept_back(tmp_path, "m1") == []

    @pytest.mark.parametrize(
        "damaged", ["", "[]", "{}", '{"version": "m1", "promoted": false, "reasons": []}']
    )
    def test_a_damaged_verdict_does_not_promote(self, tmp_path, damaged):
        (tmp_path / "gate.json").write_text(damaged)
        assert kept_back(tmp_path, "m1")

    async def test_start_refuses_it_and_takes_it_with_a_reason(self, tmp_path, monkeypatch):
        started = []

        async def begin(at, version, *, again, despite_gate=None):
            assert not again, "a rollout brings another model, a rebuild the same one"
            started.append((version, despite_gate))

        monkeypatch.setattr(switch.Encoder, "load", lambda *_, **__: SimpleNamespace(version="m1"))
        monkeypatch.setattr(switch, "_start", begin)
        (tmp_path / "gate.json").write_text('{"version": "m1", "promoted": false, "reasons": ["worse"]}')
        with pytest.raises(RolloutRefused, match=r"kept model m1 back: worse.*--despite-gate"):
            await switch.start(None, tmp_path)
        await switch.start(None, tmp_path, despite_gate="we need Finnish now")
        (tmp_path / "gate.json").unlink()
        await switch.start(None, tmp_path, despite_gate="a reason that it does not need")
        assert started == [("m1", "we need Finnish now"), ("m1", None)]

    def test_the_reason_stays_with_the_deployment(self):
        rollout = deployment.started(FOUNDED, "green", "we need Finnish now")
        assert deployment.swapped(deployment.promoted(rollout)).live.despite_gate == "we need Finnish now"


async def test_of_two_starts_at_once_one_is_refused_and_no_generation_is_shared():
    topic = SharedTopic(FOUNDED)
    one, other = topic.reader(), topic.reader()
    before, also = await one.newest(), await other.newest()
    first, second = deployment.started(before, "green"), deployment.started(also, "red")
    await write_next(one, topic, before, first)
    with pytest.raises(RolloutRefused, match="another `rolecall rollout` wrote at the same moment"):
        await write_next(other, topic, also, second)
    for reader in (one, other, topic.reader()):
        assert (await reader.newest()).next == Deployment(model_version="green", generation=1)


class TestRollback:
    @pytest.fixture
    def session(self, monkeypatch):
        """After a switch from blue to green; with so many workers of blue, so many events behind."""

        def made(workers, behind):
            async def members(settings, group):
                return workers

            async def lag(settings, group, topics):
                return behind

            async def reached(at, there, ends, say):
                waited.append(there.model_version)

            async def fence(settings, group):
                return {}

            monkeypatch.setattr(switch.lag, "members", members)
            monkeypatch.setattr(switch.lag, "lag", lag)
            monkeypatch.setattr(switch.lag, "fence", fence)
            monkeypatch.setattr(switch, "_reached", reached)
            topic = SharedTopic(SWAPPED)
            settings = SimpleNamespace(consumer_group="rolecall", inputs=INPUTS)
            return switch.RolloutSession(settings, topic.reader(), topic)

        waited = []
        made.waited = waited
        return made

    async def test_without_workers_of_the_older_model_it_is_refused(self, session):
        with pytest.raises(RolloutRefused, match="no worker of blue runs"):
            await switch.roll_back(session(workers=0, behind=0))

    async def test_workers_that_are_behind_are_waited_for(self, session):
        done = await switch.roll_back(session(workers=1, behind=7))
        assert (done.live, session.waited) == (BLUE, ["blue"])

    async def test_workers_that_are_level_take_over_at_once(self, session):
        done = await switch.roll_back(session(workers=1, behind=0))
        assert (done.live, session.waited) == (BLUE, [])


def test_an_interrupted_rebuild_goes_on_at_every_step():
    begun = deployment.started(FOUNDED, "blue")
    promoted = deployment.promoted(begun)
    swapped = deployment.swapped(promoted)
    leaving = deployment.leaving(swapped)
    done = deployment.left(leaving)
    steps = FOUNDED, begun, promoted, swapped, leaving, done
    assert [deployment.rebuild_of(each).name for each in steps] == [
        "NOT_BEGUN", "BUILDS", "BUILDS", "SWITCHED", "SWITCHED", "NOT_BEGUN",
    ]  # fmt: skip


def test_a_rollout_to_another_model_is_no_rebuild():
    begun = deployment.started(FOUNDED, "green")
    for each in (begun, deployment.promoted(begun), deployment.swapped(deployment.promoted(begun))):
        assert deployment.rebuild_of(each) is deployment.Rebuild.NOT_BEGUN

"""The invariants, with two workers at once on one stack."""

import random

import numpy as np
import pytest

from rolecall.schemas.match import Side

ENTITIES = 80
OF_LISTS = "floor", "held", "listed", "members"


@pytest.fixture(scope="module")
def history(kit):
    return kit.history(seed=20261122, name="inv", entities=ENTITIES)


@pytest.fixture(scope="module")
def published(wire, workers, history):
    """Publishes the whole history at once, on all partitions, and waits for all effects."""
    sent = wire.send_all(history.records)
    wire.settle()
    return sent


def snapshot(stored, history):
    """What the index holds of the history, in a form that can be compared. Lists are searched again at any
    time, beside the events."""
    return {
        (side, id): (
            point.revision,
            {field: value for field, value in (point.payload or {}).items() if field not in OF_LISTS},
            None if point.vector is None else np.asarray(point.vector).tobytes(),
        )
        for side in Side
        for id, point in stored.points(side, history.ids(side)).items()
    }


def match_ids(wire, history):
    return {match.id for match in history.own(wire.matches)}


def test_the_history_is_worth_the_test(history, published):
    """It covers all partitions and all kinds of events, and some pairs match and some do not."""
    assert {(each.topic, each.partition) for each in published} == {
        (topic, number) for topic in ("vacancies", "candidates") for number in range(4)
    }
    assert sum(entity is None for entity in history.newest.values()) > 5
    possible = len(history.open(Side.VACANCY)) * len(history.open(Side.CANDIDATE))
    assert 0.2 < len(history.expected()) / possible < 0.8


def test_both_workers_took_part(workers, published):
    assert all(sum(line["events"] for line in worker.lines("batch")) > ENTITIES / 4 for worker in workers)


def test_no_compatible_pair_is_missed_and_no_other_holds(wire, history, published, holding):
    assert holding(history.own(wire.matches), wire.withdrawn) == history.expected()


def test_a_pair_has_one_id_however_often_it_was_found(wire, history, published):
    ids = {}
    for match in history.own(wire.matches):
        pair = match.vacancy_id, match.vacancy_revision, match.candidate_id, match.candidate_revision
        ids.setdefault(pair, set()).add(match.id)
    assert {len(each) for each in ids.values()} == {1}
    assert len(set.union(*ids.values())) == len(ids)


def test_both_sides_of_a_pair_see_the_same_score(wire, history, published):
    seen = {}
    for match in history.own(wire.matches):
        seen.setdefault(match.id, []).append((match.score, match.confidence))
    assert all(np.ptp(scores, axis=0).max() < 1e-5 for scores in seen.values())


def test_the_index_holds_the_newest_revision_of_every_id(stored, history, published):
    revisions = {key: revision for key, (revision, *_) in snapshot(stored, history).items()}
    assert revisions == history.revisions


def test_erased_and_closed_entities_leave_only_a_tombstone(stored, history, published):
    tombstones = {key for key, (_, _, vector) in snapshot(stored, history).items() if vector is None}
    assert tombstones == {
        key for key, entity in history.newest.items() if entity is None or entity.status == "closed"
    }


def test_nothing_of_it_was_dead_lettered(wire, published):
    assert not wire.letters.keys() & {each.place for each in published}


class TestReplay:
    @pytest.fixture
    def unchanged(self, wire, stored, history, published, holding):
        """Checks that index, match ids and holding pairs are the same after the body as before it."""

        def state():
            return (
                snapshot(stored, history),
                match_ids(wire, history),
                holding(history.own(wire.matches), wire.withdrawn),
                len(wire.letters),
            )

        before = state()
        yield
        for now, then in zip(state(), before, strict=True):
            assert now == then

    @pytest.mark.usefixtures("unchanged")
    def test_of_the_same_bytes_in_another_order(self, wire, history, published):
        replayed = list(history.records)
        random.Random(1).shuffle(replayed)
        wire.send_all(replayed)
        wire.settle()

    @pytest.mark.usefixtures("unchanged")
    def test_of_the_whole_topics_by_another_group(self, wire, stack, kit, tmp_path, published):
        environment = stack.environment() | kit.wide | {"ROLECALL_CONSUMER_GROUP": "replay"}
        with kit.running_worker(environment, tmp_path / "replay.jsonl"):
            kit.poll(lambda: kit.members(stack.broker, "replay") == 1, "the replaying worker")
            wire.settle("replay")

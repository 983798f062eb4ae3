"""The checks of bench.chaos find missing results, surplus results and wrong dead letters."""

from collections import Counter
from datetime import UTC, datetime
from itertools import product
from types import SimpleNamespace

import orjson
import pytest

from bench.chaos import schedule
from bench.rig.population import Population
from bench.rig.ward import Account, Ledger
from rolecall.schemas.dead_letter import DeadLetterHeaders, Stage
from rolecall.schemas.match import Side
from rolecall.streams.matching.hard_rules import compatible


@pytest.fixture
def truth():
    made = Population(seed=7, size=40)
    made.events(600)
    return made


@pytest.fixture
def ledger(truth):
    """The ledger of a run that published every expected pair once, and nothing else."""
    ledger = Ledger.__new__(Ledger)
    ledger.ids = {pair: {str(pair)} for pair in truth.expected()}
    ledger.published = len(ledger.ids)
    ledger.withdrawn, ledger.letters = [], {}
    return ledger


@pytest.fixture
def stored(truth):
    return dict(truth.revisions)


@pytest.fixture
def account(truth, ledger, stored):
    def points(side, ids):
        return {id: point(truth.newest[side, id], stored[side, id]) for id in ids if (side, id) in stored}

    return Account(SimpleNamespace(ledger=ledger, stored=SimpleNamespace(points=points)), truth)


def point(entity, revision):
    """What the index holds of an entity: a tombstone if it is gone."""
    if entity is None or entity.status != "open":
        return SimpleNamespace(revision=revision, vector=None, payload=None)
    terms = {"employment_types": [str(each) for each in entity.employment_types]}
    card = orjson.dumps({"skills": list(entity.skills), "terms": terms}).decode()
    return SimpleNamespace(revision=revision, vector=(1.0,), payload={"card": card})


def letter(place):
    topic, partition, offset = place
    about = DeadLetterHeaders(
        topic=topic, partition=partition, offset=offset, stage=Stage.MATCH, exception="E", message="m"
    )
    return SimpleNamespace(headers=about.records())


def test_the_pairs_are_those_of_trying_each_with_each(truth):
    now = datetime.now(UTC)
    live = [entity for entity in truth.newest.values() if entity is not None and entity.status == "open"]
    vacancies = [entity for entity in live if hasattr(entity, "title")]
    candidates = [entity for entity in live if hasattr(entity, "titles")]
    assert len(truth.expected()) > 50
    assert truth.expected() == {
        (one.id, one.revision, other.id, other.revision)
        for one, other in product(vacancies, candidates)
        if compatible(one, other, now)
    }


def test_the_same_seed_gives_the_same_events(truth):
    again = Population(seed=7, size=40)
    assert again.events(600) == Population(seed=7, size=40).events(600)
    assert again.revisions == truth.revisions


def test_poison_is_unreadable_or_must_be_encoded():
    planted = [record.value for record, poison in Population(seed=7, size=40).events(3000) if poison]
    assert len(planted) > 20
    assert {b'"status":"closed"' in value for value in planted} == {False}


def test_a_run_without_a_fault_balances(account, truth):
    assert account.lost(truth.newest.keys()) == []
    assert account.wrong_letters() == []
    assert account.wrong_pairs() == set()


def test_an_older_revision_in_the_index_is_a_loss(account, truth, stored):
    key = next(iter(stored))
    stored[key] -= 1
    assert account.lost(truth.newest.keys()) == [f"{key[0]} {key[1]}"]


def test_a_pair_that_was_never_published_is_a_loss(account, truth, ledger):
    pair = next(iter(ledger.ids))
    del ledger.ids[pair]
    assert account.lost([(Side.VACANCY, pair[0])]) == [str(pair)]
    assert account.wrong_pairs() == {pair}


def test_a_withdrawal_too_many_is_found(account, ledger):
    vacancy, revision, *_ = next(iter(ledger.ids))
    ledger.withdrawn.append(SimpleNamespace(side=Side.VACANCY, entity_id=vacancy, revision=revision + 1))
    assert {pair[0] for pair in account.wrong_pairs()} == {vacancy}


def test_a_letter_without_cause_and_poison_without_a_letter_are_found(account, ledger):
    account.planted = {("vacancies", 0, 1), ("vacancies", 0, 2)}
    ledger.letters = {place: letter(place) for place in [("vacancies", 0, 1), ("candidates", 3, 9)]}
    assert account.wrong_letters() == [
        "('vacancies', 0, 2) did not die",
        "('candidates', 3, 9) died in match of E: m",
    ]


def test_two_ids_of_one_pair_are_a_duplicate_that_stays(account, ledger):
    pair = next(iter(ledger.ids))
    ledger.ids[pair].add("another")
    ledger.published += 1
    assert account.repeated() == (1, 1)


def test_each_kind_of_fault_comes_as_often_as_any_other():
    chosen = schedule(3, 11, ["a", "b", "c"])
    assert chosen == schedule(3, 11, ["a", "b", "c"])
    assert sorted(Counter(chosen).values()) == [3, 4, 4]

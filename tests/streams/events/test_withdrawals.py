"""Which events remove an entity, and which matches that withdraws."""

from datetime import UTC, datetime, timedelta

import pytest

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Side, WithdrawalReason
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.receive import Erased, Published
from rolecall.streams.events.withdrawals import reason_to_go, withdrawals

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def published(contract, make, **fields):
    named = {"titles": ("nurse",)} if contract is Candidate else {"title": "nurse"}
    return Published(make.raw(b"{}"), contract(id="e1", occurred_at=NOW, revision=5, **named, **fields))


@pytest.mark.parametrize(
    ("contract", "fields", "reason"),
    [
        (Vacancy, {}, None),
        (Candidate, {}, None),
        (Vacancy, {"status": "closed"}, "closed"),
        (Candidate, {"status": "closed"}, "closed"),
        (Vacancy, {"expires_at": NOW + SECOND}, None),
        (Vacancy, {"expires_at": NOW}, "expired"),
        (Vacancy, {"expires_at": NOW - SECOND}, "expired"),
        (Vacancy, {"expires_at": NOW - SECOND, "status": "closed"}, "closed"),
    ],
)
def test_an_entity_goes_when_it_is_closed_or_expired(make, contract, fields, reason):
    assert reason_to_go(published(contract, make, **fields), NOW) == reason


def test_who_is_erased_goes(make):
    assert reason_to_go(Erased(make.raw(None), "e1", 5), NOW) is WithdrawalReason.ERASED


@pytest.mark.parametrize(
    ("reason", "stored", "withdrawn"),
    [
        (WithdrawalReason.SUPERSEDED, 4, 5),
        (WithdrawalReason.SUPERSEDED, 5, 5),  # the same again: its matches hold
        (WithdrawalReason.CLOSED, 4, 5),
        (WithdrawalReason.CLOSED, 5, 6),  # removed at the revision that was matched
        (WithdrawalReason.ERASED, 5, 6),
        (WithdrawalReason.EXPIRED, 5, 6),
    ],
)
def test_matches_below_the_revision_end(make, reason, stored, withdrawn):
    event = published(Vacancy, make)
    [said] = withdrawals(Side.VACANCY, [(event, reason)], {"e1": stored}, NOW, rehearses=False)
    assert (said.side, said.entity_id, said.revision, said.reason) == (Side.VACANCY, "e1", withdrawn, reason)
    assert said.occurred_at == NOW


@pytest.mark.parametrize(("rehearses", "ids"), [(False, ["old", "last"]), (True, ["old", "new", "last"])])
def test_every_entity_of_a_batch_is_withdrawn_that_may_have_matches(make, rehearses, ids):
    """While it rehearses, the index does not know what was matched before."""
    ended = [(Erased(make.raw(None), id, 5), WithdrawalReason.ERASED) for id in ("old", "new", "last")]
    stored = {"old": 0, "new": None, "last": 5}
    said = withdrawals(Side.CANDIDATE, ended, stored, NOW, rehearses=rehearses)
    assert [each.entity_id for each in said] == ids

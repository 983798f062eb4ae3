"""Which matches an event withdraws. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from rolecall.schemas.common import Status
from rolecall.schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.receive import Entity, Erased, Event

Ended = tuple[Event | Entity, WithdrawalReason]


def reason_to_go(event: Event, now: datetime) -> WithdrawalReason | None:
    """The reason why the event removes its entity from the index; None if it does not."""
    if isinstance(event, Erased):
        return WithdrawalReason.ERASED
    if event.entity.status is Status.CLOSED:
        return WithdrawalReason.CLOSED
    if isinstance(event.entity, Vacancy) and event.entity.expires_at and event.entity.expires_at <= now:
        return WithdrawalReason.EXPIRED
    return None


def withdrawals(
    side: Side, ended: Iterable[Ended], stored: Mapping[str, int | None], now: datetime, *, rehearses: bool
) -> Iterator[MatchesWithdrawn]:
    """One event for each entity that may have matches of an older revision.

    stored: by entity id, the revision that the index held before; None for an id that was new.

    During a rollout or rebuild (`rehearses`) the index starts empty, so it cannot tell which older revisions
    were matched before. Then every event withdraws them.
    """
    for what, reason in ended:
        if stored[what.id] is not None or rehearses:
            yield MatchesWithdrawn(
                side=side,
                entity_id=what.id,
                revision=_revision(what, reason, stored[what.id]),
                reason=reason,
                occurred_at=now,
            )


def _revision(what: Event | Entity, reason: WithdrawalReason, stored: int | None) -> int:
    """If an entity is removed at the very revision that was matched, withdraw at revision + 1, so that those
    matches end as well."""
    ends_its_own = reason is not WithdrawalReason.SUPERSEDED and stored == what.revision
    return what.revision + 1 if ends_its_own else what.revision

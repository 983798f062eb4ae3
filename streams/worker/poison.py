"""Find poison: an event that no attempt can process. Halving finds it; a streak of it means a defect."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from rolecall.schemas.dead_letter import Stage
from rolecall.streams.errors import FatalError, NotTheEvents
from rolecall.streams.events.receive import Reject
from rolecall.streams.events.record import Record
from rolecall.streams.events.records import Outgoing


class Recorded(Protocol):
    @property
    def record(self) -> Record: ...


E = TypeVar("E", bound=Recorded)


async def sift(
    events: Sequence[E],
    effects: Callable[[Sequence[E]], Awaitable[list[Outgoing]]],
    stage: Callable[[], Stage],
    attempts: int = 1,
    failed_alone: bool = False,
) -> tuple[list[Outgoing], list[Reject]]:
    """What goes out, and the poison; `stage` says where the last attempt failed. Raises `FatalError`."""
    if not events:
        return [], []
    try:
        return await effects(events), []
    except FatalError:
        raise
    except Exception as error:  # noqa: BLE001 - what one event breaks must not stop the others
        if failed_alone:  # once alone is no proof: it may have been a moment's failure
            return [], [Reject(events[0].record, stage(), type(error).__name__, str(error), attempts)]
    half = (len(events) + 1) // 2
    again = (effects, stage, attempts + 1, len(events) == 1)
    left, left_poison = await sift(events[:half], *again)
    right, right_poison = await sift(events[half:], *again)
    return left + right, left_poison + right_poison


class Streak:
    """Events in a row that were poison of one kind, with no good one between them.

    They had all passed the contract. So many of them are no coincidence, and would take the whole topic with
    them into the dead letters.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = 0
        self._cause: tuple[Stage, str] | None = None

    def add(self, events: int, poison: Sequence[Reject]) -> None:
        """Of one batch past `receive`. `NotTheEvents` before the poison is dead-lettered."""
        if not events:
            return
        causes = {(reject.stage, reject.exception) for reject in poison}
        if len(poison) < events or len(causes) > 1:
            self._length, self._cause = 0, None
            return
        [cause] = causes
        self._length = events + (self._length if cause == self._cause else 0)
        self._cause = cause
        if self._length >= self._limit:
            stage, exception = cause
            raise NotTheEvents(
                f"the last {self._length} events all failed in {stage} with {exception}: a defect or a "
                "broken dependency, not the events; nothing of this batch was acked or dead-lettered. "
                f"Mend it, or raise ROLECALL_MAX_POISON_IN_A_ROW ({self._limit}) to let them die"
            )

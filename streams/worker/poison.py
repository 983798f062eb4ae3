"""Find poison (events that no attempt can process) by halving the batch. A streak of it means a defect."""

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
    """The outgoing records, and the poison. `stage` tells where an attempt failed. Raises `FatalError`."""
    if not events:
        return [], []
    try:
        return await effects(events), []
    except FatalError:
        raise
    except Exception as error:  # noqa: BLE001 - one broken event must not stop the others
        if failed_alone:  # one failure alone is no proof: it may be temporary
            return [], [Reject(events[0].record, stage(), type(error).__name__, str(error), attempts)]
    half = (len(events) + 1) // 2
    again = (effects, stage, attempts + 1, len(events) == 1)
    left, left_poison = await sift(events[:half], *again)
    right, right_poison = await sift(events[half:], *again)
    return left + right, left_poison + right_poison


class Streak:
    """Counts consecutive events that were poison of one kind.

    They had all passed the contract. So a long streak is no coincidence: without a limit, the whole topic
    would end in the dead letters.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._length = 0
        self._cause: tuple[Stage, str] | None = None

    def add(self, events: int, poison: Sequence[Reject]) -> None:
        """Counts one batch after `receive`. Raises `NotTheEvents` before the poison is dead-lettered."""
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
                f"Fix it, or raise ROLECALL_MAX_POISON_IN_A_ROW ({self._limit}) to dead-letter them"
            )

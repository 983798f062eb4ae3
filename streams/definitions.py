"""Records of the compacted side topics (rules, references) -> their effect, or the dead letters."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Generic

import structlog

from schemas.common import milliseconds
from schemas.dead_letter import Stage
from streams.patience import patiently
from streams.poison import sift
from streams.publish import Outgoing, Publisher, dead_letter
from streams.receive import D, Defined, Erased, Limits, Record, Reject, newest, receive_definitions

log = structlog.get_logger()

Apply = Callable[[Sequence[Defined[D] | Erased], datetime], Awaitable[list[Outgoing]]]


@dataclass(slots=True)
class DefinitionTally:
    events: int
    published: int = 0
    retries: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def dead_letters(self) -> int:
        return len(self.rejects)


class DefinitionRunner(Generic[D]):
    """`apply` brings events with distinct ids to their effect, as often as it is tried."""

    def __init__(
        self,
        contract: type[D],
        apply: Apply[D],
        *,
        publisher: Publisher,
        limits: Limits,
        retry_seconds: float = 60.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._contract = contract
        self._apply = apply
        self._publisher = publisher
        self._limits = limits
        self._retry_seconds = retry_seconds
        self._now = now

    async def run(self, records: Sequence[Record]) -> DefinitionTally:
        """Raises what is `FATAL`: then nothing may be acked."""
        now = self._now()
        events, rejects = receive_definitions(self._contract, records, milliseconds(now), self._limits)
        tally = DefinitionTally(len(records), rejects=rejects)
        outgoing, poison = await sift(
            newest(events), lambda some: self._effects(some, now, tally), lambda: Stage.UPSERT
        )
        rejects += poison
        letters = [dead_letter(reject) for reject in rejects]
        publish = partial(self._publisher.publish, [*outgoing, *letters])
        _, retries = await patiently(publish, Stage.PUBLISH, self._retry_seconds)
        tally.published = len(outgoing)
        tally.retries += retries
        for reject in rejects:
            log.warning(
                "dead_letter", topic=reject.record.topic, offset=reject.record.offset, reason=reject.message
            )
        return tally

    async def _effects(
        self, events: Sequence[Defined[D] | Erased], now: datetime, tally: DefinitionTally
    ) -> list[Outgoing]:
        apply = partial(self._apply, events, now)
        outgoing, retries = await patiently(apply, Stage.UPSERT, self._retry_seconds)
        tally.retries += retries
        return outgoing

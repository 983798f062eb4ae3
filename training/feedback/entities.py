"""Vacancies and candidates from the compacted topics: the texts that feedback is about."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rolecall.encoder.document import Document, document_of
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import Status, milliseconds
from rolecall.schemas.match import Side
from rolecall.schemas.receive import Erased, Limits, Published, newest, receive
from rolecall.schemas.record import Record
from rolecall.schemas.topics import CANDIDATES, VACANCIES
from rolecall.schemas.vacancy import Vacancy
from rolecall.training.feedback import topics
from rolecall.training.feedback.topics import Ranges

Key = tuple[Side, str]


@dataclass(frozen=True, slots=True)
class Entities:
    """The newest state of every vacancy and candidate that is not erased.

    closed: when an entity was closed or a vacancy expired. erased: when it was last erased. Both by id, in
    milliseconds since the epoch.
    """

    documents: Mapping[Key, Document]
    closed: Mapping[Key, float]
    erased: Mapping[Key, int]

    def document(self, side: Side, id: str) -> Document:
        return self.documents[side, id]


def fold(records: Mapping[Side, Iterable[Record]], limits: Limits) -> Entities:
    """Reads with the reader of the workers: what they refuse is not learned from.

    The highest revision wins. A record without a value erases all revisions up to its timestamp.
    """
    here: dict[Key, Vacancy | Candidate] = {}
    erased: dict[Key, int] = {}
    for side, found in records.items():
        events, _ = receive(side, found, limits)
        for event in events:
            if isinstance(event, Erased):
                erased[side, event.id] = max(event.revision, erased.get((side, event.id), 0))
        here |= {(side, event.id): event.entity for event in newest(events) if isinstance(event, Published)}
    return Entities(
        documents={key: document_of(entity) for key, entity in here.items()},
        closed={key: since for key, entity in here.items() if (since := _closed_at(entity)) < math.inf},
        erased=erased,
    )


async def read(settings: BrokerSettings) -> tuple[Entities, dict[str, Ranges]]:
    """All entities that the topics hold now, and the offsets that were read."""
    vacancies, vacancy_ranges = await topics.read(settings, VACANCIES.name)
    candidates, candidate_ranges = await topics.read(settings, CANDIDATES.name)
    return fold({Side.VACANCY: vacancies, Side.CANDIDATE: candidates}, settings.limits()), {
        VACANCIES.name: vacancy_ranges,
        CANDIDATES.name: candidate_ranges,
    }


def _closed_at(entity: Vacancy | Candidate) -> float:
    if entity.status is Status.CLOSED:
        return entity.revision
    if isinstance(entity, Vacancy) and entity.expires_at is not None:
        return milliseconds(entity.expires_at)
    return math.inf

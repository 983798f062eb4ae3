"""Vacancies and candidates from the compacted topics: the texts that feedback is about."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from rolecall.encoder.document import Document, document_of
from rolecall.schemas.broker.settings import BrokerSettings
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import Status, milliseconds
from rolecall.schemas.match import Side
from rolecall.schemas.topics import CANDIDATES, CONTRACT_OF, VACANCIES
from rolecall.schemas.vacancy import Vacancy
from rolecall.training.feedback import topics
from rolecall.training.feedback.topics import Ranges, Record

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


def fold(records: Mapping[Side, Iterable[Record]]) -> Entities:
    """The highest revision wins. A record without a value erases all revisions up to its timestamp.

    Skips records that cannot be read: the worker has dead-lettered them.
    """
    newest: dict[Key, Vacancy | Candidate] = {}
    erased: dict[Key, int] = {}
    for side, found in records.items():
        for record in found:
            if record.key is None:
                continue
            key = side, record.key.decode("utf-8", "replace")
            if record.value is None:
                erased[key] = max(record.timestamp_ms, erased.get(key, 0))
                continue
            try:
                entity = CONTRACT_OF[side].model_validate_json(record.value)
            except ValidationError:
                continue
            if key not in newest or entity.revision >= newest[key].revision:
                newest[key] = entity
    here = {key: entity for key, entity in newest.items() if entity.revision > erased.get(key, -1)}
    return Entities(
        documents={key: document_of(entity) for key, entity in here.items()},
        closed={key: since for key, entity in here.items() if (since := _closed_at(entity)) < math.inf},
        erased=erased,
    )


async def read(settings: BrokerSettings) -> tuple[Entities, dict[str, Ranges]]:
    """All entities that the topics hold now, and the offsets that were read."""
    vacancies, vacancy_ranges = await topics.read(settings, VACANCIES.name)
    candidates, candidate_ranges = await topics.read(settings, CANDIDATES.name)
    return fold({Side.VACANCY: vacancies, Side.CANDIDATE: candidates}), {
        VACANCIES.name: vacancy_ranges,
        CANDIDATES.name: candidate_ranges,
    }


def _closed_at(entity: Vacancy | Candidate) -> float:
    if entity.status is Status.CLOSED:
        return entity.revision
    if isinstance(entity, Vacancy) and entity.expires_at is not None:
        return milliseconds(entity.expires_at)
    return math.inf

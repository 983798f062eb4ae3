"""Cards: what the index stores of an entity beside its vector, and how a hit is read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from rolecall.encoder.document import document_of, told
from rolecall.schemas.candidate import Candidate, CandidateTerms
from rolecall.schemas.common import Contract, Matching
from rolecall.schemas.match import NearestOccupation, Side
from rolecall.schemas.receive import edition_of
from rolecall.schemas.vacancy import Vacancy, VacancyTerms
from rolecall.streams.events.receive import Entity
from rolecall.streams.index.conditions import Payload
from rolecall.streams.index.port import UNREACHABLE, Point
from rolecall.streams.matching import pushdown
from rolecall.streams.matching.hard_rules import ALL_HARD, RuleBook

Vector = npt.NDArray[np.float32]


Terms = TypeVar("Terms", VacancyTerms, CandidateTerms)


PEAKS_KEPT = 12


CARDS_KEPT = 8192  # of a side, read; some 3 KB each
SKILLS_BYTES = 16_384  # of one card, all skills together
MOST_BYTES_OF_A_CHARACTER = 4  # in UTF-8
LONGEST_KEPT = 8192  # characters; a longer card is read each time, so that the kept ones need 64 MB at most


@dataclass(frozen=True, slots=True)
class Embedded:
    entity: Entity
    vector: Vector  # (dims,)
    certainty: float  # 0..1
    content: bytes | None = None  # the hash of its text; with a cache only
    occupation: NearestOccupation | None = None
    edition: str | None = None  # of the entity, if it is known already
    digest: str | None = None  # of everything that its matches depend on
    told: int = -1  # how much its document tells; -1: found from the entity, which must have its texts
    duplicate_key: str | None = None  # of a vacancy, see `duplicates.py`

    def __post_init__(self) -> None:
        if self.told < 0:
            object.__setattr__(self, "told", told(document_of(self.entity)))

    @property
    def side(self) -> Side:
        return Side.VACANCY if isinstance(self.entity, Vacancy) else Side.CANDIDATE


class Card(Contract, Generic[Terms]):
    """What a hit tells about its entity. It is stored as one string, so the engine does not parse it."""

    terms: Terms
    skills: tuple[str, ...]
    certainty: float
    told: int  # how much the document tells, `encoder.document.told`
    peaks: tuple[int, ...]
    occupation: NearestOccupation | None = None
    employer: str | None = None  # of a vacancy
    duplicate_key: str | None = None
    matching: Matching | None = None


# Subscripting a generic model takes longer than reading a card.
VacancyCard, CandidateCard = Card[VacancyTerms], Card[CandidateTerms]


def point(
    embedded: Embedded,
    book: RuleBook = ALL_HARD,
    floor: int = UNREACHABLE,
    *,
    kind: int = -1,
    asks: bool = False,
) -> Point:
    """What the index stores: the terms that the filter and `compatible` read. The only texts are skills.

    floor: of its list before it is searched (see `Listing`). kind: see `ranking.kind_of`. asks: for less
    confidence than the policy.
    """
    entity = embedded.entity
    terms: type[VacancyTerms] | type[CandidateTerms]
    if isinstance(entity, Vacancy):
        fields, terms = pushdown.vacancy_fields(entity, book), VacancyTerms
    else:
        fields, terms = pushdown.candidate_fields(entity, book), CandidateTerms
    card = {
        "terms": entity.model_dump(mode="json", include=set(terms.model_fields), exclude_defaults=True),
        "skills": _fitting(entity.skills),
        "certainty": embedded.certainty,
        "told": embedded.told,
        "peaks": peaks(embedded.vector),
        **entity.model_dump(include={"employer", "matching"}, exclude_none=True),
    }
    if embedded.duplicate_key is not None:
        card["duplicate_key"] = embedded.duplicate_key
    if embedded.occupation is not None:
        card["occupation"] = embedded.occupation.model_dump()
    payload: Payload = {
        **fields,
        "card": orjson.dumps(card).decode(),
        "since": entity.revision,
        "floor": floor,
        "kind": kind,
        "listed": 0,
        "edition": embedded.edition or edition_of(entity),
    }
    if asks:
        payload["asks"] = 1
    if embedded.digest is not None:
        payload["digest"] = embedded.digest
    if embedded.content is not None:
        payload["content"] = embedded.content.hex()
    return Point(entity.id, entity.revision, embedded.vector, payload)


def stored(side: Side, point: Point) -> Embedded:
    """What `point` was made from, as far as matching needs it."""
    payload = point.payload or {}
    assert point.vector is not None
    text = str(payload["card"])
    card: Card[VacancyTerms] | Card[CandidateTerms]
    card = vacancy_card(text) if side is Side.VACANCY else candidate_card(text)
    fields: dict[str, Any] = {
        **dict(card.terms),
        "id": point.id,
        "revision": int(str(payload["since"])),
        "skills": card.skills,
        "matching": card.matching,
    }
    entity: Entity
    if side is Side.VACANCY:
        entity = Vacancy.model_construct(**fields, employer=card.employer)
    else:
        entity = Candidate.model_construct(**fields)
    return Embedded(
        entity,
        point.vector,
        card.certainty,
        occupation=card.occupation,
        told=card.told,
        duplicate_key=card.duplicate_key,
    )


def _fitting(skills: Sequence[str]) -> Sequence[str]:
    """The first ones, as many as fit. A deep search reads thousands of cards, which must fit one answer."""
    if sum(map(len, skills)) * MOST_BYTES_OF_A_CHARACTER <= SKILLS_BYTES:
        return skills
    sizes = accumulate(len(skill.encode()) for skill in skills)
    return [skill for skill, size in zip(skills, sizes, strict=True) if size <= SKILLS_BYTES]


def digest_of(edition: str, policy: str) -> str:
    """The same for two revisions of an entity with one content, under one policy."""
    return blake2b(f"{policy}\n{edition}".encode(), digest_size=16).hexdigest()


def peaks(vector: Vector) -> list[int]:
    """The positions of the largest components. They stand for the document's main topics."""
    largest: list[int] = np.argpartition(vector, -PEAKS_KEPT)[-PEAKS_KEPT:].tolist()
    return largest


# Cache parsed cards: popular hits recur, and parsing costs more than checking all rules.
_kept_vacancy_card = lru_cache(maxsize=CARDS_KEPT)(VacancyCard.model_validate_json)
_kept_candidate_card = lru_cache(maxsize=CARDS_KEPT)(CandidateCard.model_validate_json)


def vacancy_card(text: str) -> Card[VacancyTerms]:
    return _kept_vacancy_card(text) if len(text) <= LONGEST_KEPT else VacancyCard.model_validate_json(text)


def candidate_card(text: str) -> Card[CandidateTerms]:
    return (
        _kept_candidate_card(text) if len(text) <= LONGEST_KEPT else CandidateCard.model_validate_json(text)
    )

"""What the encoder reads: one shape for vacancies, candidates and bare titles, in training and in serving."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, get_args

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.vacancy import Vacancy

Field = Literal["title", "skills", "text"]
FIELDS: tuple[Field, ...] = get_args(Field)


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    skills: tuple[str, ...] = ()
    text: str = ""


def vacancy_document(vacancy: Vacancy) -> Document:
    return Document(vacancy.title, vacancy.skills, vacancy.description)


def candidate_document(candidate: Candidate) -> Document:
    return Document(" / ".join(candidate.titles), candidate.skills, candidate.summary)


def content_hash(document: Document) -> bytes:
    """16 bytes. Every part is preceded by its length, so that no two documents run into each other."""
    digest = blake2b(digest_size=16)
    parts: Sequence[str] = (document.title, document.text, *document.skills)
    for part in parts:
        # JSON may bring lone surrogates; they still have to hash.
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.digest()


def document_of(entity: Vacancy | Candidate) -> Document:
    return vacancy_document(entity) if isinstance(entity, Vacancy) else candidate_document(entity)

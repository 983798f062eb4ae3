"""The input of the encoder: the same for vacancies, candidates and bare titles, in training and serving."""

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


def told(document: Document) -> int:
    """How much it tells: 1 for skills, plus 2 for a text; 0 for a title alone."""
    return bool(document.skills) + 2 * bool(document.text)


def content_hash(document: Document) -> bytes:
    """16 bytes. The length of every part is hashed too, so that different documents have different hashes."""
    digest = blake2b(digest_size=16)
    parts: Sequence[str] = (document.title, document.text, *document.skills)
    for part in parts:
        # JSON may contain lone surrogates, which strict UTF-8 cannot encode.
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.digest()


def document_of(entity: Vacancy | Candidate) -> Document:
    return vacancy_document(entity) if isinstance(entity, Vacancy) else candidate_document(entity)

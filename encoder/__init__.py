"""From text to embeddings. On the serving path, only this package uses torch."""

from rolecall.encoder.artifact import ArtifactError
from rolecall.encoder.document import Document, candidate_document, content_hash, vacancy_document
from rolecall.encoder.features import Features, Shared
from rolecall.encoder.model import Embeddings, Encoder

__all__ = [
    "ArtifactError",
    "Document",
    "Embeddings",
    "Encoder",
    "Features",
    "Shared",
    "candidate_document",
    "content_hash",
    "vacancy_document",
]

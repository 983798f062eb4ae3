"""Text -> embedding. The only torch on the serving path."""

from encoder.artifact import ArtifactError
from encoder.document import Document, candidate_document, content_hash, vacancy_document
from encoder.features import Features, Shared
from encoder.model import Embeddings, Encoder

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

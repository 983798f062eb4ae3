"""From text to embeddings. On the serving path, only this package uses torch.

A name's module is imported when the name is first used: commands that encode nothing load no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_MODULES = {
    "ArtifactError": "artifact",
    "Document": "document",
    "Embeddings": "model",
    "Encoder": "model",
    "Features": "features",
    "Shared": "features",
    "candidate_document": "document",
    "content_hash": "document",
    "vacancy_document": "document",
}

if not TYPE_CHECKING:  # otherwise a type checker would accept every name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module 'rolecall.encoder' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"rolecall.encoder.{_MODULES[name]}"), name)
        return value

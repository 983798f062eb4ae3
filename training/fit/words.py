"""Word pieces of other languages than English, and what they mean to begin with.

English pieces come from a checkpoint (training/start.py). Pieces of other languages are learned from ESCO's
names of occupations. Each starts as the vector with which the names of a concept come closest to its
English names: a ridge regression, so that rare pieces stay near nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.trainers import WordPieceTrainer

from rolecall.encoder.tokens import WORD, Vocabulary, plain
from rolecall.training.data.ontology import Occupation

Floats = NDArray[np.float32]
CANDIDATES = 3  # times as many pieces are learned as are kept
RIDGE = 0.3
OWN = 30.0  # times the ridge, that English pieces stay where they are
ROUNDS = 25  # of conjugate gradients


def foreign_pieces(texts: Iterable[str], english: Sequence[str], count: int) -> list[str]:
    """The `count` pieces that the words of `texts` need most beside the English ones.

    Every letter is among them.

    Two calls may differ in a few rare pieces: the trainer of `tokenizers` breaks ties by chance.
    """
    words = Counter(word for text in texts for word in WORD.findall(plain(text)))
    letters = {letter for word in words for letter in word}
    learned = _learned(words, CANDIDATES * count)
    known = set(english)
    basic = sorted({*letters, *(f"##{letter}" for letter in letters)} - known)
    chosen: list[str] = [piece for piece in learned if piece not in known]
    for size in (2 * count, count):  # in two steps: without a piece, words use others more
        vocabulary = Vocabulary([*english, *dict.fromkeys([*basic, *chosen])])
        used: Counter[int] = Counter()
        for word, times in words.items():
            for index in vocabulary.read(word):
                used[index] += times
        order = sorted(set(chosen) - set(basic), key=lambda piece: (-used[vocabulary.ids[piece]], piece))
        chosen = order[: max(0, size - len(basic))]
    return [*basic, *chosen]


def _learned(words: Counter[str], count: int) -> list[str]:
    tokenizer = Tokenizer(WordPiece())
    trainer = WordPieceTrainer(vocab_size=count, min_frequency=2, show_progress=False)
    repeated = (word for word, times in words.items() for _ in range(times))
    tokenizer.train_from_iterator(repeated, trainer=trainer)
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def meanings(
    vocabulary: Vocabulary, english: torch.Tensor, occupations: Sequence[Occupation]
) -> torch.Tensor:
    """Vectors of all pieces. (vocabulary, hidden)

    english: (English pieces, hidden) vectors of the first pieces of the vocabulary.
    """
    before = np.zeros((len(vocabulary), english.shape[1]), np.float32)
    before[: len(english)] = english.numpy()
    both = [o for o in occupations if o.titles and o.translations]
    titles, owners = _bags([(title, n) for n, o in enumerate(both) for title in o.titles], vocabulary)
    means = csr_matrix((np.ones(len(owners)), (owners, np.arange(len(owners)))), (len(both), len(owners)))
    wanted = means @ (titles @ before)  # (occupations, hidden)
    scale = float(np.linalg.norm(titles @ before, axis=1).mean())
    wanted *= scale / np.linalg.norm(wanted, axis=1, keepdims=True).clip(1e-9)
    names, owners = _bags(
        [(t, n) for n, o in enumerate(both) for _, each in o.translations for t in each], vocabulary
    )
    penalty = np.full(len(vocabulary), RIDGE, np.float32)
    penalty[: len(english)] *= OWN
    moved = _solved(names.astype(np.float32), wanted[owners].astype(np.float32) - names @ before, penalty)
    return torch.from_numpy(before + moved)


def _bags(texts: Sequence[tuple[str, int]], vocabulary: Vocabulary) -> tuple[csr_matrix, NDArray[np.int64]]:
    """Means of pieces, (texts, vocabulary), and the numbers that came with the texts."""
    ids = [vocabulary.read(text) for text, _ in texts]
    lengths = np.array([len(each) for each in ids])
    rows = np.repeat(np.arange(len(texts)), lengths)
    columns = np.array([index for each in ids for index in each], np.int64)
    values = (1 / lengths.clip(1))[rows].astype(np.float32)
    shape = (len(texts), len(vocabulary))
    return csr_matrix((values, (rows, columns)), shape), np.array([n for _, n in texts], np.int64)


def _solved(a: csr_matrix, b: Floats, penalty: Floats) -> Floats:
    """x with the least |a x - b|² + penalty |x|², by conjugate gradients for all columns together."""
    back = a.T.tocsr()
    inverse = 1 / (penalty + np.asarray(a.multiply(a).sum(0)).ravel())[:, None]  # of the diagonal
    x = np.zeros((a.shape[1], b.shape[1]), np.float32)
    rest = back @ b
    step = inverse * rest
    direction, size = step.copy(), (rest * step).sum(0)
    for _ in range(ROUNDS):
        image = back @ (a @ direction) + penalty[:, None] * direction
        length = size / (direction * image).sum(0).clip(1e-12)
        x += length * direction
        rest -= length * image
        step = inverse * rest
        grown = (rest * step).sum(0)
        direction = step + (grown / size.clip(1e-12)) * direction
        size = grown
    return x

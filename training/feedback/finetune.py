"""Train a trained network further, from ontology and feedback together."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rolecall.encoder.document import Document
from rolecall.encoder.model import Network
from rolecall.encoder.tokens import Vocabulary
from rolecall.schemas.errors import RolecallError
from rolecall.schemas.match import Side
from rolecall.training.data.sampler import Batch, PairSampler
from rolecall.training.feedback.config import RetrainConfig
from rolecall.training.feedback.entities import Key
from rolecall.training.feedback.pairs import Pair
from rolecall.training.fit import loop, losses


class NothingToLearn(RolecallError):
    """The feedback has no match to learn from."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Graded pairs, and the texts of all vacancies and candidates."""

    pairs: Sequence[Pair]
    documents: Mapping[Key, Document]
    second_thoughts: tuple[int, int] = (0, 0)  # of `feedback.second_thoughts`

    def texts(self, side: Side, pairs: Sequence[Pair]) -> list[Document]:
        ids = ((p.vacancy_id if side is Side.VACANCY else p.candidate_id) for p in pairs)
        return [self.documents[side, id] for id in ids]


def finetune(
    network: Network, vocabulary: Vocabulary, judged: Judged, sampler: PairSampler, config: RetrainConfig
) -> Network:
    """Trains a copy of the network. The result depends only on the arguments and the number of threads."""
    tuned = copy.deepcopy(network).train().requires_grad_(True)
    parts = [{"params": list(tuned.head.parameters()), "lr": config.learning_rate}]
    if config.weights == "head":
        tuned.backbone.requires_grad_(False)
    else:
        parts.append({"params": list(tuned.backbone.parameters()), "lr": config.learning_rate / 10})
    optimizer = torch.optim.AdamW(parts, fused=True, weight_decay=0.0)
    peaks = [group["lr"] for group in optimizer.param_groups]
    feedback = FeedbackSampler(judged, config)
    batches = islice(chain.from_iterable(sampler.epoch(number) for number in count()), config.steps)
    for step, batch in enumerate(batches):
        loss = ontology_loss(tuned, network, batch, config) + config.feedback_weight * feedback_loss(
            tuned, vocabulary, feedback.draw(step), config
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * loop.pace(step, config.steps)
        optimizer.step()
    return tuned.requires_grad_(False).eval()


def ontology_loss(tuned: Network, network: Network, batch: Batch, config: RetrainConfig) -> torch.Tensor:
    """Titles of one occupation find each other, and similarities stay as the given network has them."""
    occupations, keys_a, keys_b = map(torch.from_numpy, (batch.occupations, batch.a.keys, batch.b.keys))
    scores = loop.embed(tuned, batch.a.tokens) @ loop.embed(tuned, batch.b.tokens).T  # (n, n)
    with torch.no_grad():
        before = loop.embed(network, batch.a.tokens), loop.embed(network, batch.b.tokens)
    temperature = config.ontology.temperature
    masked = losses.same_meaning(occupations, keys_a, keys_b)
    known = losses.cross_entropy(scores, masked, temperature=temperature)
    return known + config.imitation * losses.imitation(scores, *before, temperature=temperature)


@dataclass(frozen=True, slots=True)
class FeedbackBatch:
    """n matches and m refused pairs."""

    vacancies: list[Document]  # n
    candidates: list[Document]  # n
    known: NDArray[
        np.bool_
    ]  # (n, n) pairs off the diagonal that are matches too, or share a vacancy or a candidate
    refused_vacancies: list[Document]  # m
    refused_candidates: list[Document]  # m


class FeedbackSampler:
    """Draws pairs in proportion to grade times weight."""

    def __init__(self, judged: Judged, config: RetrainConfig) -> None:
        self._judged, self._config = judged, config
        self._liked = [pair for pair in judged.pairs if pair.grade > 0]
        self._refused = [pair for pair in judged.pairs if pair.grade < 0]
        if not self._liked:
            raise NothingToLearn(f"none of the {len(judged.pairs)} pairs to learn from is a match")
        self._matches = {(pair.vacancy_id, pair.candidate_id) for pair in self._liked}

    def draw(self, step: int) -> FeedbackBatch:
        """The result depends only on the seed and the step."""
        rng = np.random.default_rng((self._config.seed, step))
        liked, refused = self._drawn(self._liked, rng), self._drawn(self._refused, rng)
        texts = self._judged.texts
        return FeedbackBatch(
            texts(Side.VACANCY, liked),
            texts(Side.CANDIDATE, liked),
            np.array([[a is not b and self._no_negative(a, b) for b in liked] for a in liked]),
            texts(Side.VACANCY, refused),
            texts(Side.CANDIDATE, refused),
        )

    def _no_negative(self, a: Pair, b: Pair) -> bool:
        """Whether the vacancy of `a` and the candidate of `b` cannot be called a mismatch."""
        return (
            a.vacancy_id == b.vacancy_id
            or a.candidate_id == b.candidate_id
            or (a.vacancy_id, b.candidate_id) in self._matches
        )

    def _drawn(self, pairs: list[Pair], rng: np.random.Generator) -> list[Pair]:
        if not pairs:
            return []
        shares = np.array([abs(pair.grade) * pair.weight for pair in pairs])
        chosen = rng.choice(len(pairs), size=self._config.batch, p=shares / shares.sum())
        return [pairs[number] for number in np.unique(chosen)]


def feedback_loss(
    network: Network, vocabulary: Vocabulary, batch: FeedbackBatch, config: RetrainConfig
) -> torch.Tensor:
    """The two sides of a match find each other in the batch, and refused pairs score lower than matches.

    The second part is the all-pairs loss of "Metric Learning Tips & Tricks" (Vasnetsov 2021) with the refused
    pairs as negatives: the mean of relu(refused - match + margin).
    """

    def embed(documents: list[Document]) -> torch.Tensor:
        return loop.embed(network, vocabulary.tokens_of(documents))

    scores = embed(batch.vacancies) @ embed(batch.candidates).T  # (n, n)
    loss = losses.cross_entropy(
        scores, torch.from_numpy(batch.known), temperature=config.ontology.temperature
    )
    if not batch.refused_vacancies:
        return loss
    refused = (embed(batch.refused_vacancies) * embed(batch.refused_candidates)).sum(1)  # (m,)
    gaps = refused - scores.diagonal()[:, None] + config.margin  # (n, m)
    return loss + functional.relu(gaps).mean() / config.ontology.temperature


def by_time(pairs: Sequence[Pair], config: RetrainConfig) -> Iterator[Sequence[Pair]]:
    """Splits `pairs`, which are sorted by time, into training, calibration and, newest, evaluation pairs."""
    later = len(pairs) - round(len(pairs) * config.later)
    calibrating = later - round(len(pairs) * config.calibration)
    yield from (pairs[:calibrating], pairs[calibrating:later], pairs[later:])

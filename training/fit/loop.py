"""One training run, top to bottom: batches, loss, step, validation, checkpoint."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from rolecall.encoder.model import Network, multiplies_bfloat16
from rolecall.encoder.softmax_groups import Embedded
from rolecall.encoder.tokens import Tokens
from rolecall.training.config import TrainConfig
from rolecall.training.data.sampler import Batch, PairSampler
from rolecall.training.fit import checkpoint, large_batch, losses
from rolecall.training.fit.checkpoint import Progress

SCALARS = 10.0  # times the learning rate
MOST_SCORES = 4096  # pairs whose scores are held in memory at once
Validate = Callable[[Network], dict[str, float]]  # its "score" decides when to stop
Track = Callable[
    [Iterable[Batch], int, int], Iterable[Batch]
]  # (batches, epoch, how many) -> the same batches
Tell = Callable[[Mapping[str, float]], None]  # an epoch's number, loss and validation


def train(
    network: Network,
    sampler: PairSampler,
    config: TrainConfig,
    *,
    validate: Validate,
    teacher: torch.Tensor | None = None,
    resume_from: Path | None = None,
    track: Track = lambda batches, epoch, count: batches,
    tell: Tell = lambda figures: None,
) -> tuple[Network, Progress]:
    """Returns the best averaged weights and how they came about.

    teacher: (readable texts, width) unit vectors by text number.
    resume_from: a checkpoint is kept here after every epoch, and a run that finds one continues from it.
    """
    steps = config.max_steps or config.epochs * len(sampler)
    optimizer = torch.optim.AdamW(_groups(network, config), fused=True, weight_decay=0.0)
    peaks = [group["lr"] for group in optimizer.param_groups]
    averaged, best = copy.deepcopy(network), copy.deepcopy(network)
    kept = {"network": network, "averaged": averaged, "best": best}
    progress = Progress()
    if resume_from:
        progress = checkpoint.restore(resume_from, kept, optimizer) or progress

    while progress.step < steps and progress.epoch - progress.best_epoch < config.patience:
        began = time.monotonic()
        network.train()
        for batch in track(sampler.epoch(progress.epoch), progress.epoch, len(sampler)):
            loss = batch_loss(network, batch, config, teacher)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * pace(progress.step, steps)
            optimizer.step()
            progress.step += 1
            _average(averaged, network, min(config.average, progress.step / (progress.step + 9)))
            if progress.step >= steps:
                break
        progress.epoch += 1
        figures = validate(averaged.eval())
        progress.history.append({"epoch": progress.epoch, "loss": float(loss.detach()), **figures})
        tell(progress.history[-1])
        if figures["score"] > progress.best:
            progress.best, progress.best_epoch = figures["score"], progress.epoch
            best.load_state_dict(averaged.state_dict())
        progress.minutes += (time.monotonic() - began) / 60
        if resume_from:
            checkpoint.write(resume_from, progress, kept, optimizer)
    return best.eval(), progress


def pace(step: int, steps: int) -> float:
    """Share of the peak learning rate: up in a straight line for a tenth of the steps, down as a cosine."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(1, steps - warm))


@dataclass(frozen=True, slots=True)
class Seen:
    """What the network makes of a batch, and what it is compared by."""

    a: torch.Tensor  # (n, dims), as is `b`
    b: torch.Tensor
    vacancies: torch.Tensor  # (vacancies, dims)
    certainty: torch.Tensor  # (n,) of the first sides
    garbage: torch.Tensor  # (garbage,) certainties
    occupations: torch.Tensor  # (n,), as are the keys
    keys_a: torch.Tensor
    keys_b: torch.Tensor

    @classmethod
    def of(cls, network: Network, batch: Batch) -> Self:
        # All together: the gradient of every look-up is as large as the table.
        parts = (batch.a.tokens, batch.b.tokens, batch.garbage, batch.vacancies.tokens)
        counts = [part.documents for part in parts]
        vectors, certainties = embedded(network, Tokens.joined(parts))
        a, b, _, vacancies = torch.split(vectors, counts)
        certainty, _, garbage, _ = torch.split(certainties, counts)
        numbers = (batch.occupations, batch.a.keys, batch.b.keys)
        return cls(
            a, b, vacancies, certainty, garbage, *(torch.from_numpy(each).to(a.device) for each in numbers)
        )


def batch_loss(
    network: Network, batch: Batch, config: TrainConfig, teacher: torch.Tensor | None
) -> torch.Tensor:
    seen = Seen.of(network, batch)
    if config.loss == "cross_entropy" and len(batch) > MOST_SCORES and not (config.distil or config.related):
        loss = large_batch.cross_entropy(
            seen.a,
            seen.b,
            lambda rows: losses.same_meaning(seen.occupations, seen.keys_a, seen.keys_b, rows),
            temperature=config.temperature,
        )
    else:
        scores = seen.a @ seen.b.T  # (n, n)
        loss = _pair_loss(scores, seen, batch, config)
        if teacher is not None and config.distil and batch.bare.any():
            loss = loss + config.distil * _imitation_loss(scores, seen, batch, teacher, config.temperature)
    if config.garbage and batch.plain.any():
        titles = seen.certainty[torch.from_numpy(batch.plain)]
        loss = loss + config.garbage * losses.certainty_ranking(titles, seen.garbage)
    return loss


def _pair_loss(scores: torch.Tensor, seen: Seen, batch: Batch, config: TrainConfig) -> torch.Tensor:
    """That the sides of a pair score above all others. scores: (n, n)"""
    masked = losses.same_meaning(seen.occupations, seen.keys_a, seen.keys_b)
    if config.loss == "cross_entropy":
        related = losses.relatedness(torch.from_numpy(batch.ancestors).to(scores.device))
        return losses.cross_entropy(
            scores, masked, temperature=config.temperature, related=related, share=config.related
        )
    same = seen.occupations[:, None] == seen.occupations
    return losses.by_name(config.loss, scores, masked, same, config.temperature)


def _imitation_loss(
    scores: torch.Tensor, seen: Seen, batch: Batch, teacher: torch.Tensor, temperature: float
) -> torch.Tensor:
    """That titles, and vacancies with titles, score as the teacher's vectors do. scores: (n, n)"""
    bare = torch.from_numpy(batch.bare)
    known_a, known_b = teacher[batch.a.titles[batch.bare]], teacher[batch.b.titles[batch.bare]]
    copied = losses.imitation(scores[bare][:, bare], known_a, known_b, temperature=temperature)
    if len(seen.vacancies):
        known = teacher[batch.vacancies.titles]
        vacancies = seen.vacancies @ seen.a[bare].T
        copied = copied + losses.imitation(vacancies, known, known_a, temperature=temperature)
    return copied


def embed(network: Network, tokens: Tokens) -> torch.Tensor:
    """(documents, dims)"""
    return embedded(network, tokens).vectors


def embedded(network: Network, tokens: Tokens) -> Embedded:
    """(documents, dims) and (documents,); layers multiply in bfloat16 where that is faster."""
    parameter = next(network.parameters())
    low = parameter.device.type == "cuda" or network.shape.backbone == "transformer" or multiplies_bfloat16()
    with torch.autocast(parameter.device.type, torch.bfloat16, enabled=low):
        vectors, certainty = network(tokens.to(parameter.device))
    return Embedded(vectors.float(), certainty.float())


def _groups(network: Network, config: TrainConfig) -> list[dict[str, object]]:
    """A pretrained transformer learns slowly, everything that starts from nothing fast.

    Log-weights need a higher learning rate: they have further to move.
    """
    if network.shape.backbone == "transformer":
        return [
            {"params": list(network.backbone.parameters()), "lr": config.learning_rate},
            {"params": list(network.head.parameters()), "lr": max(config.learning_rate, 1e-3)},
        ]
    paces = {"backbone.token_weights.weight": SCALARS, "backbone.field_weights": SCALARS}
    return [
        {"params": [parameter], "lr": config.learning_rate * paces.get(name, 1.0)}
        for name, parameter in network.named_parameters()
    ]


@torch.no_grad()
def _average(averaged: Network, network: Network, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.parameters()), list(network.parameters()), 1 - decay)

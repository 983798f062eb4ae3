"""`python -m bench.losses`: time and memory of our losses compared with pytorch-metric-learning's.

It needs `pip install --constraint constraints.txt pytorch-metric-learning`.
"""

import resource
import time
from collections.abc import Callable
from multiprocessing import get_context

import click
import torch

from rolecall.training.fit import large_batch, losses

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
DIMS = 512
OCCUPATIONS = 800
TEMPERATURE = 0.05


def ours_cross_entropy(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    groups = _groups(len(a))
    masked = (groups[:, None] == groups).fill_diagonal_(False)
    return losses.cross_entropy(a @ b.T, masked, temperature=TEMPERATURE)


def ours_in_parts(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    groups = _groups(len(a))

    def masked(part: slice) -> torch.Tensor:
        same = groups[part, None] == groups
        same[torch.arange(part.stop - part.start), torch.arange(part.start, part.stop)] = False
        return same

    return large_batch.cross_entropy(a, b, masked, temperature=TEMPERATURE)


def ours_supervised(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    groups = _groups(len(a))
    return losses.supervised_contrastive(a @ b.T, groups[:, None] == groups, temperature=TEMPERATURE)


def ours_all_pairs(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    groups = _groups(len(a))
    return losses.all_pairs(a @ b.T, (groups[:, None] == groups).fill_diagonal_(False))


def theirs_ntxent(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    from pytorch_metric_learning.losses import NTXentLoss  # type: ignore[import-untyped, unused-ignore]

    labels = torch.arange(len(a))
    loss: torch.Tensor = NTXentLoss(TEMPERATURE)(a, labels, ref_emb=b, ref_labels=labels)
    return loss


def theirs_supcon(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    from pytorch_metric_learning.losses import SupConLoss  # type: ignore[import-untyped, unused-ignore]

    groups = _groups(len(a))
    loss: torch.Tensor = SupConLoss(TEMPERATURE)(a, groups, ref_emb=b, ref_labels=groups)
    return loss


LOSSES: dict[str, Loss] = {
    "rolecall cross-entropy, masked": ours_cross_entropy,
    "rolecall cross-entropy, masked, in parts": ours_in_parts,
    "rolecall supervised contrastive": ours_supervised,
    "rolecall all pairs": ours_all_pairs,
    "pytorch-metric-learning NTXent": theirs_ntxent,
    "pytorch-metric-learning SupCon": theirs_supcon,
}


@click.command()
@click.option("--batch", "batches", type=int, multiple=True, default=(1024, 4096), show_default=True)
def main(batches: tuple[int, ...]) -> None:
    """Runs forward and backward of each loss in a separate process, to measure its peak memory alone."""
    for batch in batches:
        for name in LOSSES:
            with get_context("spawn").Pool(1) as pool:
                seconds, megabytes = pool.apply(_measure, (name, batch))
            click.echo(f"batch {batch:6}  {name:42} {seconds * 1000:9.0f} ms {megabytes:8.0f} MB")


def _measure(name: str, batch: int) -> tuple[float, float]:
    """Best time of three, and the memory that the loss added to the process."""
    torch.set_num_threads(2)
    torch.manual_seed(0)
    a, b = (torch.nn.functional.normalize(torch.rand(batch, DIMS), dim=1).requires_grad_() for _ in range(2))
    LOSSES[name](a[:64], b[:64]).backward()  # type: ignore[no-untyped-call]
    before = _peak_megabytes()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        LOSSES[name](a, b).backward()  # type: ignore[no-untyped-call]
        times.append(time.perf_counter() - began)
    return min(times), _peak_megabytes() - before


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _groups(count: int) -> torch.Tensor:
    return torch.arange(count) % OCCUPATIONS


if __name__ == "__main__":
    main()

"""`python -m bench.ablation --data PATH`: the claims of "Metric Learning Tips & Tricks", each as a curve.

Batch size at equal numbers of steps and of samples, losses, and layouts of the head, all on the static bag,
without teacher, noise or garbage, judged by title recall@10 on the validation occupations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import orjson
import torch

from encoder.model import Network
from training import dataset, loop, sources, start
from training.config import TrainConfig
from training.sampler import PairSampler
from training.start import Pretrained
from training.validate import Validation

BATCHES = (64, 256, 1024, 4096, 16_384)
EQUAL_STEPS = 40
EQUAL_SAMPLES = 1 << 16
LAYOUTS = ((1, 1024), (4, 256), (16, 64), (64, 16), (256, 4))
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Point:
    study: str
    series: str
    x: str
    config: TrainConfig


def points() -> Iterator[Point]:
    for batch in BATCHES:
        yield Point("batch size", "equal samples", str(batch), _samples(batch=batch))
    for loss in ("all_pairs", "triplet", "contrastive", "cross_entropy"):
        for batch in (256, 1024, 4096):
            yield Point("losses", loss, str(batch), _samples(loss=loss, batch=batch))
    for groups, size in LAYOUTS:
        yield Point("layouts", "sqrt", f"{groups}×{size}", _samples(groups=groups, size=size))
    for groups, size in ((4, 256), (64, 16)):
        yield Point("layouts", "plain", f"{groups}×{size}", _samples(groups=groups, size=size, form="plain"))
    yield Point("layouts", "cosine", "64×16", _samples(form="cosine"))
    for batch in BATCHES:
        config = TrainConfig(batch=batch, max_steps=EQUAL_STEPS, epochs=1000, documents=0, learning_rate=3e-3)
        yield Point("batch size", "equal steps", str(batch), config)


def _samples(**changes: object) -> TrainConfig:
    """The batch size decides the number of steps; the learning rate follows its square root."""
    batch = changes.setdefault("batch", 1024)
    assert isinstance(batch, int)
    rate = 1.5e-3 * (batch / 1024) ** 0.5
    fixed = {"max_steps": EQUAL_SAMPLES // batch, "epochs": 1000, "documents": 0, "learning_rate": rate}
    return TrainConfig.model_validate(fixed | changes)


@click.command()
@click.option("--data", type=FOLDER, required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/figures"), show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def main(data: Path, out: Path, threads: int) -> None:
    """Writes ablation.json after every run, which a later start goes on from, and draws ablation.png."""
    torch.set_num_threads(threads)
    split = sources.read(data).split()
    out.mkdir(parents=True, exist_ok=True)
    file = out / "ablation.json"
    known: dict[str, float] = orjson.loads(file.read_bytes()) if file.is_file() else {}
    pretrained = Pretrained.minilm(title for o in split.train for title in o.titles)
    validation = Validation(split, pretrained.vocabulary, documents=False)
    data_set = dataset.build(split.train, pretrained.vocabulary, seed=0)
    for point in points():
        name = f"{point.study} | {point.series} | {point.x}"
        if name not in known:
            torch.manual_seed(0)
            network, _ = loop.train(
                start.network(pretrained, point.config),
                PairSampler(data_set, point.config),
                point.config,
                validate=_Rising(),
            )
            known[name] = round(validation(network)["recall10"], 4)
            file.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2))
            _draw(known, out / "ablation.png")
        click.echo(f"{name:50} {known[name]:.4f}")


class _Rising:
    """A score that rises with every epoch: the last weights are the best, and nothing stops early."""

    def __init__(self) -> None:
        self.epoch = 0

    def __call__(self, network: Network) -> dict[str, float]:
        self.epoch += 1
        return {"score": float(self.epoch)}


def _draw(known: dict[str, float], file: Path) -> None:
    from matplotlib.figure import Figure

    studies: dict[str, dict[str, dict[str, float]]] = {}
    for name, recall in known.items():
        study, series, x = name.split(" | ")
        studies.setdefault(study, {}).setdefault(series, {})[x] = recall
    picture = Figure(figsize=(4.5 * len(studies), 4))
    plots = picture.subplots(1, len(studies), squeeze=False)[0]
    for axes, (study, all_series) in zip(plots, studies.items(), strict=True):
        for series, curve in all_series.items():
            order = sorted(curve, key=lambda x: int(x.partition("×")[0]))
            axes.plot(order, [curve[x] for x in order], marker="o", label=series)
        axes.set(title=study, ylabel="title recall@10, validation")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    picture.tight_layout()
    picture.savefig(file, dpi=110)


if __name__ == "__main__":
    main()

"""`python -m bench.ablation --data PATH`: the claims of "Metric Learning Tips & Tricks", each as a curve.

The studies: batch size at equal numbers of steps and of samples, losses, and layouts of the head. All use the
static bag without teacher, meanings, noise or garbage. The figure is title recall@10 on the validation
occupations. Studies with small differences use three seeds, because one seed could not tell them from chance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import orjson
import torch

from rolecall.encoder.model import Network
from rolecall.training.config import TrainConfig
from rolecall.training.data import dataset, sources
from rolecall.training.data.sampler import PairSampler
from rolecall.training.fit import loop, start
from rolecall.training.fit.start import Pretrained
from rolecall.training.fit.validate import Validation

BATCHES = (64, 256, 1024, 4096, 16_384)
EQUAL_STEPS = 40
EQUAL_SAMPLES = 1 << 17  # two epochs
TEMPERATURE = 0.02  # of the bundled model
LAYOUTS = ((1, 1024), (4, 256), (16, 64), (64, 16), (256, 4))
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Point:
    study: str
    series: str
    x: str
    config: TrainConfig

    @property
    def name(self) -> str:
        return f"{self.study} | {self.series} | {self.x}"


def points() -> Iterator[Point]:
    for batch in BATCHES:
        yield Point("batch size", "equal samples", str(batch), _samples(batch=batch))
    for loss in ("all_pairs", "triplet", "contrastive", "cross_entropy"):
        for batch in (256, 1024, 4096):
            yield Point("losses", loss, str(batch), _samples(loss=loss, batch=batch))
    for seed in range(3):
        for groups, size in LAYOUTS:
            config = _samples(groups=groups, size=size, seed=seed)
            yield Point("layouts", "sqrt", f"{groups}×{size}", config)
        for groups, size in ((4, 256), (64, 16)):
            config = _samples(groups=groups, size=size, form="plain", seed=seed)
            yield Point("layouts", "plain", f"{groups}×{size}", config)
        yield Point("layouts", "cosine", "64×16", _samples(form="cosine", seed=seed))
    for batch in BATCHES:
        yield Point("batch size", "equal steps", str(batch), _config(EQUAL_STEPS, 3e-3, batch=batch))


def _samples(*, batch: int = 1024, **changes: object) -> TrainConfig:
    """The batch size decides the number of steps; the learning rate follows its square root."""
    return _config(EQUAL_SAMPLES // batch, 1.5e-3 * (batch / 1024) ** 0.5, batch=batch, **changes)


def _config(steps: int, rate: float, **changes: object) -> TrainConfig:
    fixed = {"max_steps": steps, "epochs": 1000, "documents": 0, "learning_rate": rate}
    return TrainConfig.model_validate(fixed | {"temperature": TEMPERATURE} | changes)


@click.command()
@click.option("--data", type=FOLDER, required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("docs/figures"), show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def main(data: Path, out: Path, threads: int) -> None:
    """Writes ablation.json after every run, so that a later start can go on, and draws ablation.png."""
    torch.set_num_threads(threads)
    split = sources.read(data).split()
    out.mkdir(parents=True, exist_ok=True)
    file = out / "ablation.json"
    known: dict[str, list[float]] = orjson.loads(file.read_bytes()) if file.is_file() else {}
    pretrained = Pretrained.minilm(title for o in split.train for title in o.titles)
    validation = Validation(split, pretrained.vocabulary, documents=False)
    data_set = dataset.build(split.train, pretrained.vocabulary, seed=0)
    for point in points():
        figures = known.setdefault(point.name, [])  # by seed
        if len(figures) == point.config.seed:
            torch.manual_seed(point.config.seed)
            network, _ = loop.train(
                start.network(pretrained, point.config),
                PairSampler(data_set, point.config),
                point.config,
                validate=_Rising(),
            )
            figures.append(round(validation(network)["recall10"], 4))
            file.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2))
            _draw(known, out / "ablation.png")
        click.echo(f"{point.name:50} {figures[point.config.seed]:.4f}")


class _Rising:
    """A score that rises with every epoch, so that training never stops early and keeps the last weights."""

    def __init__(self) -> None:
        self.epoch = 0

    def __call__(self, network: Network) -> dict[str, float]:
        self.epoch += 1
        return {"score": float(self.epoch)}


def _draw(known: dict[str, list[float]], file: Path) -> None:
    """Draws means, with bars from the worst seed to the best."""
    from matplotlib.figure import Figure

    studies: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, figures in known.items():
        study, series, x = name.split(" | ")
        studies.setdefault(study, {}).setdefault(series, {})[x] = figures
    picture = Figure(figsize=(4.5 * len(studies), 4))
    plots = picture.subplots(1, len(studies), squeeze=False)[0]
    for axes, (study, all_series) in zip(plots, studies.items(), strict=True):
        for series, curve in all_series.items():
            order = sorted(curve, key=lambda x: int(x.partition("×")[0]))
            means = [sum(curve[x]) / len(curve[x]) for x in order]
            below = [mean - min(curve[x]) for mean, x in zip(means, order, strict=True)]
            above = [max(curve[x]) - mean for mean, x in zip(means, order, strict=True)]
            axes.errorbar(order, means, (below, above), marker="o", capsize=3, label=series)
        axes.set(title=study, ylabel="title recall@10, validation")
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    picture.tight_layout()
    picture.savefig(file, dpi=110)


if __name__ == "__main__":
    main()

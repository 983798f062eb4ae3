"""`rolecall train`: train a model from occupation data."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import torch

from rolecall.training.config import DEFAULT, TrainConfig
from rolecall.training.data import sources
from rolecall.training.data.sampler import Batch
from rolecall.training.fit import recipe

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--data", type=FOLDER, required=True, help="Folder with onet/, esco/ or CSVs of (concept, text)."
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=DEFAULT,
    show_default=True,
)
@click.option("--seed", type=int, help="Seed instead of the config's.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write every epoch's figures to this folder for TensorBoard.",
)
def train(
    out: Path, data: Path, config: Path, seed: int | None, threads: int, tensorboard: Path | None
) -> None:
    """Train a model into OUT. If the run is killed, start it again: it goes on after its last epoch."""
    plot = _plot(tensorboard) if tensorboard else None
    torch.set_num_threads(threads)
    settings = TrainConfig.read(config)
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    run = recipe.Run(
        out=out,
        work=out.with_name(out.name + ".unfinished"),
        command=f"rolecall train OUT --data DATA --config {config.name} --seed {settings.seed}",
        say=click.echo,
        track=_bar,
        plot=plot,
    )
    version = recipe.make_model(sources.read(data), settings, run)
    click.echo(f"{out} has model {version}")


def _plot(folder: Path) -> recipe.Plot:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        if error.name != "tensorboard":
            raise
        raise click.ClickException(
            "--tensorboard needs a package that is not installed: pip install tensorboard, or train without"
        ) from error
    writer = SummaryWriter(folder)

    def plot(name: str, figures: Mapping[str, float]) -> None:
        for figure, value in figures.items():
            if figure != "epoch":
                writer.add_scalar(f"{name}/{figure}", value, int(figures["epoch"]))
        writer.flush()

    return plot


def _bar(batches: Iterable[Batch], epoch: int, count: int) -> Iterable[Batch]:
    from tqdm import tqdm  # of the training extra; `--help` works without it

    bar: Iterable[Batch] = tqdm(
        batches, desc=f"epoch {epoch + 1}", total=count, leave=False, disable=not sys.stderr.isatty()
    )
    return bar

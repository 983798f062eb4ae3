"""`python -m training`: train, evaluate, export."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click
import torch
from tqdm import tqdm

from training import recipe, sources
from training.config import TrainConfig
from training.sampler import Batch

DEFAULT = Path(__file__).parent / "default.toml"
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Train the encoder from occupation ontologies, judge it, and pass it on."""


@main.command()
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
@click.option("--seed", type=int, help="Instead of the config's.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def train(out: Path, data: Path, config: Path, seed: int | None, threads: int) -> None:
    """Train a model into OUT. Killed runs go on where their last epoch ended when started again."""
    torch.set_num_threads(threads)
    settings = TrainConfig.read(config)
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    run = recipe.Run(
        out=out,
        work=out.with_name(out.name + ".unfinished"),
        command=f"python -m training train {out} --data DATA --config {config.name} --seed {settings.seed}",
        say=click.echo,
        track=_bar,
    )
    try:
        version = recipe.make_model(sources.read(data), settings, run)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out} has model {version}")


def _bar(batches: Iterable[Batch], epoch: int, count: int) -> Iterable[Batch]:
    bar: Iterable[Batch] = tqdm(
        batches, desc=f"epoch {epoch + 1}", total=count, leave=False, disable=not sys.stderr.isatty()
    )
    return bar


if __name__ == "__main__":
    main()

"""`python -m rolecall.training calibrate`: calibrate a trained model again."""

from pathlib import Path

import click
import torch

from rolecall.training.data import sources
from rolecall.training.fit.recalibrate import recalibrate

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("model", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=FOLDER, required=True, help="The folder that the model was trained from.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def calibrate(model: Path, out: Path, data: Path, threads: int) -> None:
    """Copy MODEL to OUT with its weights, and fit confidence and names of features again."""
    torch.set_num_threads(threads)
    version = recalibrate(model, out, sources.read(data), click.echo)
    click.echo(f"{out} has model {version}")

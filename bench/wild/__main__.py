"""`python -m bench.wild --data PATH`: the encoder in the wild, without baselines and hard pairs; minutes.

With `--validation` the validation occupations are judged: for choices during development.
"""

from pathlib import Path

import click
import orjson
import torch

from bench.wild import judge
from rolecall.encoder.artifact import BUNDLED
from rolecall.encoder.model import Encoder

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--data", type=FOLDER, required=True, help="Folder with onet/, esco/, esco_labels/, esco_skills/."
)
@click.option("--model", type=FOLDER, default=BUNDLED, help="Model directory; the bundled one by default.")
@click.option("--validation", is_flag=True, help="Judge validation occupations instead of test ones.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def main(data: Path, model: Path, validation: bool, threads: int) -> None:
    """Judge any fields, descriptions, skills, 21 languages and garbage. The last line is one JSON object."""
    torch.set_num_threads(threads)
    encoder = Encoder.load(model, device="cpu")
    found = judge.judge(encoder, judge.read(data, "validation" if validation else "test"))
    for line in judge.lines(found):
        click.echo(line)
    rounded = {name: round(value, 4) for name, value in found.figures.items()}
    click.echo(orjson.dumps({"version": encoder.version, **rounded}))


if __name__ == "__main__":
    main()

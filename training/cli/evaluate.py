"""`rolecall evaluate`: judge a model on occupations that it was not trained on."""

from pathlib import Path

import click

from rolecall.encoder.artifact import BUNDLED
from rolecall.encoder.model import Encoder
from rolecall.training.data import sources
from rolecall.training.judge.evaluate import System, held_out

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("model", type=FOLDER, default=BUNDLED)
@click.option("--data", type=FOLDER, required=True, help="The folder it was trained from.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
)
@click.option("--baselines/--no-baselines", default=True, help="Compare with TF-IDF and MiniLM.")
@click.option("--cache", type=click.Path(path_type=Path), help="Keep MiniLM's vectors here between runs.")
def evaluate(model: Path, data: Path, report: Path, baselines: bool, cache: Path | None) -> None:
    """Judge MODEL on occupations that it was not trained on. Prints a table, and writes an HTML report."""
    # Imported here because plotting and baselines take seconds to import, and training does not need them.
    from rolecall.training.judge import baselines as others
    from rolecall.training.judge import report as html

    encoder = Encoder.load(model)
    split = sources.read(data).split()
    systems: dict[str, System] = {}
    if baselines:
        systems["char TF-IDF"] = others.char_tfidf(title for o in split.train for title in o.titles)
        systems["MiniLM zero-shot"] = others.minilm(cache)
    systems["rolecall"] = lambda documents: encoder.encode(documents).vectors
    table = {name: held_out(system, split) for name, system in systems.items()}
    for measure in table["rolecall"]:
        figures = "  ".join(f"{name} {table[name][measure]:.3f}" for name in table)
        click.echo(f"{measure:24}{figures}")
    report.write_text(html.write(encoder, split, table), encoding="utf-8")
    click.echo(f"report in {report}")

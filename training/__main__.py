"""`python -m training`: train, evaluate, export."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import numpy as np
import torch
from tqdm import tqdm

from encoder.artifact import BUNDLED, ArtifactError
from encoder.document import Document
from encoder.model import Encoder
from training import evaluate, recipe, sentence_transformer, sources
from training.audit_cli import command as audit
from training.config import TrainConfig
from training.evaluate import System
from training.feedback_cli import feedback
from training.retrain_cli import command as retrain
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
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write every epoch's figures to this folder for TensorBoard.",
)
def train(
    out: Path, data: Path, config: Path, seed: int | None, threads: int, tensorboard: Path | None
) -> None:
    """Train a model into OUT. Killed runs go on where their last epoch ended when started again."""
    plot = _plot(tensorboard) if tensorboard else None
    torch.set_num_threads(threads)
    settings = TrainConfig.read(config)
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    run = recipe.Run(
        out=out,
        work=out.with_name(out.name + ".unfinished"),
        command=f"python -m training train OUT --data DATA --config {config.name} --seed {settings.seed}",
        say=click.echo,
        track=_bar,
        plot=plot,
    )
    try:
        version = recipe.make_model(sources.read(data), settings, run)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out} has model {version}")


@main.command("evaluate")
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
def judge(model: Path, data: Path, report: Path, baselines: bool, cache: Path | None) -> None:
    """Judge MODEL on occupations it never saw: a table here, everything else in one HTML file."""
    # Plotting and baselines take seconds to import; training does without them.
    from training import baselines as others
    from training import report as html

    encoder = _loaded(model)
    split = _sources(data).split()
    systems: dict[str, System] = {}
    if baselines:
        systems["char TF-IDF"] = others.char_tfidf(title for o in split.train for title in o.titles)
        systems["MiniLM zero-shot"] = others.minilm(cache)
    systems["rolecall"] = lambda documents: encoder.encode(documents).vectors
    table = {name: evaluate.held_out(system, split) for name, system in systems.items()}
    for measure in table["rolecall"]:
        figures = "  ".join(f"{name} {table[name][measure]:.3f}" for name in table)
        click.echo(f"{measure:24}{figures}")
    report.write_text(html.write(encoder, split, table), encoding="utf-8")
    click.echo(f"report in {report}")


@main.command()
@click.argument("model", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=FOLDER, required=True, help="Whose preferred titles are shown.")
def export(model: Path, out: Path, data: Path) -> None:
    """Vectors and labels of occupations as TSV, for the TensorBoard Embedding Projector."""
    encoder = _loaded(model)
    occupations = _sources(data).occupations
    found = encoder.encode([Document(o.titles[0]) for o in occupations])
    out.mkdir(parents=True, exist_ok=True)
    np.savetxt(out / "vectors.tsv", found.vectors, fmt="%.5f", delimiter="\t")
    rows = [
        f"{o.titles[0]}\t{o.source}\t{o.branch}\t{certainty:.3f}"
        for o, certainty in zip(occupations, found.certainty, strict=True)
    ]
    (out / "metadata.tsv").write_text("\n".join(["title\tsource\tbranch\tcertainty", *rows]) + "\n")
    click.echo(f"{len(rows)} occupations in {out}; load both files at projector.tensorflow.org")


@main.command("export-sentence-transformers")
@click.argument("model", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def export_sentence_transformers(model: Path, out: Path) -> None:
    """Copy MODEL to OUT so that sentence-transformers loads it: titles only, rolecall installed."""
    _loaded(model)
    sentence_transformer.export(model, out)
    click.echo(f'SentenceTransformer("{out}", trust_remote_code=True) loads it')


main.add_command(feedback)
main.add_command(retrain)
main.add_command(audit)


def _loaded(model: Path) -> Encoder:
    try:
        return Encoder.load(model)
    except ArtifactError as error:
        raise click.ClickException(str(error)) from error


def _sources(data: Path) -> sources.Sources:
    try:
        return sources.read(data)
    except sources.SourceError as error:
        raise click.ClickException(str(error)) from error


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
    bar: Iterable[Batch] = tqdm(
        batches, desc=f"epoch {epoch + 1}", total=count, leave=False, disable=not sys.stderr.isatty()
    )
    return bar


if __name__ == "__main__":
    main()

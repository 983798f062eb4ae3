"""Copies of a model for other tools: the Embedding Projector, sentence-transformers."""

from pathlib import Path

import click
import numpy as np

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training import sentence_transformer
from rolecall.training.data import sources

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("model", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=FOLDER, required=True, help="The ontologies whose preferred titles are shown.")
def export(model: Path, out: Path, data: Path) -> None:
    """Write vectors and labels of occupations as TSV, for the TensorBoard Embedding Projector."""
    encoder = Encoder.load(model)
    occupations = sources.read(data).occupations
    found = encoder.encode([Document(o.titles[0]) for o in occupations])
    out.mkdir(parents=True, exist_ok=True)
    np.savetxt(out / "vectors.tsv", found.vectors, fmt="%.5f", delimiter="\t")
    rows = [
        f"{o.titles[0]}\t{o.source}\t{o.branch}\t{certainty:.3f}"
        for o, certainty in zip(occupations, found.certainty, strict=True)
    ]
    (out / "metadata.tsv").write_text("\n".join(["title\tsource\tbranch\tcertainty", *rows]) + "\n")
    click.echo(f"{len(rows)} occupations in {out}; load both files at projector.tensorflow.org")


@click.command("export-sentence-transformers")
@click.argument("model", type=FOLDER)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def export_sentence_transformers(model: Path, out: Path) -> None:
    """Copy MODEL to OUT so that sentence-transformers loads it. It reads titles only, and needs rolecall."""
    Encoder.load(model)  # raises ArtifactError before anything is written
    sentence_transformer.export(model, out)
    click.echo(f'SentenceTransformer("{out}", trust_remote_code=True) loads it')

"""`python -m bench.quality --data PATH`: the encoder against baselines; the last line is one JSON object."""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import orjson
import torch
from rich.console import Console
from rich.table import Table

from bench.rig import benchmarks, encode
from bench.wild import hard_pairs, judge
from rolecall.encoder.artifact import BUNDLED
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.data import sources
from rolecall.training.data.ontology import Split
from rolecall.training.judge import baselines, evaluate, metrics
from rolecall.training.judge.evaluate import System

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option(
    "--data", type=FOLDER, required=True, help="Folder with onet/, esco*/, melo_usa_en/, jobbert_dev/."
)
@click.option("--model", type=FOLDER, default=BUNDLED, help="Model directory; the bundled one by default.")
@click.option("--cache", type=click.Path(path_type=Path), help="Keep MiniLM's vectors here between runs.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def main(data: Path, model: Path, cache: Path | None, threads: int) -> None:
    """Rank, match, calibrate and time the encoder. Benchmarks' queries were never trained on."""
    torch.set_num_threads(threads)
    console = Console()
    encoder = Encoder.load(model, device="cpu")
    split = sources.read(data).split()
    zero_shot = judge.remembering(baselines.minilm(cache))
    systems: dict[str, System] = {
        "char TF-IDF": baselines.char_tfidf(title for o in split.train for title in o.titles),
        "MiniLM zero-shot": zero_shot,
        "rolecall": lambda documents: encoder.encode(documents).vectors,
    }
    found = {name: quality(system, split, data) for name, system in systems.items()}
    console.print(_table(found))
    pairs = evaluate.held_out_pairs(encoder.encode, split.test, split)
    garbage = evaluate.garbage_auroc(encoder.encode, split.test)
    for kind, area in garbage.items():
        console.print(f"certainty of English titles against {kind}: AUROC {area:.3f}")
    held = judge.read(data, "test")
    wild, beside = judge.judge(encoder, held), judge.beside(zero_shot, held)
    for line in judge.lines(wild, beside):
        console.print(line, highlight=False, soft_wrap=True)
    hard = hard_pairs.right(encoder, hard_pairs.read())
    console.print(f"hard pairs on their side: {hard.sum()} of {len(hard)}")
    figures = {
        **_ranked(found["rolecall"], found["MiniLM zero-shot"]),
        "ece": evaluate.calibration_error(encoder.calibration, pairs),
        **wild.figures,
        **beside.figures,
        "hard_pairs_accuracy": hard.mean(),
        "garbage_auroc_english": garbage["mean"],
        **_speed(encoder, split, console),
        "train_minutes": orjson.loads((model / "metrics.json").read_bytes())["metrics"]["train_minutes"],
        "model_mb": sum(file.stat().st_size for file in model.iterdir()) / 2**20,
    }
    rounded = {name: round(float(value), 4) for name, value in figures.items()}
    print(orjson.dumps({"version": encoder.version, **rounded}).decode())


def _ranked(ours: dict[str, float], minilm: dict[str, float]) -> dict[str, float]:
    return {
        "melo_mrr": ours["MELO usa en MRR"],
        "jobbert_dev_mrr": ours["JobBERT dev MRR"],
        "jobbert_dev_mrr_best_label": ours["JobBERT dev MRR, best label"],
        "jobbert_dev_mrr_unseen": ours["JobBERT dev MRR, unseen titles"],
        "title_recall10": ours["title recall@10"],
        "title_recall10_gain": ours["title recall@10"] - minilm["title recall@10"],
        "match_recall10": ours["match recall@10"],
        "match_recall10_gain": ours["match recall@10"] - minilm["match recall@10"],
    }


def _speed(encoder: Encoder, split: Split, console: Console) -> dict[str, float]:
    """Times as many documents a second as MiniLM."""
    minilm = baselines.minilm()
    titles = encode.ratio(encoder, minilm, _titles(split), slow=1_000)
    documents = encode.ratio(encoder, minilm, _documents(split), slow=60)
    for kind, figures in (("titles", titles), ("documents of 200 words", documents)):
        console.print(
            f"{kind}: {figures['encoder_per_s']:,.0f}/s, MiniLM {figures['minilm_per_s']:,.0f}/s, "
            f"{figures['ratio']:,.0f} times"
        )
    return {"encode_ratio_titles": titles["ratio"], "encode_ratio_docs": documents["ratio"]}


def quality(system: System, split: Split, data: Path) -> dict[str, float]:
    titles, esco = data / "jobbert_dev" / "titles.csv", data / "esco" / "occupations_en.v1.0.csv"
    preferred = benchmarks.jobbert(titles, esco, preferred_only=True)
    ranks = benchmarks.ranks(system, preferred)
    return {
        "MELO usa en MRR": benchmarks.reciprocal_rank(system, benchmarks.melo(data / "melo_usa_en")),
        "JobBERT dev MRR": metrics.mean_reciprocal_rank(ranks),
        "JobBERT dev MRR, unseen titles": metrics.mean_reciprocal_rank(
            ranks[_unseen([query.title for query in preferred.queries], split)]
        ),
        "JobBERT dev MRR, best label": benchmarks.reciprocal_rank(
            system, benchmarks.jobbert(titles, esco, preferred_only=False)
        ),
        **evaluate.held_out(system, split),
    }


def _unseen(queries: Sequence[str], split: Split) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Queries that are no title of any ontology, case-folded: the model cannot have met them as such."""
    known = {
        title.casefold()
        for part in (split.train, split.validation, split.test)
        for o in part
        for title in o.titles
    }
    return np.array([query.strip().casefold() not in known for query in queries])


def _titles(split: Split) -> list[Document]:
    return encode.short_titles([title for o in split.train for title in o.titles], 40_000)


def _documents(split: Split) -> list[Document]:
    titles = [o.titles[0] for o in split.train]
    return encode.long_documents(titles, [task for o in split.train for task in o.tasks], 4_000)


def _table(found: dict[str, dict[str, float]]) -> Table:
    table = Table("measure", *found)
    for measure in next(iter(found.values())):
        table.add_row(measure, *(f"{figures[measure]:.3f}" for figures in found.values()))
    return table


if __name__ == "__main__":
    main()

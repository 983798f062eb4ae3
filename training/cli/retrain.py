"""`rolecall retrain`: train a model further from feedback on matches."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
import torch

from rolecall.encoder.artifact import BUNDLED
from rolecall.encoder.model import Encoder
from rolecall.training.cli.feedback import broker_settings, counted, numbered
from rolecall.training.config import DEFAULT, TrainConfig
from rolecall.training.data import sources
from rolecall.training.data.sources import Sources
from rolecall.training.feedback import entities, verdicts
from rolecall.training.feedback import pairs as feedback
from rolecall.training.feedback import retrain as retraining
from rolecall.training.feedback.config import RetrainConfig
from rolecall.training.feedback.finetune import Judged
from rolecall.training.feedback.retrain import Ground
from rolecall.training.feedback.topics import Ranges
from rolecall.training.fit import recipe

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
KEPT_BACK = 1


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=FOLDER, required=True, help="The ontologies, as for `train`.")
@click.option("--base", type=FOLDER, default=BUNDLED, help="Model to train from; the bundled one by default.")
@click.option(
    "--serving",
    type=FOLDER,
    help="Model that serves now; the new one must be better. By default the base model.",
)
@click.option("--feedback", "file", type=FILE, help="JSONL or Parquet file instead of the topic `feedback`.")
@click.option("--offsets", type=FILE, help="metrics.json of an earlier run: read the same offsets.")
@click.option("--config", type=FILE, help="TOML; see docs/loop.md.")
@click.option("--seed", type=int, help="Seed instead of the config's.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def retrain(
    out: Path,
    data: Path,
    base: Path,
    serving: Path | None,
    file: Path | None,
    offsets: Path | None,
    config: Path | None,
    seed: int | None,
    threads: int,
) -> None:
    """Train a model into OUT from feedback, and say whether it may serve.

    Feedback comes from its topic or from a file. The texts of vacancies and candidates come from their
    topics. The gate's decision is in OUT/gate.json. Exits with 1 and the reasons if the model is kept back.
    """
    torch.set_num_threads(threads)
    settings = RetrainConfig.read(config) if config else RetrainConfig()
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    known = sources.read(data)
    judged, origin = asyncio.run(_judged(file, _ranges(offsets), settings))
    if settings.weights == "scratch":
        base = from_scratch(out, known, settings)
    ground = Ground.read(base, known.split(), settings.seed)
    now = Encoder.load(serving, device="cpu") if serving else ground.encoder
    origin["data"] = known.fingerprints
    decision = retraining.retrain(ground, judged, now, settings, out, origin=origin, say=click.echo)
    for check in decision.checks:
        click.echo(
            f"{check.name:18} {check.before:.3f} -> {check.after:.3f}  {'ok' if check.passed else 'NO'}"
        )
    for reason in decision.reasons:
        click.echo(reason, err=True)
    click.echo(f"{out} may serve" if decision.promoted else f"{out} is kept back", err=not decision.promoted)
    raise SystemExit(0 if decision.promoted else KEPT_BACK)


async def _judged(
    file: Path | None, ranges: Ranges | None, settings: RetrainConfig
) -> tuple[Judged, dict[str, Any]]:
    broker = broker_settings()
    received = verdicts.read_file(file, datetime.now(UTC)) if file else await verdicts.read(broker, ranges)
    here, offsets = await entities.read(broker)
    dropped: Counter[str] = received.dropped.copy()
    pairs = feedback.graded_pairs(received.events, here, settings.rules, dropped)
    click.echo(f"{numbered(len(received.events), 'event')}, {numbered(len(pairs), 'pair')}{counted(dropped)}")
    origin = {
        "offsets": {"feedback": received.offsets, **offsets},
        "events": len(received.events),
        "pairs": len(pairs),
        "dropped": dict(sorted(dropped.items())),
        "seed": settings.seed,
    }
    doubts = feedback.second_thoughts(received.events, here, settings.rules)
    return Judged(pairs, here.documents, doubts), origin


def _ranges(metrics: Path | None) -> Ranges | None:
    if metrics is None:
        return None
    try:
        stored = orjson.loads(metrics.read_bytes())["offsets"]["feedback"]
        return {int(partition): (start, stop) for partition, (start, stop) in stored.items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise click.ClickException(
            f"{metrics} has no offsets of a feedback topic; name the metrics.json of a model that "
            "`rolecall retrain` wrote"
        ) from error


def from_scratch(out: Path, known: Sources, settings: RetrainConfig) -> Path:
    """Trains a new base model in a folder beside `out`."""
    base = out.with_name(out.name + ".base")
    config = settings.scratch or TrainConfig.read(DEFAULT)
    run = recipe.Run(
        out=base,
        work=base.with_name(base.name + ".unfinished"),
        command=f"rolecall retrain OUT --data DATA --seed {settings.seed}",
        say=click.echo,
        track=lambda batches, epoch, count: batches,
    )
    recipe.make_model(known, config.model_copy(update={"seed": settings.seed}), run)
    return base

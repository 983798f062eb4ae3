"""Calibrates and names a trained model again, after the calibration or the reader has changed."""

from collections.abc import Callable
from pathlib import Path

import orjson

from rolecall.encoder import artifact
from rolecall.encoder.artifact import ArtifactError
from rolecall.encoder.model import weight_shapes
from rolecall.encoder.tokens import Vocabulary
from rolecall.training.config import TrainConfig
from rolecall.training.data import dataset
from rolecall.training.data.sources import Sources
from rolecall.training.fit import recipe

COMMAND = "python -m rolecall.training calibrate OUT CALIBRATED --data DATA"


def recalibrate(model: Path, out: Path, sources: Sources, say: Callable[[str], None]) -> str:
    """Writes the model into `out` with its weights, and returns the version. It has to know its settings."""
    made = artifact.load(model, weight_shapes)
    file = model / "metrics.json"
    try:
        known = orjson.loads(file.read_bytes())
        config = TrainConfig.model_validate(known["config"])
        minutes, history = known["metrics"]["train_minutes"], known["history"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{file} does not say how the model was trained: {error}. "
            "Name a directory that `rolecall train` wrote."
        ) from error
    trained = known.get("command", f"rolecall train OUT --data DATA --seed {config.seed}")
    command = trained if COMMAND in trained else f"{trained}\n{COMMAND}"
    split = sources.split()
    say(f"calibrated on {len(split.validation)} occupations that it did not learn from")
    data = dataset.build(
        split.train,
        Vocabulary(made.vocabulary),
        seed=config.seed,
        aside=split.aside,
        unlabelled=split.unlabelled,
    )
    encoder = recipe.settled(made, out, split, data)
    facts = recipe.Facts(command, config, sources.fingerprints, minutes, history)
    recipe.describe(encoder, out, split, facts)
    return encoder.version

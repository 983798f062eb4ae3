"""Every choice of a retraining run, in one typed object read from a TOML file."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from rolecall.training.config import Count, Positive, Share, TrainConfig
from rolecall.training.feedback.pairs import FeedbackRules
from rolecall.training.read_config import read_config

ONTOLOGY = TrainConfig(batch=512, documents=0.7, untitled=0.2, noise=0.1, variants=0.1, foreign=0.2)


class GateConfig(BaseModel):
    """The conditions that a new model must meet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title_margin: Share = 0.01  # of recall@10 that held-out occupations may lose, with 95 % certainty
    match_margin: Share = 0.03  # the same for vacancies and candidates, of which there are fewer
    cell_margin: Share = 0.05  # of recall@10 that any combination of told fields may lose
    most_second_thoughts: Share = 0.3  # of verdicts that follow a no on the same pair, those that say yes
    # How well later verdicts must be foretold. Where 30 % are flipped, not even the truth does it better.
    least_auc: Share = 0.7
    least_pairs: Count = 100  # later pairs, below which nothing can be said


class RetrainConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    weights: Literal["head", "all", "scratch"] = "head"  # what may change; scratch: a new base model first
    steps: Count = 200
    batch: Count = 64  # matches, and as many refused pairs, a step
    learning_rate: Positive = 3e-3  # of the head; a tenth of it below
    feedback_weight: Positive = 1.0  # relative to the ontology loss, which has 1
    imitation: Annotated[float, Field(ge=0)] = 60.0  # weight of staying as the base model is
    margin: Share = 0.1  # by which a refused pair has to score below a match
    calibration: Share = 0.1  # of the pairs, those just before the later ones
    later: Annotated[float, Field(gt=0, lt=0.9)] = 0.2  # of the pairs, the newest: the gate's
    scratch: TrainConfig | None = None  # the recipe of a new base model; training/default.toml if not given
    ontology: TrainConfig = ONTOLOGY  # how the ontology's half of a step is drawn
    rules: FeedbackRules = FeedbackRules()
    gate: GateConfig = GateConfig()

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises `ConfigError`."""
        return read_config(cls, file)

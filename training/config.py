"""Every choice of a training run, in one typed object read from a TOML file."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rolecall.encoder.softmax_groups import Form
from rolecall.training.read_config import read_config

DEFAULT = Path(__file__).parent / "default.toml"  # the recipe of the bundled model

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class TrainConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    checkpoint: Path | None = None  # folder of a BERT to start from; all-MiniLM-L6-v2 if not given
    meanings: str = ""  # sentence transformer whose vectors of single words the table starts from too
    pieces: int = 0  # word pieces of other languages than English
    backbone: Literal["static", "transformer"] = "static"
    form: Form = "sqrt"
    groups: Count = 64
    size: Count = 16
    mix: int = 0  # width of the static bag's residual layer; 0: none
    loss: Literal["cross_entropy", "supervised_contrastive", "all_pairs", "triplet", "contrastive"] = (
        "cross_entropy"
    )
    temperature: Positive = 0.05
    batch: Count = 1024
    epochs: Count = 12
    max_steps: int = 0  # stop the schedule here instead of after `epochs`; 0: no
    patience: Count = 4  # epochs without a better validation before stopping
    learning_rate: Positive = 1e-3
    soup: Count = 1  # models trained on other batches, whose weights are averaged
    average: Share = 0.0  # decay of the running average of weights that is kept; 0: the last weights
    related: Share = 0.0  # of an anchor's target, spread over pairs of related occupations
    keep_tokens: Share = 0.9
    documents: Share = 0.25  # pairs whose sides draw for themselves whether they carry skills and texts
    untitled: Share = 0.0  # of the sides that carry some, those that carry no title
    several: Share = 0.0  # titles with more titles of the occupation beside
    rare: float = 0.0  # how rare a word has to be to count in full from the start; 0: all count alike
    balance: Share = 0.0  # 0: every title is drawn as often as another, 1: every occupation
    aside: Annotated[float, Field(ge=0, lt=1)] = 0.0  # pairs of what is no occupation to be judged
    foreign: Annotated[float, Field(ge=0, lt=1)] = 0.0  # pairs of titles in other languages than English
    preferred: Share = 0.2  # pairs whose second title is the preferred one
    noise: Share = 0.0  # titles with something a recruiter adds
    variants: Share = 0.0  # titles abbreviated, in the plural or mistyped
    garbage: float = 0.0  # weight of "garbage is less certain than a bare title"
    distil: float = 0.0  # weight of the imitation of the teacher: `teacher`, or else `opinions`
    opinions: str = ""  # sentence transformer that reads titles; all-MiniLM-L6-v2 is installed with training
    vacancies: int = 0  # titles of vacancies a batch, on which the teacher is imitated too
    adapt: int = 0  # epochs in which the teacher's vectors learn the occupations; 0: taken as they are
    teacher: "TrainConfig | None" = None  # recipe of the teacher, which is trained first

    @model_validator(mode="after")
    def _has_a_teacher(self) -> Self:
        if self.distil and not (self.teacher or self.opinions):
            raise ValueError(f"distil = {self.distil} but nobody to imitate: set `opinions` or `[teacher]`")
        return self

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises `ConfigError`."""
        return read_config(cls, file)

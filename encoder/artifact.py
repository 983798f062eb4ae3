"""A model directory: `config.json`, `model.safetensors`, `vocabulary.txt`, `features.json`.

Data only, no pickle. The version is a hash of their content. Sizes, types and shapes are checked before
anything is allocated, and nothing outside the directory is read. `usage.json` is what drift is measured
against; a model may lack it.
`README.md` (the model card) and `metrics.json` travel along and are not read here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rolecall.encoder.calibration import Calibration
from rolecall.encoder.softmax_groups import Form
from rolecall.encoder.usage import Usage
from rolecall.schemas.errors import RolecallError

FORMAT = 2
MAX_FILE_BYTES = 1 << 30
WEIGHTS, CONFIG, VOCABULARY, FEATURES = "model.safetensors", "config.json", "vocabulary.txt", "features.json"
USAGE = "usage.json"
BUNDLED = Path(__file__).parent / "models" / "default"

Size = Annotated[int, Field(ge=1, le=1 << 17)]
SCALE = ".scale"  # of the rows of an int8 table
DTYPES = {"F16", "F32", "I8"}
Features = tuple[tuple[str, ...], ...]
_FEATURES: TypeAdapter[Features] = TypeAdapter(Features)
ShapesOf = Callable[["Shape"], Mapping[str, tuple[int, ...]]]


class ArtifactError(RolecallError):
    """A model directory cannot be used. The text names the file, the value and the way out."""


class Shape(BaseModel):
    """The settings that determine the shapes of all weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: Literal["static", "transformer"] = "static"
    vocabulary: Size
    hidden: Size = 384
    layers: Annotated[int, Field(ge=0, le=48)] = 0
    heads: Annotated[int, Field(ge=1, le=64)] = 12
    groups: Size = 64
    size: Annotated[int, Field(ge=2, le=4096)] = 16
    form: Form = "sqrt"
    mix: Annotated[int, Field(ge=0, le=4096)] = 0

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.groups * self.size > 4096:
            raise ValueError(f"groups {self.groups} * size {self.size} is more than 4096 dimensions")
        if self.hidden > 4096:
            raise ValueError(f"hidden {self.hidden} is more than 4096")
        return self


class Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[2] = 2
    shape: Shape
    calibration: Calibration
    version: str = ""


@dataclass(frozen=True, slots=True)
class Artifact:
    config: Config
    weights: Mapping[str, torch.Tensor]  # float32
    vocabulary: tuple[str, ...]
    features: Features  # what each value of each group stands for; may be empty
    usage: Usage | None = None  # on the texts it was trained on


def save(directory: Path, artifact: Artifact) -> str:
    """Writes the files and returns the version.

    A table of token vectors goes to int8 with a scale per row, everything else to fp16.
    """
    directory.mkdir(parents=True, exist_ok=True)
    save_file(_packed(artifact.weights), directory / WEIGHTS)
    (directory / VOCABULARY).write_text("\n".join(artifact.vocabulary) + "\n", encoding="utf-8")
    (directory / FEATURES).write_bytes(orjson.dumps(artifact.features))
    (directory / USAGE).unlink(missing_ok=True)
    if artifact.usage is not None:
        (directory / USAGE).write_text(artifact.usage.model_dump_json(), encoding="utf-8")
    config = artifact.config.model_dump()
    config["version"] = _version(directory, config)
    (directory / CONFIG).write_bytes(orjson.dumps(config, option=orjson.OPT_INDENT_2))
    for name in (WEIGHTS, VOCABULARY, FEATURES, USAGE, CONFIG):
        if (
            directory / name
        ).exists():  # safetensors writes for its owner only, and workers run as another user
            (directory / name).chmod(0o644)
    return str(config["version"])


def load(directory: Path, shapes: ShapesOf) -> Artifact:
    """Raises ArtifactError when a file is missing, too large, of another shape, or not what was saved.

    shapes: from the config's shape to the shape of every weight.
    """
    config = _read_config(directory / CONFIG)
    vocabulary = tuple(_read(directory / VOCABULARY).decode("utf-8", "replace").splitlines())
    if len(vocabulary) != config.shape.vocabulary:
        raise _damaged(directory / VOCABULARY, f"{len(vocabulary)} tokens", f"{config.shape.vocabulary}")
    weights = _read_weights(directory / WEIGHTS, shapes(config.shape))
    if (version := _version(directory, orjson.loads(_read(directory / CONFIG)))) != config.version:
        raise _damaged(directory, f"content of version {version}", f"{config.version}, as config.json says")
    features = _read_features(directory / FEATURES)
    return Artifact(config, weights, vocabulary, features, _read_usage(directory, config.shape))


def _read_features(path: Path) -> Features:
    try:
        return _FEATURES.validate_json(_read(path))
    except ValidationError as error:
        raise _damaged(path, f"{error.error_count()} errors", "lists of strings") from error


def _read_usage(directory: Path, shape: Shape) -> Usage | None:
    path = directory / USAGE
    if not path.exists():
        return None
    try:
        usage = Usage.model_validate_json(_read(path))
    except ValidationError as error:
        raise ArtifactError(
            f"{path}: {error.errors()[0]['msg']}. Copy the model again, or remove it."
        ) from error
    if usage.shape != (shape.groups, shape.size):
        raise _damaged(path, f"groups and values {usage.shape}", f"{(shape.groups, shape.size)}")
    return usage


def _read_config(path: Path) -> Config:
    try:
        return Config.model_validate_json(_read(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the content"
        raise ArtifactError(
            f"{path}: {place} is {str(first['input'])[:80]!r}: {first['msg']}. "
            f"This version reads format {FORMAT}; train the model again, or copy it again."
        ) from error


def _read(path: Path) -> bytes:
    return _checked(path).read_bytes()


def _checked(path: Path) -> Path:
    if path.is_symlink():
        raise _damaged(path, "a link", "a file: copy what it points to")
    if not path.is_file():
        raise ArtifactError(f"{path} is missing. Name a directory that `rolecall train` wrote.")
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise _damaged(path, f"{size:,} bytes", f"at most {MAX_FILE_BYTES:,}")
    return path


def _read_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    try:
        with safe_open(_checked(path), framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            stored = {name: tuple(each.get_shape()) for name, each in slices.items()}
            wanted = dict(shapes) | {
                name + SCALE: shapes[name][:1] for name in shapes if name + SCALE in stored
            }
            for name in sorted(wanted.keys() | stored.keys()):
                if stored.get(name) != wanted.get(name):
                    raise _damaged(path, f"{name} of shape {stored.get(name)}", f"{wanted.get(name)}")
            for name, each in slices.items():
                if (kind := each.get_dtype()) not in DTYPES:
                    raise _damaged(path, f"{name} of type {kind}", f"one of {', '.join(sorted(DTYPES))}")
            tensors = {name: file.get_tensor(name) for name in wanted}
    except SafetensorError as error:
        raise ArtifactError(f"{path}: not a safetensors file ({error}). Copy the model again.") from error
    return {name: _unpacked(tensors[name], tensors.get(name + SCALE)) for name in shapes}


def _packed(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    packed: dict[str, torch.Tensor] = {}
    for name, weight in weights.items():
        if name.endswith("table.weight"):
            scale = weight.abs().amax(1).clamp(min=1e-12) / 127
            packed[name] = (weight / scale[:, None]).round().to(torch.int8)
            packed[name + SCALE] = scale.float()
        else:
            packed[name] = weight.to(torch.float16).contiguous()
    return packed


def _unpacked(weight: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    return weight.float() if scale is None else weight.float() * scale[:, None]


def _version(directory: Path, config: dict[str, Any]) -> str:
    """config: as it stands in the file, so that a field added later does not change old versions."""
    content = {name: value for name, value in config.items() if name != "version"}
    digest = blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=6)
    for name in (WEIGHTS, VOCABULARY, FEATURES):
        digest.update(blake2b(_read(directory / name)).digest())
    return digest.hexdigest()


def _damaged(path: Path, found: str, expected: str) -> ArtifactError:
    return ArtifactError(f"{path} has {found}, expected {expected}. Train the model again, or copy it again.")

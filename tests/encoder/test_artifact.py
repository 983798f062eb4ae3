from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from safetensors.torch import load_file, save_file

from rolecall.encoder import artifact
from rolecall.encoder.artifact import Artifact, ArtifactError, Config, Shape
from rolecall.encoder.calibration import CELLS, Calibration
from rolecall.encoder.model import Encoder, Network, weight_shapes
from rolecall.encoder.usage import Usage

SHAPE = Shape(vocabulary=4, hidden=6, groups=2, size=3)
CALIBRATION = Calibration((5.0,) * CELLS, (-3.0,) * CELLS, (1.0, 0.0), (0.0, 1.0), (0.0, 1.0), 0.1)
TOKENS = ("[UNK]", "nurse", "pilot", "welder")


def saved(directory: Path) -> Path:
    torch.manual_seed(0)
    network = Network(SHAPE)
    features = (("care", "flight", ""), ("metal", "", ""))
    config = Config(shape=SHAPE, calibration=CALIBRATION)
    artifact.save(directory, Artifact(config, network.state_dict(), TOKENS, features))
    return directory


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network(SHAPE)
    loaded = artifact.load(saved(tmp_path), weight_shapes)
    assert loaded.vocabulary == TOKENS
    assert loaded.config.calibration == CALIBRATION
    for name, weight in network.state_dict().items():
        # int8 rows are exact to half a step of 1/127 of their largest value, fp16 to 2^-11
        step = weight.abs().max().item() / 127
        torch.testing.assert_close(loaded.weights[name], weight, atol=step / 2 + 1e-3, rtol=1e-3)


def test_the_version_changes_with_the_content(tmp_path: Path) -> None:
    first = artifact.load(saved(tmp_path / "a"), weight_shapes)
    again = artifact.load(saved(tmp_path / "b"), weight_shapes)
    assert first.config.version == again.config.version
    calmer = first.config.model_copy(update={"calibration": replace(CALIBRATION, biases=(0.0,) * CELLS)})
    other = artifact.save(tmp_path / "c", Artifact(calmer, first.weights, TOKENS, first.features))
    assert other != first.config.version


def test_the_version_is_safe_in_a_collection_name(tmp_path: Path) -> None:
    version = artifact.load(saved(tmp_path), weight_shapes).config.version
    assert len(version) == 12
    assert set(version) <= set("0123456789abcdef")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.txt", "features.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (saved(tmp_path) / name).unlink()
    with pytest.raises(ArtifactError, match=rf"{name} is missing. Name a directory"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.txt", "features.json"])
@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage", b"[]", b'{"format": 1}'])
def test_garbage_is_an_artifact_error(tmp_path: Path, name: str, content: bytes) -> None:
    (saved(tmp_path) / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"again|expected"):
        Encoder.load(tmp_path)


def edit(directory: Path, **shape: object) -> None:
    config = orjson.loads((directory / "config.json").read_bytes())
    config["shape"] |= shape
    (directory / "config.json").write_bytes(orjson.dumps(config))


def test_a_huge_shape_is_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    edit(saved(tmp_path), groups=10**9)
    with pytest.raises(ArtifactError, match=r"config.json: shape.groups is '1000000000'"):
        Encoder.load(tmp_path)


def test_a_weight_of_another_shape_is_named(tmp_path: Path) -> None:
    weights = load_file(saved(tmp_path) / "model.safetensors")
    weights["head.project.bias"] = torch.zeros(7, dtype=torch.float16)
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ArtifactError, match=r"head.project.bias of shape \(7,\), expected \(6,\)"):
        Encoder.load(tmp_path)


def test_a_weight_of_another_type_is_named(tmp_path: Path) -> None:
    weights = load_file(saved(tmp_path) / "model.safetensors")
    weights["head.project.bias"] = weights["head.project.bias"].double()
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ArtifactError, match=r"head.project.bias of type F64, expected one of F16, F32, I8"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocabulary.txt", "features.json"])
def test_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    """Whoever fills a model directory decides nothing about other files of this machine."""
    outside = saved(tmp_path / "model") / name
    outside = outside.rename(tmp_path / name)
    (tmp_path / "model" / name).symlink_to(outside)
    with pytest.raises(ArtifactError, match=rf"{name} has a link, expected a file"):
        Encoder.load(tmp_path / "model")


def test_a_header_that_promises_more_than_the_file_is_refused(tmp_path: Path) -> None:
    weights = saved(tmp_path) / "model.safetensors"
    weights.write_bytes((1 << 40).to_bytes(8, "little") + weights.read_bytes()[8:])
    with pytest.raises(ArtifactError, match="not a safetensors file"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("features", [b"7", b'[["a", 1]]', b"[" * 100_000, b'{"a": []}'])
def test_features_that_are_not_lists_of_words_are_refused(tmp_path: Path, features: bytes) -> None:
    """With a version that fits: made so, not damaged."""
    (saved(tmp_path) / "features.json").write_bytes(features)
    config = orjson.loads((tmp_path / "config.json").read_bytes())
    config["version"] = artifact._version(tmp_path, config)
    (tmp_path / "config.json").write_bytes(orjson.dumps(config))
    with pytest.raises(ArtifactError, match="expected lists of strings"):
        Encoder.load(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    config = orjson.loads((saved(tmp_path) / "config.json").read_bytes())
    (tmp_path / "config.json").write_bytes(orjson.dumps(config | {"format": 1}))
    with pytest.raises(ArtifactError, match=r"format is '1'.*reads format 2"):
        Encoder.load(tmp_path)


def test_a_changed_weight_no_longer_has_the_version(tmp_path: Path) -> None:
    weights = load_file(saved(tmp_path) / "model.safetensors")
    weights["head.project.bias"] += 1
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ArtifactError, match=r"content of version"):
        Encoder.load(tmp_path)


def test_a_transformer_is_saved_and_loaded_the_same_way(tmp_path: Path) -> None:
    shape = Shape(backbone="transformer", vocabulary=4, hidden=12, layers=2, heads=3, groups=2, size=3)
    config = Config(shape=shape, calibration=CALIBRATION)
    artifact.save(tmp_path, Artifact(config, Network(shape).state_dict(), TOKENS, ()))
    encoder = Encoder.load(tmp_path, device="cpu")
    assert np.isfinite(encoder.encode([]).vectors).all()


class TestUsage:
    @pytest.fixture
    def used(self) -> Usage:
        return Usage(texts="t", documents=2, values=((0.5, 0.5, 0), (1, 0, 0)), certainty=(0.1,) * 10)

    @staticmethod
    def save(directory: Path, used: Usage | None) -> str:
        made = artifact.load(saved(directory), weight_shapes)
        return artifact.save(directory, replace(made, usage=used))

    def test_it_comes_back_and_changes_no_version(self, tmp_path: Path, used: Usage) -> None:
        assert self.save(tmp_path, used) == self.save(tmp_path / "without", None)
        assert Encoder.load(tmp_path, device="cpu").usage == used
        assert Encoder.load(tmp_path / "without", device="cpu").usage is None

    def test_one_of_another_shape_is_refused(self, tmp_path: Path, used: Usage) -> None:
        self.save(tmp_path, used.model_copy(update={"values": ((0.5, 0.5), (1, 0))}))
        with pytest.raises(ArtifactError, match=r"has groups and values \(2, 2\), expected \(2, 3\)"):
            artifact.load(tmp_path, weight_shapes)

    def test_a_damaged_one_is_explained(self, tmp_path: Path) -> None:
        (saved(tmp_path) / "usage.json").write_text("{")
        with pytest.raises(ArtifactError, match=r"usage.json: .* Copy the model again"):
            artifact.load(tmp_path, weight_shapes)

"""End to end, from a folder of tables to a model that serves, with forty tiny occupations."""

import shutil
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

from rolecall import Document, Encoder
from rolecall.encoder.artifact import Shape
from rolecall.encoder.model import Network
from rolecall.training.cli import main as cli
from rolecall.training.cli.main import group as main
from rolecall.training.cli.retrain import from_scratch
from rolecall.training.config import TrainConfig
from rolecall.training.data import sources
from rolecall.training.feedback.config import RetrainConfig
from rolecall.training.fit import recipe

TRADES = (
    "cook pilot nurse welder baker clerk farmer singer driver lawyer judge plumber teacher miner tailor "
    "dancer painter sailor butcher florist barber roofer mason printer weaver smith hunter fisher grocer "
    "usher waiter editor actor jockey porter broker potter glazier tiler logger"
)
GRADES = ("", "senior ", "junior ", "night ", "head ", "trainee ")


TINY = """
checkpoint = "{checkpoint}"
epochs = 2
batch = 32
groups = 8
size = 4
garbage = 0.1
noise = 0.2
variants = 0.1
average = 0.5
distil = 1.0
vacancies = 8
adapt = 1
soup = 2

[teacher]
backbone = "transformer"
form = "cosine"
groups = 1
size = 24
batch = 32
epochs = 1
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained BERT of one layer, with Hugging Face's weight names."""
    words = sorted({*TRADES.split(), *"".join(GRADES).split()})
    letters = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz" for mark in ("", "##")]
    folder = tmp_path_factory.mktemp("bert")
    pieces = ["[UNK]", "[CLS]", "[SEP]", *letters, *words]
    (folder / "vocab.txt").write_text("\n".join(pieces))
    torch.manual_seed(0)
    shapes = {
        "embeddings.word_embeddings.weight": (len(pieces), 24),
        "embeddings.position_embeddings.weight": (512, 24),
        "embeddings.token_type_embeddings.weight": (2, 24),
    }
    layer = "encoder.layer.0."
    sizes = {f"{layer}attention.self.{part}": (24, 24) for part in ("query", "key", "value")}
    sizes |= {f"{layer}attention.output.dense": (24, 24)}
    sizes |= {f"{layer}intermediate.dense": (96, 24), f"{layer}output.dense": (24, 96)}
    weights = {name: torch.randn(shape) for name, shape in shapes.items()}
    for name, (rows, columns) in sizes.items():
        weights |= {f"{name}.weight": torch.randn(rows, columns) / 5, f"{name}.bias": torch.zeros(rows)}
    for name in ("embeddings.", f"{layer}attention.output.", f"{layer}output."):
        weights |= {f"{name}LayerNorm.weight": torch.ones(24), f"{name}LayerNorm.bias": torch.zeros(24)}
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    data = tmp_path_factory.mktemp("data")
    rows = [f"{trade},{grade}{trade}" for trade in TRADES.split() for grade in GRADES]
    (data / "trades.csv").write_text("\n".join(["concept,text", *rows]) + "\n")
    (data / "vacancies").mkdir()
    (data / "vacancies" / "seen.csv").write_text("title,company\nrooftop welder,Acme\n")
    (data / "tiny.toml").write_text(TINY.format(checkpoint=checkpoint))
    return data


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    out = folder / "model"
    config = str(folder / "tiny.toml")
    command = ["train", str(out), "--data", str(folder), "--config", config, "--threads", "1"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out


def test_a_trained_model_encodes(model: Path) -> None:
    encoder = Encoder.load(model, device="cpu")
    assert encoder.dims == 32
    assert encoder.encode([Document("senior cook")]).vectors.shape == (1, 32)


def test_a_model_tells_what_it_was_made_from(model: Path) -> None:
    facts = orjson.loads((model / "metrics.json").read_bytes())
    assert set(facts["data"]) == {"trades.csv", "vacancies/seen.csv"}
    assert facts["config"]["groups"] == 8
    assert facts["version"] == Encoder.load(model, device="cpu").version
    assert [len(cook) for cook in facts["history"]] == [2, 2]


def test_the_card_carries_licence_attribution_and_command(model: Path) -> None:
    card = (model / "README.md").read_text()
    told = "license: apache-2.0", "O*NET 27.0 Database", "ESCO v1.2", "rolecall train"
    for part in (*told, "The teacher also read the job titles in `vacancies/seen.csv`"):
        assert part in card


def test_a_model_calibrated_again_is_the_same_and_says_so(model: Path, folder: Path, tmp_path: Path) -> None:
    command = ["calibrate", str(model), str(tmp_path), "--data", str(folder), "--threads", "1"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    before, after = (Encoder.load(each, device="cpu") for each in (model, tmp_path))
    assert after.calibration.biases == pytest.approx(before.calibration.biases, abs=1e-3)
    assert after.calibration.values == pytest.approx(before.calibration.values, abs=1e-3)
    assert "rolecall train OUT" in (card := (tmp_path / "README.md").read_text())
    assert "rolecall.training calibrate OUT CALIBRATED" in card


def test_a_model_that_does_not_say_how_it_was_trained_is_not_calibrated(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(model, tmp_path / "bare", ignore=shutil.ignore_patterns("metrics.json"))
    command = ["calibrate", str(bare), str(tmp_path / "out"), "--data", str(folder)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "metrics.json does not say how the model was trained" in result.output
    assert not (tmp_path / "out").exists()


def test_a_finished_run_leaves_no_checkpoint(model: Path) -> None:
    assert not model.with_name("model.unfinished").exists()


def test_values_of_titles_without_an_isco_group_have_no_names(model: Path) -> None:
    names = orjson.loads((model / "features.json").read_bytes())
    assert names == [[""] * 4] * 8


def test_a_model_says_how_it_is_used_on_the_titles_it_learned(model: Path) -> None:
    used = Encoder.load(model, device="cpu").usage
    assert used is not None
    assert (used.shape, used.texts) == ((8, 4), "titles of the occupations trained on, each once")


def test_evaluate_prints_a_table_and_writes_a_report(model: Path, folder: Path) -> None:
    report = folder / "report.html"
    command = ["evaluate", str(model), "--data", str(folder), "--report", str(report), "--no-baselines"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert "title recall@10" in result.output
    assert report.read_text().startswith("<!doctype html>")


def test_export_writes_what_the_projector_reads(model: Path, folder: Path) -> None:
    out = folder / "projector"
    CliRunner().invoke(main, ["export", str(model), str(out), "--data", str(folder)], catch_exceptions=False)
    vectors = (out / "vectors.tsv").read_text().splitlines()
    labels = (out / "metadata.tsv").read_text().splitlines()
    assert len(labels) == len(vectors) + 1 == 41
    assert len(vectors[0].split("\t")) == 32


def test_a_folder_without_ontologies_is_explained(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["train", str(tmp_path / "m"), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "has no ontology. Put the O*NET text files in" in result.output


def test_too_few_occupations_to_choose_the_best_epoch_are_explained(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("concept,text\ncook,cook\ncook,chef\n")
    arguments = [
        "train",
        str(tmp_path / "out"),
        "--data",
        str(tmp_path),
        "--config",
        str(folder / "tiny.toml"),
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "none of the 0 occupations held out for validation has two titles" in result.output


def test_a_damaged_model_is_explained(model: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    result = CliRunner().invoke(main, ["evaluate", str(tmp_path), "--data", str(folder)])
    assert result.exit_code == 1
    assert "config.json: shape is" in result.output


def test_retraining_from_scratch_makes_its_base_by_the_recipe_it_is_given(
    folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    recipe = TrainConfig(checkpoint=checkpoint, epochs=1, batch=32, groups=8, size=4)
    config = RetrainConfig(weights="scratch", scratch=recipe, seed=5)
    base = from_scratch(tmp_path / "new", sources.read(folder), config)
    assert base == tmp_path / "new.base"
    facts = orjson.loads((base / "metrics.json").read_bytes())
    assert TrainConfig.model_validate(facts["config"]) == recipe.model_copy(update={"seed": 5})
    assert facts["version"] == Encoder.load(base).version


def test_every_epoch_of_teacher_and_student_can_be_plotted(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    run = recipe.Run(
        out=tmp_path / "m",
        work=tmp_path / "m.unfinished",
        command="",
        say=lambda line: None,
        track=lambda batches, epoch, count: batches,
        plot=lambda name, figures: seen.append((name, figures["epoch"])),
    )
    recipe.make_model(sources.read(folder), TrainConfig.read(folder / "tiny.toml"), run)
    students = [(f"student {cook}", epoch) for cook in (1, 2) for epoch in (1, 2)]
    assert seen == [("teacher", 1), *students]


def test_a_soup_has_the_mean_of_its_weights() -> None:
    shape = Shape(vocabulary=5, hidden=4, groups=2, size=2)
    one, other = Network(shape), Network(shape)
    wanted = (one.head.project.weight + other.head.project.weight) / 2
    torch.testing.assert_close(recipe.soup([one, other]).head.project.weight, wanted)


def test_tensorboard_that_is_not_installed_is_named_before_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    command = ["train", str(tmp_path / "m"), "--data", str(folder), "--tensorboard", str(tmp_path / "tb")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert "pip install tensorboard" in result.output
    assert not list(tmp_path.iterdir())


def test_sentence_transformers_reads_titles_as_the_encoder_does(model: Path, tmp_path: Path) -> None:
    exported, saved = tmp_path / "exported", tmp_path / "saved"
    command = ["export-sentence-transformers", str(model), str(exported)]
    CliRunner().invoke(main, command, catch_exceptions=False)
    titles = ["senior cook", "night pilot", "", "head nurse / welder", "zzz"]
    expected = Encoder.load(model, device="cpu").encode([Document(title) for title in titles]).vectors
    loaded = SentenceTransformer(str(exported), trust_remote_code=True, device="cpu")
    assert loaded.get_embedding_dimension() == 32
    np.testing.assert_allclose(loaded.encode(titles), expected, atol=1e-6)
    loaded.save(str(saved))
    again = SentenceTransformer(str(saved), trust_remote_code=True, device="cpu")
    np.testing.assert_allclose(again.encode(titles), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("command", "usage"),
    [("train", "Usage: rolecall train "), ("calibrate", "Usage: python -m rolecall.training calibrate ")],
)
def test_help_names_a_command_as_it_is_called(
    capsys: pytest.CaptureFixture[str], command: str, usage: str
) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert capsys.readouterr().out.startswith(usage)

"""The check for GPUs, on the CPU with a few pairs."""

import math
from pathlib import Path

import orjson
from click.testing import CliRunner

from bench.gpu_check import main
from rolecall.training.data import ontology
from rolecall.training.data.ontology import Occupation


def test_the_check_packs_trains_times_and_prints_figures(tmp_path: Path) -> None:
    names = [f"trade {number}" for number in range(60)]
    assert len(ontology.split([Occupation(f"trades:{name}", "", (name,)) for name in names]).validation) > 0
    rows = [f"{name},{grade} {name}" for name in names for grade in ("", "senior", "junior", "night")]
    data = tmp_path / "data"
    data.mkdir()
    (data / "trades.csv").write_text("\n".join(["concept,text", *rows]) + "\n")
    packed = CliRunner().invoke(main, ["pack", str(tmp_path / "packed"), "--data", str(data)])
    assert packed.exit_code == 0, packed.output
    size = sum(file.stat().st_size for file in (tmp_path / "packed").rglob("*") if file.is_file())
    assert 40 * 2**20 < size < 64 * 2**20

    small = ["--steps", "2", "--batch", "16", "--documents", "20", "--no-tests"]
    result = CliRunner().invoke(main, ["run", str(tmp_path / "packed"), *small], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    figures = orjson.loads(result.output.strip().splitlines()[-1])
    assert figures["static_titles_per_s"] > 0
    assert figures["transformer_documents_per_s"] > 0
    assert 0 <= figures["title recall@10"] <= 1
    assert math.isfinite(figures["train_minutes"])

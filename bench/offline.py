"""Time and memory of `rolecall match` for two files.

    python -m bench.offline --vacancies 20000 --candidates 20000

The files hold the seeded sample, written by another process. The command runs as a user's would, and writes
CSV. The last line is one JSON object.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import orjson
import psutil

from rolecall.streams.embedded.sample.generate import generate
from rolecall.streams.events.receive import Entity
from rolecall.streams.process import ROLECALL

SEED = 7
EVERY_SECONDS = 0.1


@click.command()
@click.option("--vacancies", default=20_000, show_default=True)
@click.option("--candidates", default=20_000, show_default=True)
@click.option("--write", type=click.Path(file_okay=False, path_type=Path), help="Only write the files, here.")
def main(vacancies: int, candidates: int, write: Path | None) -> None:
    """Time offline matching."""
    if write is not None:
        return _write(write, vacancies, candidates)
    with TemporaryDirectory() as folder:
        sizes = ["--vacancies", str(vacancies), "--candidates", str(candidates)]
        subprocess.run([sys.executable, "-m", "bench.offline", *sizes, "--write", folder], check=True)
        figures = _measure(Path(folder))
    click.echo(orjson.dumps({"vacancies": vacancies, "candidates": candidates} | figures).decode())
    return None


def _write(folder: Path, vacancies: int, candidates: int) -> None:
    jobs, people = generate(SEED, vacancies, candidates, datetime.now(UTC))
    sides: dict[str, Sequence[Entity]] = {"vacancies": jobs, "candidates": people}
    for name, entities in sides.items():
        with (folder / f"{name}.jsonl").open("w") as file:
            file.writelines(f"{each.model_dump_json()}\n" for each in entities)


def _measure(folder: Path) -> dict[str, float]:
    files = [str(folder / f"{name}.jsonl") for name in ("vacancies", "candidates")]
    out = folder / "matches.csv"
    started, peak, cpu = time.perf_counter(), 0, 0.0
    with psutil.Popen([*ROLECALL, "match", *files, "--out", str(out)]) as process:
        while process.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss)
                cpu = sum(process.cpu_times()[:2])
            except psutil.NoSuchProcess:
                break
            time.sleep(EVERY_SECONDS)
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(process.returncode)
    with out.open() as table:
        pairs = sum(1 for _ in table) - 1
    return {
        "pairs": pairs,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_rss_mb": round(peak / 2**20),
    }


if __name__ == "__main__":
    main()

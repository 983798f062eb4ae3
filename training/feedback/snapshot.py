"""Feedback in a file: JSONL, or Parquet if the name ends in .parquet."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from rolecall.schemas.errors import RolecallError
from rolecall.schemas.feedback import Feedback

PARQUET = ".parquet"


class SnapshotError(RolecallError, ValueError):
    """A file is named Parquet and is not."""


def write(path: Path, events: Sequence[Feedback]) -> None:
    if path.suffix == PARQUET:
        from rolecall.training.feedback import parquet_file

        parquet_file.write(path, events)
    else:
        lines = [event.model_dump_json(exclude_none=True) + "\n" for event in events]
        path.write_text("".join(lines), encoding="utf-8")


def lines(path: Path) -> Iterator[bytes]:
    """One JSON text an event. Raises SnapshotError if `path` is named Parquet and is not."""
    if path.suffix != PARQUET:
        yield from path.read_bytes().splitlines()
        return
    from rolecall.training.feedback import parquet_file

    try:
        rows = list(parquet_file.rows(path))
    except ValueError as error:
        raise SnapshotError(
            f"{path} is not a Parquet file ({error}); if it is JSONL, give it another suffix"
        ) from error
    for row in rows:
        yield orjson.dumps({name: value for name, value in row.items() if value is not None})

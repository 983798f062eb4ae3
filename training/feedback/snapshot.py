"""Feedback in a file: JSONL, or Parquet where the name ends so."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pyarrow
from pyarrow import parquet

from rolecall.schemas.errors import RolecallError
from rolecall.schemas.feedback import Feedback

PARQUET = ".parquet"
SCHEMA = pyarrow.schema(
    [
        (
            name,
            {"occurred_at": pyarrow.timestamp("us", "UTC"), "rank": pyarrow.int64()}.get(
                name, pyarrow.string()
            ),
        )
        for name in Feedback.model_fields
    ]
)


class SnapshotError(RolecallError, ValueError):
    """A file is not what its name says."""


def write(path: Path, events: Sequence[Feedback]) -> None:
    if path.suffix == PARQUET:
        rows = [event.model_dump() for event in events]
        parquet.write_table(pyarrow.Table.from_pylist(rows, SCHEMA), path)
    else:
        lines = [event.model_dump_json(exclude_none=True) + "\n" for event in events]
        path.write_text("".join(lines), encoding="utf-8")


def lines(path: Path) -> Iterator[bytes]:
    """One JSON text an event. Raises SnapshotError when `path` is named Parquet and is not."""
    if path.suffix != PARQUET:
        yield from path.read_bytes().splitlines()
        return
    try:
        rows = parquet.read_table(path).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise SnapshotError(f"{path} is no Parquet file ({error}); name JSONL otherwise") from error
    for row in rows:
        yield orjson.dumps({name: value for name, value in row.items() if value is not None})

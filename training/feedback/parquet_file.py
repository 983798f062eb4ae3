"""Feedback as a Parquet file. Only this module needs pyarrow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from rolecall.schemas.feedback import Feedback

TYPES = {"occurred_at": pyarrow.timestamp("us", "UTC"), "rank": pyarrow.int64()}
SCHEMA = pyarrow.schema([(name, TYPES.get(name, pyarrow.string())) for name in Feedback.model_fields])


def write(path: Path, events: Sequence[Feedback]) -> None:
    rows = [event.model_dump() for event in events]
    parquet.write_table(pyarrow.Table.from_pylist(rows, SCHEMA), path)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Raises ValueError (pyarrow.ArrowInvalid) if the file is not Parquet."""
    yield from parquet.read_table(path).to_pylist()

"""Rules and references from the command line: publish, remove, list, try."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from rolecall.schemas.common import milliseconds
from rolecall.schemas.occupation import Occupation


def esco(path: Path) -> Iterator[Occupation]:
    """The occupations of ESCO's `occupations_en.csv`; `ValueError` names the line that is not one."""
    now = datetime.now(UTC)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if missing := {"conceptUri", "preferredLabel", "altLabels"} - set(rows.fieldnames or ()):
            raise ValueError(f"{path} has no column {', '.join(sorted(missing))}: not ESCO's occupations")
        for row in rows:
            others = tuple(label for label in (row["altLabels"] or "").splitlines() if label.strip())
            try:
                yield Occupation(
                    id=row["conceptUri"],
                    occurred_at=now,
                    revision=milliseconds(now),
                    label=row["preferredLabel"],
                    alternative_labels=others,
                )
            except ValidationError as error:
                raise ValueError(f"{path}, line {rows.line_num}: {error.errors()[0]['msg']}") from error

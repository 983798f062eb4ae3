from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyarrow import parquet

from rolecall.schemas.feedback import Feedback, Verdict, VerdictReason
from rolecall.schemas.match import Side
from rolecall.training.feedback import snapshot, verdicts

AT = datetime(2026, 11, 25, 8, 30, 0, 123_000, UTC)
EVENTS = [
    Feedback(
        id="f1", occurred_at=AT, vacancy_id="v", candidate_id="c", verdict=Verdict.HIRED, actor=Side.VACANCY
    ),
    Feedback(
        id="f2", occurred_at=AT, vacancy_id="v", candidate_id="ü", verdict=Verdict.VIEWED,
        actor=Side.CANDIDATE, actor_id="someone", match_id="m", rank=3,
    ),
    Feedback(
        id="f3", occurred_at=AT, vacancy_id="v", candidate_id="d", verdict=Verdict.REJECTED,
        actor=Side.VACANCY, reason=VerdictReason.FILLED,
    ),
    Feedback(
        id="f4", occurred_at=AT, vacancy_id="v", candidate_id="e", verdict=Verdict.REJECTED,
        actor=Side.VACANCY, reason="known_to_later_producers_only",
    ),
]  # fmt: skip


@pytest.mark.parametrize("name", ["feedback.jsonl", "feedback.parquet"])
@pytest.mark.parametrize("events", [EVENTS, []])
def test_what_was_written_is_read(name: str, events: list[Feedback], tmp_path: Path) -> None:
    snapshot.write(tmp_path / name, events)
    assert verdicts.read_strictly(tmp_path / name) == events
    assert verdicts.read_file(tmp_path / name, AT).events == events


def test_parquet_has_times_and_numbers_as_such(tmp_path: Path) -> None:
    snapshot.write(tmp_path / "x.parquet", EVENTS)
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table.column("occurred_at").to_pylist() == [AT] * 4
    assert table.column("rank").to_pylist() == [None, 3, None, None]
    assert table.column("verdict").to_pylist() == ["hired", "viewed", "rejected", "rejected"]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("{}")
    with pytest.raises(snapshot.SnapshotError, match=r"x\.parquet is not a Parquet file"):
        verdicts.read_strictly(tmp_path / "x.parquet")

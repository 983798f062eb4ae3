"""A large array is read member by member, with the same result as a small one."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.streams.feeds import read as reader
from rolecall.streams.feeds.files import json_array
from rolecall.streams.feeds.files.json_array import members
from rolecall.streams.feeds.parsed import FeedReject

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DOCUMENTS: list[list[Any]] = [
    [],
    [1, 23, 456, "a]b", {"x": [1, {"y": "}"}]}, None, True, [[]], 'ü\\"', 1.5e3],
    [{"id": str(n), "text": "x" * n} for n in range(60)],
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("piece", [2, 3, 7, 1000])
def test_members_are_those_of_the_document(
    monkeypatch: pytest.MonkeyPatch, document: list[Any], piece: int
) -> None:
    monkeypatch.setattr(json_array, "PIECE", piece)
    for option in (0, orjson.OPT_INDENT_2):
        assert (
            list(members(io.BytesIO(b" [" + orjson.dumps(document, option=option).lstrip()[1:]))) == document
        )


def test_the_array_of_a_board_is_read_like_a_small_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    jobs = [
        {"id": str(n), "text": "Miller", "categories": {"location": "Gent"}, "country": "BE"}
        for n in range(300)
    ]
    path = tmp_path / "lever.json"
    path.write_bytes(orjson.dumps([*jobs, {"id": "torn"}]))
    small = list(reader.read(path, now=NOW))
    monkeypatch.setattr(reader, "LARGE_FILE", 0)
    assert list(reader.read(path, now=NOW)) == small
    assert len(small) == 301


def test_a_broken_member_is_told_after_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reader, "LARGE_FILE", 0)
    path = tmp_path / "own.json"
    path.write_bytes(b'[{"id":"1","occurred_at":"2026-11-20T09:00:00Z","title":"Miller"},\n{"id": ,}]')
    first, second = reader.read(path, now=NOW)
    assert not isinstance(first, FeedReject)
    assert isinstance(second, FeedReject)

"""JSON whose records are not all whole: the others are read, and nothing is made of a part of a record."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rolecall.streams.feeds import read as reader
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
INSIDE = [{"id": "x", "title": "Sales"}, {"id": "y", "title": "Night shift"}]


def one(number: int, **more: Any) -> str:
    given = {"id": str(number), "occurred_at": "2026-11-01T00:00:00Z", "title": "Miller"}
    return json.dumps(given | more, separators=(",", ":"))


def outcomes(path: Path, content: str | bytes) -> list[str | int]:
    """The id of each event, and the row of each reject."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [each.id if isinstance(each, FeedEvent) else each.row for each in reader.read(path, now=NOW)]


@pytest.fixture(params=["small", "large"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "large":
        monkeypatch.setattr(reader, "LARGE_FILE", 0)
    return tmp_path / "feed.json"


BROKEN = {
    "a comma is missing": one(2).replace(',"title', '"title'),
    "a quote is missing": one(2).replace('"Miller', "Miller"),
    "a quote is not closed": one(2).replace('Miller"', "Miller"),
    "a quote inside": one(2).replace("Miller", 'Miller of "Mill"'),
    "a bracket inside is missing": one(2, departments=INSIDE).replace("}]", "}"),
    "it is not closed": one(2, departments=INSIDE)[:-1],
    "it is not opened": one(2)[1:],
    "it is cut inside": one(2, departments=INSIDE)[:-9],
    "it is closed too early": one(2).replace(',"title', '},"title'),
    "a name that is no text": one(2).replace('"id', '"i\\q'),
    "no value": one(2).replace('"Miller"', ""),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("around", ["[{}]", '{{"jobs":[{}],"facets":[{{"id":1}},{{"id":2}}]}}'])
@pytest.mark.parametrize("comma", [",", ",\n"])
def test_a_broken_record_costs_itself_only(path: Path, broken: str, around: str, comma: str) -> None:
    records = [one(1, departments=INSIDE), broken, one(3), one(4, departments=INSIDE)]
    assert outcomes(path, around.format(comma.join(records))) == ["1", 2, "3", "4"]
    assert outcomes(path, around.format(comma.join([broken, *records[2:]]))) == [1, "3", "4"]
    assert outcomes(path, around.format(comma.join(records[:2]))) == ["1", 2]


def test_a_name_without_its_object_may_be_no_text_either(path: Path) -> None:
    unreadable = one(2)[1:].replace('"id', '"i\\q')
    assert outcomes(path, f"[{one(1)},{one(2)},{unreadable},{one(4)},{one(5)}]") == ["1", 2, "4", "5"]


def test_broken_records_that_stand_in_lines_are_counted(path: Path) -> None:
    torn = one(0)[:30]
    lines = [one(1), torn, torn, one(4), torn, one(6)]
    assert outcomes(path, "[\n" + ",\n".join(lines) + "\n]") == ["1", 2, 3, "4", 5, "6"]


def test_a_reject_says_where_nothing_is_read(path: Path) -> None:
    path.write_text(f"[{one(1)},{one(2).replace(':', '')},{one(3)}]")
    _, reject, _ = reader.read(path, now=NOW)
    assert isinstance(reject, FeedReject)
    start = 1 + len(one(1)) + 1
    assert f"nothing is read from byte {start} to {start + len(one(2).replace(':', '')) + 1}" in reject.reason
    assert reject.raw.startswith(one(2).replace(":", ""))


DAMAGES = st.tuples(st.integers(0, 10_000), st.sampled_from(["", "{", "}", "[", "]", '"', ",", ":"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), min_size=2, max_size=8), st.data(), st.sampled_from([",", ",\n", ", "]))
@example([False, True, False], None, ",")
def test_no_record_is_made_of_a_part_of_another(
    tmp_path: Path, with_inside: list[bool], data: Any, comma: str
) -> None:
    """Signs of JSON are taken out or put in anywhere. What is published has the id of a record."""
    records = [
        one(n, **({"departments": INSIDE} if inside else {}), note="say },{ or }]")
        for n, inside in enumerate(with_inside)
    ]
    for number in range(len(records) if data else 0):
        if data.draw(st.booleans()):
            at, sign = data.draw(DAMAGES)
            at %= len(records[number])
            records[number] = records[number][:at] + sign + records[number][at + 1 :]
    found = outcomes(tmp_path / "feed.json", f"[{comma.join(records)}]")
    assert not {"x", "y"} & set(found)


SEVERAL = {
    f"{one(1)}{one(2)}": ["1", "2"],
    f"{one(1)} {one(2)}\n": ["1", "2"],
    f"{one(1)},{one(2)}": ["1", "2"],
    f"{one(1)},\n{one(2)},\n{one(3)},\n": ["1", "2", "3"],
    f"{one(1)}\n{one(2)}{one(3)}\n{one(4)}": ["1", "2", "3", "4"],
    f"{one(1)}{one(2)}\n{one(3)}{one(4)}": ["1", "2", "3", "4"],
    f"{one(1)}{one(2)[:-9]}": ["1", 2],
    f"[{one(1)}][{one(2)}]": ["1", "2"],
    f'{{"jobs":[{one(1)},{one(2)}]}}{{"jobs":[{one(3)}]}}': ["1", "2", "3"],
    "\n".join(json.dumps(json.loads(one(n)), indent=2) for n in (1, 2, 3)): ["1", "2", "3"],
    f"[\n{one(1)}\n]": ["1"],
    f"[\n{one(1)}\n,\n{one(2)}\n]": ["1", "2"],
    f'{{"jobs": [\n{one(1)}\n,{one(2)}\n]}}': ["1", "2"],
}


@pytest.mark.parametrize(("content", "expected"), SEVERAL.items())
@pytest.mark.parametrize("name", ["feed.json", "feed.jsonl", "feed"])
def test_documents_one_after_another_are_all_read(
    path: Path, name: str, content: str, expected: list[str | int]
) -> None:
    assert outcomes(path.with_name(name), content) == expected


def test_a_line_that_has_something_else_behind_its_record_is_rejected(tmp_path: Path) -> None:
    assert outcomes(tmp_path / "feed.jsonl", f"{one(1)}\n{one(2)} or so\n{one(3)}\n") == ["1", 2, "3"]


def test_bytes_that_are_no_utf8_cost_their_record_only(path: Path) -> None:
    records = [one(1).replace("Miller", "Müller"), one(2), one(3)]
    content = f"[{','.join(records)}]".encode().replace(b"\xc3\xbc", b"\xfc")
    assert outcomes(path, content) == [1, "2", "3"]
    (reject, *_) = reader.read(path, now=NOW)
    assert isinstance(reject, FeedReject)
    assert reject.reason.startswith("not UTF-8 (byte 0xFC at ")


def test_half_an_emoji_costs_nothing(path: Path) -> None:
    assert outcomes(path, f"[{one(1).replace('Miller', 'Miller ' + chr(92) + 'ud83d')},{one(2)}]") == [
        "1",
        "2",
    ]


def test_a_number_that_is_missing_in_pandas_is_unknown(path: Path) -> None:
    content = (
        f'[{one(1)[:-1]},"salary":{{"min":NaN,"max":52000,"currency":"EUR","period":"year"}}}},{one(2)}]'
    )
    path.write_text(content)
    first, second = reader.read(path, now=NOW)
    assert isinstance(first, FeedEvent)
    assert isinstance(second, FeedEvent)
    assert json.loads(first.value or b"")["salary"] == {"max": 52000.0, "currency": "EUR", "period": "year"}

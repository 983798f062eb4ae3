"""What one run of publish tells of every row, with a publisher that keeps what it gets."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from rolecall.schemas.match import Side
from rolecall.streams.errors import TooManyToClose
from rolecall.streams.events.records import Outgoing
from rolecall.streams.feeds.parsed import Parsed
from rolecall.streams.feeds.publish import Count, Options, Rejects, Run, changed_files
from rolecall.streams.feeds.read import read
from rolecall.streams.feeds.topic_state import State, Stored, content_digest, source_name
from rolecall.streams.settings import Settings

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Kept:
    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def publish(self, records: Iterable[Outgoing]) -> None:
        self.records += records


def lines(*records: dict[str, Any]) -> bytes:
    return b"\n".join(map(orjson.dumps, records)) + b"\n"


def vacancy(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "occurred_at": "2026-11-20T09:00:00Z", "title": "Baker"} | fields


class World:
    def __init__(self, folder: Path, options: Options, state: State | None = None) -> None:
        self.publisher, self.count, self.folder = Kept(), Count(), folder
        self.rejects = Rejects(folder / "rejects.jsonl")
        self.run = Run(self.publisher, self.rejects, options, self.count, state, Settings())

    async def publish(self, content: bytes, name: str = "feed.jsonl") -> Count:
        path = self.folder / name
        path.write_bytes(content)
        parsed: list[Parsed] = list(read(path, now=NOW))
        with self.rejects:
            await self.run.publish(parsed, NOW)
        return self.count

    def told(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in (self.folder / "rejects.jsonl").read_bytes().splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, Options())


async def test_every_row_is_in_one_count(world: World) -> None:
    count = await world.publish(lines(vacancy("a"), vacancy("a"), vacancy("b"), {"id": "c"}))
    assert (count.read, count.published, count.repeated, count.rejected) == (4, 2, 1, 1)
    assert count.read == count.published + count.unchanged + count.repeated + count.rejected
    assert "row 2: id 'a' was published before" in count.examples["repeated"]


async def test_a_newer_revision_of_an_id_is_published(world: World) -> None:
    count = await world.publish(lines(vacancy("a", revision=1), vacancy("a", revision=2)))
    assert (count.published, count.repeated) == (2, 0)


async def test_a_note_is_written_beside_the_rejects(world: World) -> None:
    count = await world.publish(lines(vacancy("a", salary={"min": 1, "currency": "Taler"})))
    assert (count.published, count.noted, dict(count.notes)) == (1, 1, {"salary": 1})
    (told,) = world.told()
    assert (told["kept"], told["id"], told["row"]) == (True, "a", 1)


async def test_a_revision_ahead_of_the_clock_is_told(world: World) -> None:
    ahead = (NOW + timedelta(days=22)).isoformat()
    count = await world.publish(lines(vacancy("a", occurred_at=ahead)))
    assert (count.published, count.rejected) == (0, 1)
    assert "ahead of the clock" in count.examples["rejected"]


def stored(record: dict[str, Any], revision: int, source: str = "") -> Stored:
    value = orjson.dumps(record)
    return Stored(revision, content_digest(value), True, source, value)


async def test_what_the_topic_has_is_left_out(tmp_path: Path) -> None:
    erased = Stored(1_795_800_000_000, b"", False, "", b"")
    state = {(Side.VACANCY, "a"): stored(vacancy("a"), 5), (Side.VACANCY, "b"): erased}
    world = World(tmp_path, Options(only_changed=True), state)
    count = await world.publish(lines(vacancy("a", revision=9), vacancy("b"), vacancy("c")))
    assert (count.unchanged, count.rejected, count.published) == (1, 1, 1)
    assert "is not newer than the erasure of 'b'" in count.examples["rejected"]


def feed_of(count: int) -> State:
    named = source_name("acme")
    return {(Side.VACANCY, f"v{n}"): stored(vacancy(f"v{n}"), 5, named) for n in range(count)}


async def test_a_full_list_closes_what_it_lacks(tmp_path: Path) -> None:
    world = World(tmp_path, Options(source="acme", full_list=True), feed_of(4))
    await world.publish(lines(*(vacancy(f"v{n}") for n in range(3))))
    await world.run.close_missing(NOW)
    last = world.publisher.records[-1]
    assert (last.key, orjson.loads(last.value or b"")["status"], world.count.closed) == (b"v3", "closed", 1)
    assert dict(last.headers)["ce_source"] == b"/rolecall/feeds/acme"


@pytest.mark.parametrize("rows", [[vacancy("v0")], [*(vacancy(f"v{n}") for n in range(3)), {"id": "v3"}]])
async def test_a_full_list_that_may_be_torn_closes_nothing(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    world = World(tmp_path, Options(source="acme", full_list=True), feed_of(4))
    await world.publish(lines(*rows))
    with pytest.raises(TooManyToClose, match="--yes"):
        await world.run.close_missing(NOW)
    assert world.count.closed == 0


def test_files_that_changed_are_found_once(tmp_path: Path) -> None:
    known: dict[Path, tuple[int, int]] = {}
    (tmp_path / "a.csv").write_text("id,title\n")
    assert changed_files([tmp_path], known) == [tmp_path / "a.csv"]
    assert changed_files([tmp_path], known) == []
    (tmp_path / "a.csv").write_text("id,title\n1,Baker\n")
    assert changed_files([tmp_path], known) == [tmp_path / "a.csv"]

"""gzip that is damaged or breaks off: what stands before is read."""

import gzip
import io
import json
import random
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rolecall.streams.feeds.files.gzipped import Unpacked
from rolecall.streams.feeds.parsed import FeedEvent, FeedReject
from rolecall.streams.feeds.read import read

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROWS = 400


def feed(kind: str) -> bytes:
    luck = random.Random(22)
    notes = [luck.randbytes(40).hex() for _ in range(ROWS)]
    records = [
        {"id": f"v-{n}", "occurred_at": "2026-11-01T00:00:00Z", "title": f"Miller {note}"}
        for n, note in enumerate(notes)
    ]
    lines = [json.dumps(each) for each in records]
    jobs = "".join(
        f"<job><id>{n}</id><title>Miller {note}</title><company>A</company></job>"
        for n, note in enumerate(notes)
    )
    return {
        "jsonl": "\n".join(lines),
        "json": f"[{','.join(lines)}]",
        "csv": "id,title\n" + "".join(f"v-{n},Miller {note}\n" for n, note in enumerate(notes)),
        "xml": f"<source>{jobs}</source>",
    }[kind].encode()


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "xml"])
def test_what_stands_before_the_end_of_a_broken_gzip_file_is_read(tmp_path: Path, kind: str) -> None:
    whole = feed(kind)
    packed = gzip.compress(whole)[:-9000]
    length = len(zlib.decompressobj(31).decompress(packed))
    path, plain = tmp_path / f"feed.{kind}.gz", tmp_path / f"feed.{kind}"
    path.write_bytes(packed)
    plain.write_bytes(whole)
    all_of_them = [each.value for each in read(plain, now=NOW) if isinstance(each, FeedEvent)]
    *found, last = read(path, now=NOW)
    values = [each.value for each in found if isinstance(each, FeedEvent)]
    assert isinstance(last, FeedReject)
    assert last.reason == (
        f"the gzip file is damaged: it breaks off; from byte {length:,} on, unpacked, nothing is read"
    )
    assert len(values) in (whole[:length].count(b"v-") - 1, whole[:length].count(b"</job>"))
    assert values == all_of_them[: len(values)]
    assert sum(isinstance(each, FeedReject) for each in found) == 1  # the record that is torn


def test_a_torn_row_of_a_table_is_not_published(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv.gz"
    pack = zlib.compressobj(wbits=31)
    path.write_bytes(pack.compress(b"id,title\n1,Miller\n2,Head of sa") + pack.flush(zlib.Z_SYNC_FLUSH))
    found = list(read(path, now=NOW))
    assert [type(each).__name__ for each in found] == ["FeedEvent", "FeedReject", "FeedReject"]
    assert found[1].row == 3


def test_a_damaged_byte_ends_the_file_there() -> None:
    whole = feed("csv")
    packed = bytearray(gzip.compress(whole))
    packed[20_000:20_004] = b"\xff\xff\xff\xff"
    file = Unpacked(io.BytesIO(packed))
    found = file.read()
    assert found is not None
    assert whole.startswith(found[:15_000])
    assert f"from byte {len(found):,} on" in file.damage
    assert "what stands before may be wrong, too" in file.damage


@pytest.mark.parametrize("size", [1, 700, 10**6])
def test_whole_files_are_unpacked_as_gzip_does_it(size: int) -> None:
    parts = [b"", b"a", b"x" * 300_000, feed("xml")]
    packed = b"".join(map(gzip.compress, parts)) + b"\0" * 10
    raw = Unpacked(io.BytesIO(packed))
    file, whole = io.BufferedReader(raw), b"".join(parts)
    assert b"".join(iter(lambda: file.read(max(size, 700)), b"")) == whole
    assert (file.seek(0, io.SEEK_END), raw.damage) == (len(whole), "")
    file.seek(300_000)
    assert file.read(size) == whole[300_000 : 300_000 + size]

"""How fast feeds are read, in how much memory, and whether any input loses a row. No Kafka.

`python -m bench.feeds` ends with one line of JSON. `--gigabytes 2` sizes the large file, `--fuzz-seconds 600`
the fuzzing, which changes bytes of valid files of every format and counts what comes out.
"""

import argparse
import asyncio
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rolecall.streams.events.records import Outgoing
from rolecall.streams.feeds.parsed import FeedEvent
from rolecall.streams.feeds.publish import Count, Options, Rejects, Run
from rolecall.streams.feeds.read import read
from rolecall.streams.settings import Settings

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PIECES = (b'"', b"\n", b",", b";", b"\0", b"\xff", b"{", b"]", b"<", b"\\", b"\xc3")
CITIES = (
    "Berlin, DE",
    "München, BY, DE",
    "Curitiba, PR",
    "Remote - US",
    "Lyon, France",
    "Austin, TX",
    "London",
)
TITLES = ("Baker", "Miller", "Staff nurse", "Data engineer", "Roofer", "Piano tuner")
TEXT = "You bake bread and cakes with a small team. " * 12


def vacancy(number: int) -> dict[str, object]:
    return {
        "id": f"v-{number}",
        "occurred_at": "2026-11-20T09:00:00Z",
        "title": TITLES[number % len(TITLES)],
        "description": TEXT,
        "skills": ["kneading", "proofing", "scoring"],
        "location": {"country": "DE", "city": "Berlin"},
        "languages": [{"code": "de", "level": "B2"}],
        "salary": {"min": 30_000 + number % 5_000, "currency": "EUR"},
    }


def csv_row(number: int) -> str:
    city = CITIES[number % len(CITIES)]
    return (
        f'v-{number},{TITLES[number % len(TITLES)]},"{city}","{TEXT}",full-time,"{30 + number % 20}.000",'
        f"EUR,per year,2026-11-{1 + number % 28:02d}\n"
    )


def posting(number: int) -> dict[str, object]:
    return {
        "@type": "JobPosting",
        "title": TITLES[number % len(TITLES)],
        "identifier": {"name": "Acme", "value": str(number)},
        "hiringOrganization": {"name": "Acme"},
        "description": f"<p>{TEXT}</p>",
        "datePosted": f"2026-11-{1 + number % 28:02d}",
        "employmentType": "FULL_TIME",
        "jobLocation": {"address": {"addressLocality": "Berlin", "addressCountry": "DE"}},
        "baseSalary": {"currency": "EUR", "value": {"value": 30_000 + number % 5_000, "unitText": "YEAR"}},
    }


CSV_HEADER = (
    "id,title,location,description,employment_types,salary.min,salary.currency,salary.period,occurred_at\n"
)
XML_JOB = (
    f"<job><id>v-0</id><title>Baker</title><company>Acme</company><description>{TEXT}</description>"
    "<city>Berlin</city><country>DE</country></job>"
)
PLAIN_HEADER = b"id,title,location\n"
KINDS: dict[str, Callable[[int], str]] = {
    "jsonl": lambda number: json.dumps(vacancy(number)) + "\n",
    "csv": csv_row,
    "job_posting": lambda number: json.dumps(posting(number)) + "\n",
}


def write(path: Path, kind: str, rows: int) -> None:
    with path.open("w") as file:
        file.write(CSV_HEADER if kind == "csv" else "")
        for number in range(rows):
            file.write(KINDS[kind](number))


def rows_per_s(path: Path, kind: str, rows: int) -> float:
    """Without the first hundred rows, which load the tables of names."""
    write(path, kind, rows)
    found = read(path, now=NOW)
    for _ in range(100):
        next(found)
    started = time.process_time()
    left = sum(isinstance(each, FeedEvent) for each in found)
    assert left == rows - 100, f"{kind}: {left} of {rows - 100} rows are events"
    return left / (time.process_time() - started)


def large_file(path: Path, kind: str, size: float) -> None:
    """JSONL, one JSON object, or one XML document of this many bytes."""
    start, one, between, end = {
        "jsonl": ("", KINDS["jsonl"](0).rstrip(), "\n", "\n"),
        "json": ('{"meta": {"page": 1}, "jobs": [', KINDS["jsonl"](0).rstrip(), ",\n", "]}"),
        "xml": ("<source>", XML_JOB, "\n", "</source>"),
    }[kind]
    pieces = [piece.encode() for piece in one.split("v-0")]
    with path.open("wb") as file:
        file.write(start.encode())
        number = 0
        while file.tell() < size:
            some = (pieces[0] + b"v-%d" % (number + n) + pieces[1] for n in range(1000))
            file.write((between.encode() if number else b"") + between.encode().join(some))
            number += 1000
        file.write(end.encode())


def peak_rss_mb(path: Path, kind: str, gigabytes: float) -> float:
    """Of a process of its own that reads a file of this kind and size, and keeps its ids."""
    large_file(path, kind, gigabytes * 1e9)
    said = subprocess.run(
        [sys.executable, "-m", "bench.feeds", "--only-read", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    path.unlink()
    return float(said.stdout)


def only_read(path: Path) -> None:
    from rolecall.streams.feeds.seen import Seen

    seen = Seen()
    for each in read(path, now=NOW):
        assert isinstance(each, FeedEvent), each
        seen.add(each.side, each.id, each.revision or 0)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def broken(content: bytes, luck: random.Random) -> bytes:
    """Some bytes changed, taken out, doubled or put in."""
    out = bytearray(content)
    for _ in range(luck.randint(1, 8)):
        where = luck.randrange(len(out) or 1)
        piece = luck.choice([*PIECES, luck.randbytes(3)])
        how = luck.randrange(4)
        if how == 0:
            out[where : where + 1] = piece
        elif how == 1:
            del out[where : where + luck.randint(1, 40)]
        elif how == 2:
            out[where:where] = out[where : where + luck.randint(1, 60)]
        else:
            out[where:where] = piece
    return bytes(out)


def seeds() -> list[tuple[str, bytes]]:
    """A small valid file of each format."""
    job = {"absolute_url": "u", "id": 1, "title": "Baker", "updated_at": "2026"}
    board = {"jobs": [job, job | {"id": 2}]}
    hr_open = {
        "positionOpening": {"documentId": {"value": "1"}, "positionProfiles": [{"positionTitle": "Baker"}]}
    }
    page = f'<html><script type="application/ld+json">{json.dumps(posting(1))}</script></html>'
    return [
        ("a.jsonl", "".join(map(KINDS["jsonl"], range(4))).encode()),
        ("a.jsonl", "".join(map(KINDS["job_posting"], range(4))).encode()),
        ("a.csv", (CSV_HEADER + "".join(map(csv_row, range(4)))).encode()),
        ("a.csv", (CSV_HEADER + "".join(map(csv_row, range(4)))).replace(",", ";").encode("utf-16")),
        ("a.json", json.dumps(board).encode()),
        ("a.json", json.dumps(hr_open).encode()),
        ("a.json", json.dumps({"@graph": [posting(1), posting(2)]}).encode()),
        ("a.json", json.dumps({"basics": {"label": "Baker"}, "work": [{"startDate": "06.2019"}]}).encode()),
        ("a.xml", b"<source><job><title>Baker</title><company>A</company><id>1</id></job></source>"),
        ("a.html", page.encode()),
        ("plain.csv", PLAIN_HEADER + b"1,Baker,Gent\n2,Miller,Lyon\n3,Cook,Berlin\n"),
        ("a.csv.gz", gzip.compress((CSV_HEADER + csv_row(1)).encode())),
    ]


def least_rows(name: str, content: bytes) -> int:
    """How many rows a broken file has at least; 0 where quotes or a broken header leave it open."""
    lines = [line for line in content.split(b"\n") if line.strip(b" \t\r\0")]
    if name == "a.jsonl" and sum(line.startswith(b"{") for line in lines) > 1:
        return len(lines)
    if name == "plain.csv" and content.startswith(PLAIN_HEADER) and not set(b'"\r\0') & set(content):
        return sum(bool(line.strip(b" ,")) for line in lines) - 1
    return 1 if content.strip() and "csv" not in name else 0


class _Nowhere:
    async def publish(self, records: Iterable[Outgoing]) -> None:
        pass


async def fuzz(folder: Path, seconds: float) -> dict[str, int]:
    """Runs of `publish` on broken files, without Kafka, and those that lost a row or counted wrongly."""
    luck, files = random.Random(22), seeds()
    until, runs, lost, uneven = time.monotonic() + seconds, 0, 0, 0
    while time.monotonic() < until:
        name, whole = luck.choice(files)
        content = broken(whole, luck)
        path = folder / name
        path.write_bytes(content)
        count = Count()
        run = Run(_Nowhere(), Rejects(folder / "rejects"), Options(), count, None, Settings())
        found = list(read(path, now=NOW))
        await run.publish(found, NOW)
        runs += 1
        uneven += count.read != count.published + count.unchanged + count.repeated + count.rejected
        lost += max(0, least_rows(name, content) - count.read)
    return {"fuzz_runs": runs, "rows_lost": lost, "uneven_counts": uneven}


def results(gigabytes: float, fuzz_seconds: float) -> Iterator[tuple[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        rates = {}
        for kind, rows in {"jsonl": 40_000, "csv": 20_000, "job_posting": 10_000}.items():
            rates[kind] = round(
                rows_per_s(Path(folder) / f"a.{'csv' if kind == 'csv' else 'jsonl'}", kind, rows)
            )
        yield "rows_per_s", rates
        if gigabytes:
            peaks = {
                kind: round(peak_rss_mb(Path(folder) / f"large.{kind}", kind, gigabytes))
                for kind in ("jsonl", "json", "xml")
            }
            yield from {"gigabytes": gigabytes, "peak_rss_mb": max(peaks.values()), "peaks": peaks}.items()
        if fuzz_seconds:
            yield from asyncio.run(fuzz(Path(folder), fuzz_seconds)).items()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--fuzz-seconds", type=float, default=600)
    parser.add_argument("--only-read", type=Path)
    arguments = parser.parse_args()
    if arguments.only_read:
        only_read(arguments.only_read)
        return
    print(json.dumps(dict(results(arguments.gigabytes, arguments.fuzz_seconds))))


if __name__ == "__main__":
    main()

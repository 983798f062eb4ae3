"""How fast feeds are read, in how much memory, and whether any input loses a row. No Kafka.

`python -m bench.feeds` ends with one line of JSON. `--gigabytes 2` sizes the large file, `--fuzz-seconds 600`
the fuzzing, which changes bytes of valid files of every format and counts what comes out.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from rolecall.streams.feeds.parsed import FeedEvent
from rolecall.streams.feeds.read import read

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


def peak_rss_mb(path: Path, gigabytes: float) -> float:
    """Of a process of its own that reads a JSONL file of this size and keeps its ids."""
    one = KINDS["jsonl"](0).encode()
    with path.open("wb") as file:
        number = 0
        while file.tell() < gigabytes * 1e9:
            file.write(b"".join(one.replace(b'"v-0"', b'"v-%d"' % (number + n)) for n in range(1000)))
            number += 1000
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
        if isinstance(each, FeedEvent):
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


def fuzz(folder: Path, seconds: float) -> tuple[int, int]:
    """Runs, and rows that were lost: lines of JSONL with a text that became nothing."""
    luck = random.Random(22)
    seeds = [
        (
            f"a.{'csv' if kind == 'csv' else 'jsonl'}",
            (CSV_HEADER if kind == "csv" else "") + "".join(map(make, range(4))),
        )
        for kind, make in KINDS.items()
    ]
    seeds += [
        (
            "a.json",
            json.dumps({"jobs": [{"absolute_url": "u", "id": 1, "title": "Baker", "updated_at": "2026"}]}),
        )
    ]
    seeds += [("a.xml", "<source><job><title>Baker</title><company>A</company><id>1</id></job></source>")]
    seeds += [("a.json", json.dumps({"basics": {"label": "Baker"}, "work": [{"startDate": "06.2019"}]}))]
    until, runs, lost = time.monotonic() + seconds, 0, 0
    while time.monotonic() < until:
        name, text = luck.choice(seeds)
        path = folder / name
        content = broken(text.encode(), luck)
        path.write_bytes(content)
        found = list(read(path, now=NOW))
        runs += 1
        if name == "a.jsonl" and len(found) > 1:
            lost += max(0, len([line for line in content.split(b"\n") if line.strip()]) - len(found))
        elif content.strip() and not found and name != "a.csv":
            lost += 1
    return runs, lost


def results(gigabytes: float, fuzz_seconds: float) -> Iterator[tuple[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        rates = {}
        for kind, rows in {"jsonl": 40_000, "csv": 20_000, "job_posting": 10_000}.items():
            rates[kind] = round(
                rows_per_s(Path(folder) / f"a.{'csv' if kind == 'csv' else 'jsonl'}", kind, rows)
            )
        yield "rows_per_s", rates
        if gigabytes:
            yield "gigabytes", gigabytes
            yield "peak_rss_mb", round(peak_rss_mb(Path(folder) / "large.jsonl", gigabytes))
        if fuzz_seconds:
            runs, lost = fuzz(Path(folder), fuzz_seconds)
            yield "fuzz_runs", runs
            yield "rows_lost", lost


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

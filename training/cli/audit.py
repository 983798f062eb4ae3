"""`rolecall audit`: differences between groups of people and between gendered titles."""

import asyncio
import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from pydantic import ValidationError

from rolecall.encoder.artifact import BUNDLED
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import Match
from rolecall.schemas.topics import MATCHES
from rolecall.training.cli.feedback import broker_settings
from rolecall.training.data import sources
from rolecall.training.feedback import topics
from rolecall.training.judge import audit as judge
from rolecall.training.judge.audit import Group, Interval, Titles
from rolecall.training.judge.gendered_titles import GENDERED, NEUTRAL

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SHOWN = 10  # pairs of titles that the terminal shows: those with the largest differences


@click.command()
@click.argument("model", type=FOLDER, default=BUNDLED)
@click.option("--data", type=FOLDER, required=True, help="The ontologies, as for `train`.")
@click.option("--groups", type=FILE, help="CSV with the columns id and group: candidates or vacancies.")
@click.option("--matches", type=FILE, help="JSONL of matches instead of the topic `matches`.")
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all figures to this file.",
)
def audit(model: Path, data: Path, groups: Path | None, matches: Path | None, report: Path | None) -> None:
    """Compare groups of people by their matches, and gendered forms of titles by MODEL.

    You supply the groups: --groups says who belongs to which. No other command reads this file.
    docs/fairness.md explains what the figures mean, and what they do not mean.
    """
    encoder = Encoder.load(model, device="cpu")
    occupations = sorted({o.titles[0] for o in sources.read(data).occupations})
    found = judge.by_group(_matches(matches), _groups(groups)) if groups else []
    gendered = judge.title_pairs(encoder, GENDERED, occupations)
    neutral = judge.title_pairs(encoder, NEUTRAL, occupations)
    for line in [*_group_lines(found), *_title_lines(gendered, neutral, len(occupations))]:
        click.echo(line)
    if report:
        content = {
            "model": encoder.version,
            "groups": [asdict(group) for group in found],
            "gendered": asdict(gendered),
            "neutral": asdict(neutral),
        }
        report.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def _groups(file: Path) -> dict[str, str]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if missing := {"id", "group"} - set(reader.fieldnames or ()):
            raise click.ClickException(f"{file} has no column {', '.join(sorted(missing))}")
        groups = {row["id"]: row["group"] for row in reader if row["group"]}
    if not groups:
        raise click.ClickException(f"{file} has no row with a group")
    return groups


def _matches(file: Path | None) -> Iterator[Match]:
    if file:
        values = file.read_bytes().splitlines()
    else:
        records, _ = asyncio.run(topics.read(broker_settings(), MATCHES.name))
        values = [record.value for record in records if record.value]
    for value in values:
        try:
            yield Match.model_validate_json(value)
        except ValidationError:  # a withdrawal: the match still counts, because it was made
            continue


def _group_lines(groups: list[Group]) -> Iterator[str]:
    if not groups:
        return
    yield f"{'group':16}{'people':>8}{'with a match':>24}{'of the highest':>16}{'confidence':>24}"
    for group in groups:
        ratio = "" if group.ratio is None else f"{group.ratio:.2f}"
        sure = "" if group.confidence is None else _with(group.confidence, group.confidence_interval)
        rate = _with(group.rate, group.rate_interval)
        yield f"{group.name[:15]:16}{group.people:>8,}{rate:>24}{ratio:>16}{sure:>24}"
    yield ""


def _title_lines(gendered: Titles, neutral: Titles, occupations: int) -> Iterator[str]:
    yield f"similarity of two titles, and how much their similarities to {occupations:,} occupations differ"
    for name, titles in (("gendered forms", gendered), ("other spellings", neutral)):
        similarity = _with(titles.similarity, titles.similarity_interval)
        apart = _with(titles.mean_difference, titles.mean_difference_interval)
        yield f"{name:16}{len(titles.pairs):>4} pairs{similarity:>24}{apart:>24}"
    yield ""
    yield f"{'furthest apart':40}{'similarity':>10}{'nearest 10 shared':>19}  largest difference"
    for pair in sorted(gendered.pairs, key=lambda pair: pair.similarity)[:SHOWN]:
        names = f"{pair.one} / {pair.other}"
        where = f"{pair.largest_difference:+.2f} to {pair.where}"
        yield f"{names:40}{pair.similarity:>10.2f}{pair.same_nearest:>19}  {where}"
    yield f"the first {SHOWN} of {len(gendered.pairs)} pairs; --json FILE writes all"


def _with(value: float, interval: Interval | None) -> str:
    low, high = interval or (value, value)
    return f"{value:.3f} ({low:.3f} to {high:.3f})"

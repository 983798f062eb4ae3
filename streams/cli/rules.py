"""`rolecall rules`: exclusion rules. `rolecall occupations`: reference occupations."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from rolecall.encoder.model import Encoder
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import RULES
from rolecall.streams.cli.console import FAILED, counted, effective_settings, explained, fail, served_by
from rolecall.streams.connect import connect_index
from rolecall.streams.diagnose.exclusions import current_rules, dry_run
from rolecall.streams.events.records import definition_record, removal_record
from rolecall.streams.feeds.formats.esco import esco
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.kafka.send import send
from rolecall.streams.settings import Settings
from rolecall.streams.worker.exclusion_rules import Forbidden

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OPTIONS = (
    click.option("--first", metavar="TEXT", help="First anchor: a title."),
    click.option("--first-id", metavar="ID", help="First anchor: id of an indexed vacancy or candidate."),
    click.option("--second", metavar="TEXT", help="Second anchor: a title."),
    click.option("--second-id", metavar="ID"),
    click.option("--min-similarity", type=click.FloatRange(0, 1), multiple=True,
                 help="Radius of both areas; give it twice for two radii."),
)  # fmt: skip


def anchored(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group()
def rules() -> None:
    """Exclusion rules: add, remove, list, test."""


@rules.command()
@click.option("--id", required=True, help="Adding an id again replaces the rule.")
@anchored
@click.option("--author", default="", help="Who asks for the rule.")
@click.option("--note", default="", help="Why.")
def add(id: str, author: str, note: str, **anchors: Any) -> None:
    """Exclude matches between entities near one anchor and entities near another.

    All workers apply the rule within seconds, and withdraw the matches that it excludes.

    \b
    Example:  rolecall rules add --id apart --first nurse --second 'truck driver' --min-similarity 0.9
    """
    rule = _rule(id=id, author=author, note=note, **anchors)
    with explained():
        run_interruptibly(send(effective_settings(), [definition_record(rule)]))
        click.echo(f"added {rule.id}")


@rules.command()
@click.argument("id")
def remove(id: str) -> None:
    """Remove a rule. The pairs that it excluded can match again at the next update of either side."""
    with explained():
        settings = effective_settings()
        if id not in {rule.id for rule in run_interruptibly(current_rules(settings))}:
            fail(f"there is no exclusion rule {id!r}; `rolecall rules list` prints them", FAILED)
        run_interruptibly(send(settings, [removal_record(RULES.name, id)]))
        click.echo(f"removed {id}")


@rules.command("list")
def list_rules() -> None:
    """Print the current rules, one JSON object a line."""
    with explained():
        for rule in run_interruptibly(current_rules(effective_settings())):
            click.echo(rule.model_dump_json(exclude_defaults=True))


@rules.command("test")
@click.argument("file", required=False, type=FILE)
@anchored
@click.option("--examples", type=click.IntRange(min=0), default=5, show_default=True,
              help="How many excluded pairs to print.")  # fmt: skip
def test_rules(file: Path | None, examples: int, **anchors: Any) -> None:
    """Show which indexed pairs a rule would exclude. Nothing is published.

    FILE has one rule a line, as `rules list` prints them.

    \b
    Example:  rolecall rules test --first nurse --second 'truck driver' --min-similarity 0.9
    """
    if file is None:
        tried = [_rule(id="test", **anchors)]
    else:
        try:
            lines = filter(None, file.read_text().splitlines())
            tried = [ExclusionRule.model_validate_json(line) for line in lines]
        except ValidationError as error:
            raise click.UsageError(f"{file}: {error}") from error
    with explained():
        found = run_interruptibly(_tried(effective_settings(), tried))
        for rule, forbidden in zip(tried, found, strict=True):
            _show(rule, forbidden, examples)


async def _tried(settings: Settings, rules: Sequence[ExclusionRule]) -> list[Forbidden]:
    encoder = Encoder.load(settings.model, device=settings.device, threads=settings.encoder_threads)
    index = connect_index(settings, await served_by(settings, encoder.version), encoder.dims)
    try:
        return await dry_run(encoder, index, rules)
    finally:
        await index.close()


def _show(rule: ExclusionRule, forbidden: Forbidden, examples: int) -> None:
    click.echo(click.style(rule.id, bold=True))
    areas = zip(rule.anchors, forbidden.vacancies, forbidden.candidates, strict=True)
    for anchor, vacancies, candidates in areas:
        name = f"{anchor.text or anchor.entity_id}, similarity {anchor.min_similarity:g} or more"
        held = counted(len(vacancies), "vacancy", "vacancies"), counted(len(candidates), "candidate")
        click.echo(f"  {name}: {', '.join(held)}")
    pairs = 0
    for vacancy, candidate in forbidden.pairs():
        pairs += 1
        if pairs <= examples:
            click.echo(f"    {vacancy.id} and {candidate.id}")
    more = f" (--examples {pairs} prints all)" if pairs > examples else ""
    click.echo(f"  {counted(pairs, 'pair')} excluded{more}")


def _rule(
    *,
    id: str,
    first: str | None,
    first_id: str | None,
    second: str | None,
    second_id: str | None,
    min_similarity: tuple[float, ...],
    **said: str,
) -> ExclusionRule:
    if len(min_similarity) not in (1, 2):
        raise click.UsageError("give --min-similarity once for both anchors, or once for each")
    sources = ((first, first_id, min_similarity[0]), (second, second_id, min_similarity[-1]))
    anchors = [{"text": text, "entity_id": id, "min_similarity": radius} for text, id, radius in sources]
    try:
        return ExclusionRule.model_validate(
            {"id": id, "occurred_at": datetime.now(UTC), "anchors": anchors, **said}
        )
    except ValidationError as error:
        problem = error.errors()[0]
        raise click.UsageError(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


@click.group()
def occupations() -> None:
    """Reference occupations: load."""


@occupations.command()
@click.argument("file", type=FILE)
def load(file: Path) -> None:
    """Publish the occupations of ESCO's occupations_en.csv with all their labels.

    Every match then names the reference occupation that is nearest to each side. Loading again replaces them.
    """
    with explained():
        try:
            records = [definition_record(occupation) for occupation in esco(file)]
        except ValueError as error:
            fail(str(error), FAILED)
        count = run_interruptibly(send(effective_settings(), records))
        click.echo(f"{counted(count, 'occupation')} published")

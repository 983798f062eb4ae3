"""`rolecall explain`: one pair, as the index holds it now."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click
import orjson

from rolecall.encoder.model import Encoder
from rolecall.schemas.match import NearestOccupation, Side
from rolecall.streams.cli.console import columns, effective_settings, explained, served_by
from rolecall.streams.cli.table import Titles
from rolecall.streams.cli.titles import TitleReader
from rolecall.streams.connect import connect_index
from rolecall.streams.diagnose import explain as diagnosis
from rolecall.streams.diagnose.explain import Explanation
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.settings import Settings

LEAST_SHARE = 0.005  # less is 0 % when it is rounded
LONGEST_NAME = 70


@click.command()
@click.argument("vacancy")
@click.argument("candidate")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--titles", is_flag=True, help="Show the titles too, read from the topics.")
def explain(vacancy: str, candidate: str, as_json: bool, titles: bool) -> None:
    """Say why VACANCY and CANDIDATE match, or what prevents it.

    Compares what the index holds of the two ids now, with the settings of this machine: score, confidence,
    every hard rule with the terms that it compares, skills, and the model's features. Exits with 1 if the
    index does not hold one of the two.

    \b
    Example:  rolecall explain acme-4711 c-2
    """
    with explained():
        settings = effective_settings()
        found = run_interruptibly(explanation(settings, vacancy, candidate))
        known = run_interruptibly(_titles(settings)) if titles else {}
        click.echo(as_json_object(found) if as_json else "\n".join(lines(found, known)))


async def _titles(settings: Settings) -> Titles:
    async with TitleReader.of(settings) as reader:
        return reader.titles


async def explanation(settings: Settings, vacancy_id: str, candidate_id: str) -> Explanation:
    model = Encoder.load(settings.model, device="cpu", threads=settings.encoder_threads)
    index = connect_index(settings, await served_by(settings, model.version), model.dims)
    try:
        return await diagnosis.explain(
            model, index, vacancy_id, candidate_id, settings.policy(), datetime.now(UTC)
        )
    finally:
        await index.close()


def as_json_object(found: Explanation) -> bytes:
    return orjson.dumps(found, default=NearestOccupation.model_dump, option=orjson.OPT_INDENT_2)


def lines(found: Explanation, titles: Titles) -> Iterator[str]:
    if found.stopped_by:
        yield click.style(f"no match: {found.stopped_by}", fg="red", bold=True)
    else:
        yield click.style("match", fg="green", bold=True)
    yield ""
    vacancy, candidate = _near(found.vacancy_occupation), _near(found.candidate_occupation)
    for side, id, certainty, near in (
        (Side.VACANCY, found.vacancy_id, found.vacancy_certainty, vacancy),
        (Side.CANDIDATE, found.candidate_id, found.candidate_certainty, candidate),
    ):
        title = f" ({titles[side, id]})" if (side, id) in titles else ""
        yield f"{side:<11} {id}{title}, certainty {certainty:.2f}{near}"
    yield f"score       {found.score:.3f} by model {found.model_version}"
    yield f"confidence  {found.confidence:.3f}"
    for each in found.lists:
        place = f"place {each.rank}" if each.rank else f"not in the top {each.top_k}"
        if each.duplicate:
            place = f"its duplicate {each.duplicate} has the place"
        yield f"list        of the {each.side}: {place} (minimum confidence {each.min_confidence:.2f})"
    yield ""
    rows = [("rule", "mode", "verdict", "vacancy", "candidate")] + [
        (each.rule, each.mode, "passes" if each.passes else "breaks", each.vacancy, each.candidate)
        for each in found.rules
    ]
    for row, line in zip(rows, columns(rows), strict=True):
        yield click.style(line, bold=row is rows[0], fg="red" if row[2] == "breaks" else None)
    yield ""
    yield f"exclusion rules  {', '.join(found.exclusion_rules) or 'none'}"
    if found.turned_down_at:
        yield f"turned down      on {found.turned_down_at:%Y-%m-%d}"
    yield f"shared skills    {', '.join(found.shared_skills) or 'none'}"
    yield f"missing skills   {', '.join(found.missing_skills) or 'none'}"
    features = [(name, share) for name, share in found.features if share >= LEAST_SHARE]
    for name, share in features:
        shown = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
        yield f"feature          {shown} ({share:.0%} of the score)"
    if not features:
        yield "feature          none"


def _near(occupation: NearestOccupation | None) -> str:
    return f", nearest to {occupation.label} ({occupation.score:.2f})" if occupation else ""

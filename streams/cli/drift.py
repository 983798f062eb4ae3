"""`rolecall drift`: compare the newest events with the model's training texts."""

import json
from collections.abc import Iterator

import click

from rolecall.streams.cli.console import counted, effective_settings, explained
from rolecall.streams.diagnose.drift_report import SideDrift, drift_report
from rolecall.streams.interrupt import run_interruptibly
from rolecall.streams.monitor.drift import FEWEST, MODERATE, MUCH


@click.command()
@click.option("--documents", type=click.IntRange(min=1), default=10_000, show_default=True,
              help="How many of the newest documents of each side to compare, at most.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def drift(documents: int, as_json: bool) -> None:
    """Compare the newest vacancies and candidates with the texts that the model was trained on.

    Prints the population stability index of the features and of the certainty, and the share of documents
    that are far from every reference occupation. docs/rollout.md says from which value on to retrain. Exits
    with 1 if the model has no reference.
    """
    with explained():
        found = run_interruptibly(drift_report(effective_settings(), documents))
        click.echo(json.dumps(as_json_array(found)) if as_json else "\n".join(lines(found)))


def as_json_array(found: list[SideDrift]) -> list[dict[str, object]]:
    return [
        {
            "topic": each.topic,
            "documents": each.documents,
            "psi_values": each.drift and each.drift.mean,
            "psi_certainty": each.drift and each.drift.certainty,
            "mean_certainty": each.certainty,
            "unfamiliar": each.unfamiliar,
            "advice": each.drift and each.drift.advice,
        }
        for each in found
    ]


def lines(found: list[SideDrift]) -> Iterator[str]:
    for each in found:
        yield f"{each.topic}: {counted(each.documents, 'document')}"
        if each.drift is None:
            yield f"  too few to judge; {FEWEST:,} are needed"
            continue
        yield f"  values     PSI {each.drift.mean:.3f}, most in {', '.join(each.worst)}"
        yield f"  certainty  PSI {each.drift.certainty:.3f}, mean {each.certainty:.2f}"
        if each.unfamiliar is not None:
            yield f"  far from every reference occupation: {each.unfamiliar:.1%}"
        yield f"  {each.drift.advice}"
    yield f"PSI below {MODERATE}: little has changed; above {MUCH}: much has changed"

"""Matches and withdrawals as lines of a table."""

from collections.abc import Iterator, Mapping

import click

from rolecall.schemas.match import Match, MatchesWithdrawn, Side

Titles = Mapping[tuple[Side, str], str]

NARROWEST, WIDEST = 12, 36  # width of a column of ids


def why(match: Match) -> Iterator[str]:
    """Shared skills, the occupation that both sides are nearest to; without these, a feature of the model."""
    reasons = match.reasons
    if reasons.shared_skills:
        yield "skills " + ", ".join(reasons.shared_skills[:3])
    if reasons.missing_skills:
        yield "missing " + ", ".join(reasons.missing_skills[:2])
    here, there = reasons.vacancy_occupation, reasons.candidate_occupation
    if here and there and here.id == there.id and not (here.unfamiliar or there.unfamiliar):
        yield f"both nearest to {here.label}"
    elif reasons.features and not reasons.shared_skills:
        yield f"both like {reasons.features[0]}"
    yield f"texts {match.score:.0%} alike"


class Lines:
    """`width` is that of the terminal; None leaves every line at full length, for pipes."""

    def __init__(self, width: int | None, titles: Titles | None = None) -> None:
        """titles: shown in place of ids. An id without a title is shown itself."""
        self._width = width
        self._titles = {} if titles is None else titles  # it may fill later
        self._id = WIDEST if width is None else min(WIDEST, max(NARROWEST, (width - 16) // 4))

    def header(self) -> str:
        return click.style(self._row("confidence", "vacancy", "candidate", "why"), bold=True)

    def line(self, event: Match | MatchesWithdrawn) -> str:
        if isinstance(event, MatchesWithdrawn):
            return click.style(
                self._cut(f"{'withdrawn':<10}  {event.side} {event.entity_id}: {event.reason}"), dim=True
            )
        colour = "green" if event.confidence >= 0.8 else "yellow" if event.confidence >= 0.5 else "red"
        vacancy = self._titles.get((Side.VACANCY, event.vacancy_id), event.vacancy_id)
        candidate = self._titles.get((Side.CANDIDATE, event.candidate_id), event.candidate_id)
        row = self._row(f"{event.confidence:>8.0%}", vacancy, candidate, "; ".join(why(event)))
        return click.style(row[:10], fg=colour) + row[10:]

    def _row(self, confidence: str, vacancy: str, candidate: str, reason: str) -> str:
        return self._cut(f"{confidence:<10}  {self._short(vacancy)}  {self._short(candidate)}  {reason}")

    def _short(self, id: str) -> str:
        shown = id if self._width is None or len(id) <= self._id else id[: self._id - 1] + "…"
        return f"{shown:<{self._id}}"

    def _cut(self, text: str) -> str:
        return text if self._width is None or len(text) <= self._width else text[: self._width - 1] + "…"

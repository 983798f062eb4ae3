"""Which pairs may match, for blocks of pairs: by the conditions of the hard rules, and by exclusion rules.

Like an index, this may let too many pairs through, never too few. `hard_rules.compatible` checks the rest.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.rule import Anchor, ExclusionRule
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.errors import Unacceptable
from rolecall.streams.index.areas import INSIDE, Area
from rolecall.streams.index.columns import Columns, Mask
from rolecall.streams.index.conditions import All, Condition, Payload
from rolecall.streams.matching import pushdown
from rolecall.streams.matching.hard_rules import RuleBook
from rolecall.streams.offline.pool import Pool, Rows
from rolecall.streams.worker.exclusion_rules import SMALLEST_RADIUS

SEEN = 4096  # number of masks of single conditions that are cached for a block of candidates
AT_ONCE = 1024  # entities that are compared with areas together: 80 MB with 10,000 rules


class Allowed:
    def __init__(
        self,
        vacancies: Pool,
        candidates: Pool,
        areas: Sequence[tuple[Area, Area]],
        book: RuleBook,
        now: datetime,
    ) -> None:
        self._columns = Columns(_fields(candidates, row, book) for row in range(len(candidates)))
        numbers: dict[Condition, int] = {}  # of single conditions; most are those of many vacancies
        self._wanted = [
            tuple(numbers.setdefault(part, len(numbers)) for part in _parts(vacancies, row, now, book))
            for row in range(len(vacancies))
        ]
        self._conditions = list(numbers)
        self._closed = _closed(vacancies, candidates, areas)

    def mask(self, vacancies: Rows, candidates: Rows, seen: dict[int, Mask]) -> Mask:
        """(vacancies, candidates). seen: cached masks for these candidates; empty for new ones."""
        allowed = np.ones((len(vacancies), len(candidates)), np.bool_)
        for row, vacancy in zip(allowed, vacancies.tolist(), strict=True):
            for number in self._wanted[vacancy]:
                if number not in seen:
                    if len(seen) == SEEN:
                        seen.clear()
                    seen[number] = self._columns.passing(self._conditions[number], candidates)
                row &= seen[number]
            for closed in self._closed.get(vacancy, ()):
                row &= ~np.isin(candidates, closed)
        return allowed


def areas_of(
    rules: Sequence[ExclusionRule], encoder: Encoder, vacancies: Pool, candidates: Pool
) -> list[tuple[Area, Area]]:
    """Raises `Unacceptable` for an anchor whose entity is in neither pool."""

    def area(rule: ExclusionRule, anchor: Anchor) -> Area:
        if anchor.text is not None:
            vector = encoder.encode([Document(anchor.text)]).vectors[0]
        else:
            id = anchor.entity_id or ""
            pool, row = vacancies, vacancies.row(id)
            if row is None:
                pool, row = candidates, candidates.row(id)
            if row is None:
                raise Unacceptable(
                    f"exclusion rule {rule.id!r}: no vacancy or candidate {id!r} is among the entities;"
                    " take the rule out, or give a text as anchor"
                )
            vector = pool.vectors(np.array([row], np.int32))[0]
        return np.asarray(vector / max(anchor.min_similarity, SMALLEST_RADIUS), np.float32)

    return [(area(rule, rule.anchors[0]), area(rule, rule.anchors[1])) for rule in rules]


def _fields(pool: Pool, row: int, book: RuleBook) -> Payload:
    candidate = pool.entity(row)
    assert isinstance(candidate, Candidate)
    return pushdown.candidate_fields(candidate, book)


def _parts(pool: Pool, row: int, now: datetime, book: RuleBook) -> tuple[Condition, ...]:
    vacancy = pool.entity(row)
    assert isinstance(vacancy, Vacancy)
    wanted = pushdown.wanted_candidates(vacancy, now, book)
    return wanted.conditions if isinstance(wanted, All) else (wanted,)


def _closed(
    vacancies: Pool, candidates: Pool, areas: Sequence[tuple[Area, Area]]
) -> Mapping[int, list[Rows]]:
    """By vacancy, the candidates in the opposite areas of those that it is in."""
    closed: dict[int, list[Rows]] = {}
    if not areas:
        return closed
    for one, other in ((0, 1), (1, 0)):
        others = _inside(candidates, [pair[other] for pair in areas])
        for rows, across in zip(_inside(vacancies, [pair[one] for pair in areas]), others, strict=True):
            for row in rows.tolist() if len(across) else ():
                closed.setdefault(row, []).append(across)
    return closed


def _inside(pool: Pool, areas: Sequence[Area]) -> list[Rows]:
    """The rows in each area."""
    rows = np.arange(len(pool), dtype=np.int32)
    stacked = np.stack(areas)
    found: list[list[Rows]] = [[] for _ in areas]
    for start in range(0, len(rows), AT_ONCE):
        block = rows[start : start + AT_ONCE]
        inside = pool.vectors(block) @ stacked.T >= INSIDE  # (block, areas)
        for number in np.flatnonzero(inside.any(axis=0)).tolist():
            found[number].append(block[inside[:, number]])
    return [np.concatenate([rows[:0], *each]) for each in found]

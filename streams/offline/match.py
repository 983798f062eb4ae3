"""Match two lists of entities, with the rules, scores and confidence of the worker.

A pair is a match when the candidate is in the vacancy's list or the vacancy in the candidate's. A list has
the best `top_k` entities that may match and reach the minimum confidence.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from rolecall.encoder.model import Encoder
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Match, Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.receive import Entity, Event, Published
from rolecall.streams.events.record import Record
from rolecall.streams.matching.match import matches
from rolecall.streams.matching.policy import Policy
from rolecall.streams.offline.allowed import Allowed, areas_of
from rolecall.streams.offline.lists import Advanced, List, Market, lists
from rolecall.streams.offline.pool import Collector, Pool, Rows
from rolecall.streams.settings import Settings

READ_AT_ONCE = 1024


def match(
    vacancies: Iterable[Vacancy],
    candidates: Iterable[Candidate],
    *,
    rules: Iterable[ExclusionRule] = (),
    settings: Settings | None = None,
    encoder: Encoder | None = None,
    now: datetime | None = None,
) -> Iterator[Match]:
    """Every match of two lists, each pair once: first the vacancies' lists, then what only candidates found.

    Model and policy come from `settings`, by default from the environment and `.env`. Give an `encoder` to
    load it once for several calls. The work begins when the first match is taken.
    """
    settings = settings or Settings()
    encoder = encoder or load_encoder(settings)
    events = {Side.VACANCY: map(_published, vacancies), Side.CANDIDATE: map(_published, candidates)}
    with market(events, rules, encoder, settings.policy(), now or datetime.now(UTC)) as opened:
        yield from matches_of(opened)


def load_encoder(settings: Settings) -> Encoder:
    return Encoder.load(settings.model, device=settings.device, threads=settings.encoder_threads)


@contextmanager
def market(
    events: Mapping[Side, Iterable[Event]],
    rules: Iterable[ExclusionRule],
    encoder: Encoder,
    policy: Policy,
    now: datetime,
    advanced: Advanced = lambda counted, more, of: None,
) -> Iterator[Market]:
    """Both sides, encoded. The vectors are in a temporary folder until the end.

    Raises `Unacceptable` for a rule whose anchor is an entity that is on neither side.
    """
    with tempfile.TemporaryDirectory(prefix="rolecall-") as folder:

        def pool(side: Side) -> Pool:
            collector = Collector(side, encoder, policy, Path(folder, side), now)
            return collector.collect(events[side], lambda more: advanced(f"{side} records", more, None))

        vacancies, candidates = pool(Side.VACANCY), pool(Side.CANDIDATE)
        areas = areas_of(newest_rules(rules), encoder, vacancies, candidates)
        allowed = Allowed(vacancies, candidates, areas, policy.book, now)
        pools = {Side.VACANCY: vacancies, Side.CANDIDATE: candidates}
        yield Market(pools, allowed, encoder, policy, now, advanced)


def newest_rules(rules: Iterable[ExclusionRule]) -> list[ExclusionRule]:
    """The highest revision of each id; of equal ones the last."""
    newest: dict[str, ExclusionRule] = {}
    for rule in rules:
        if rule.id not in newest or rule.revision >= newest[rule.id].revision:
            newest[rule.id] = rule
    return list(newest.values())


def matches_of(market: Market) -> Iterator[Match]:
    """The list of every vacancy, by id. Then the pairs that only candidates' lists have."""
    made = lists(market)
    everyone = np.arange(len(made[Side.VACANCY]), dtype=np.int32)
    for _, matched in _matches(market, Side.VACANCY, made, everyone):
        yield from matched
    ids = market.pools[Side.VACANCY].ids
    unknown = dict(_unknown(made))
    rows = np.array(list(unknown), np.int32)
    for row, matched in _matches(market, Side.CANDIDATE, made, rows):
        new = {ids[vacancy] for vacancy in unknown[row]}
        yield from (each for each in matched if each.vacancy_id in new)


def _unknown(made: Mapping[Side, Sequence[List]]) -> Iterator[tuple[int, list[int]]]:
    """Candidates with those vacancies of their list that do not list them, if there are any."""
    width = len(made[Side.CANDIDATE])
    pairs = [row * width + others.astype(np.int64) for row, (others, _) in enumerate(made[Side.VACANCY])]
    known = np.sort(np.concatenate([np.empty(0, np.int64), *pairs]))
    for row, (others, _) in enumerate(made[Side.CANDIDATE]):
        own = others.astype(np.int64) * width + row
        is_new = np.searchsorted(known, own) == np.searchsorted(known, own, "right")
        if is_new.any():
            yield row, others[is_new].tolist()


def _matches(
    market: Market, side: Side, made: Mapping[Side, Sequence[List]], rows: Rows
) -> Iterator[tuple[int, list[Match]]]:
    """The whole list of each of these rows."""
    pool = market.pools[side]
    for start in range(0, len(rows), READ_AT_ONCE):
        block = rows[start : start + READ_AT_ONCE]
        for row, vector in zip(block.tolist(), pool.vectors(block), strict=True):
            hits = market.found(side, row, made[side][row])
            yield row, matches(market.encoder, pool.embedded(row, vector), hits, market.policy, market.now)
        market.advanced(f"matches that a {side} found", len(block), len(rows))


def _published(entity: Entity) -> Event:
    return Published(Record("", 0, 0, None, None, 0), entity)

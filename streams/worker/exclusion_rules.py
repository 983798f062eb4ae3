"""Exclusion rules: an entity in the area of one anchor never matches an entity in the area of the other.

The anchors are stored in the index, so a rule that one worker has written applies to all (`index/areas.py`).

Every excluded pair is withdrawn or never published, in any order of arrival. An event is processed in this
order: upsert, search, look for areas (the last two may be one step: `Index.search_allowed`). A rule is
processed in this order: upsert the anchors, search the pairs that it excludes, withdraw them. If the event
does not see the anchors, they were written after it looked for areas. By then the index held the event and
everything that its search had found, so the rule finds these pairs. (If the event looked for areas before its
search, this would fail: a counterpart could arrive between the rule's search and the event's search.) Points
that changed meanwhile are withdrawn as superseded. A withdrawal counts whether it comes before or after the
match. If the event sees only one of the two anchors, the same holds: the write was not complete yet.

Removing a rule allows its pairs again from the next revision of either entity on; it publishes no matches.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import islice

import numpy as np
import orjson

from rolecall.encoder.document import Document
from rolecall.encoder.model import Encoder
from rolecall.schemas.match import MatchesWithdrawn, Side, WithdrawalReason
from rolecall.schemas.rule import Anchor, ExclusionRule
from rolecall.streams.errors import Unacceptable
from rolecall.streams.events.receive import Defined, Erased
from rolecall.streams.events.records import Outgoing, withdrawal_record
from rolecall.streams.index.areas import DEEPER, DEPTH, Area, Vector, inside
from rolecall.streams.index.conditions import AnyOf, Payload
from rolecall.streams.index.port import Hit, Index, Lookup, Point, Query
from rolecall.streams.worker.lists import Lists

Pair = tuple[Hit, Hit]  # vacancy, candidate

SMALLEST_RADIUS = 1e-3
MAX_COUNTERPARTS = 500  # of one withdrawal


@dataclass(frozen=True, slots=True)
class Forbidden:
    """What a rule excludes among the indexed points: what lies in its one area, and what in its other."""

    vacancies: tuple[list[Hit], list[Hit]]
    candidates: tuple[list[Hit], list[Hit]]

    @property
    def crossed(self) -> tuple[tuple[list[Hit], list[Hit]], ...]:
        """(vacancies, candidates): each of the one list with each of the other."""
        return (self.vacancies[0], self.candidates[1]), (self.vacancies[1], self.candidates[0])

    def entities(self) -> Iterator[tuple[Side, list[str]]]:
        """Those that are in a pair."""
        for vacancies, candidates in self.crossed:
            if vacancies and candidates:
                yield Side.VACANCY, [hit.id for hit in vacancies]
                yield Side.CANDIDATE, [hit.id for hit in candidates]

    def pairs(self) -> Iterator[Pair]:
        seen: set[tuple[str, str]] = set()
        for vacancies, candidates in self.crossed:
            for vacancy in vacancies:
                for candidate in candidates:
                    if (vacancy.id, candidate.id) not in seen:
                        seen.add((vacancy.id, candidate.id))
                        yield vacancy, candidate


class ExclusionRules:
    """Applies rules, and tells which pairs they exclude."""

    def __init__(self, encoder: Encoder, index: Index, lists: Lists | None = None) -> None:
        """lists: told who loses a place. Only `apply` needs it."""
        self._encoder = encoder
        self._index = index
        self._lists = lists

    async def apply(
        self, events: Sequence[Defined[ExclusionRule] | Erased], now: datetime
    ) -> Iterator[Outgoing]:
        """Write the anchors, then withdraw the pairs that they exclude. The withdrawals are made one by one.

        Raises `Unacceptable` for an anchor without a vector.
        """
        rules = [event.value for event in events if isinstance(event, Defined)]
        indexed = await self._indexed(rules)
        sides = {id: side for id, (side, _) in indexed.items()}
        areas = await self._areas(rules, indexed)
        points = [
            Point(f"{event.id}#{number}", event.revision)
            for event in events
            if isinstance(event, Erased)
            for number in (0, 1)
        ]
        points += [
            Point(f"{rule.id}#{number}", rule.revision, areas[rule.id][number], _payload(rule, number, sides))
            for rule in rules
            for number in (0, 1)
        ]
        stored = await self._index.upsert(Lookup.ANCHOR, points)
        if sides:
            await self._forget_erased(rules, sides)
        before = dict(zip((point.id for point in points), stored, strict=True))
        current = [rule for rule in rules if (before[f"{rule.id}#0"] or 0) <= rule.revision]
        forbidden = await self.forbidden([areas[rule.id] for rule in current])
        if self._lists:
            for side, ids in (pair for each in forbidden for pair in each.entities()):
                self._lists.due(side, ids)
        return (
            withdrawal_record(withdrawal)
            for each in forbidden
            for vacancies, candidates in each.crossed
            for withdrawal in _withdrawals(vacancies, candidates, now, self._encoder.version)
        )

    async def _forget_erased(self, rules: Sequence[ExclusionRule], sides: Mapping[str, Side]) -> None:
        """Of what was erased while its vector was written: its own erasure may have looked before that."""
        left = await self._indexed(rules)
        for side in Side:
            gone = [id for id, was in sides.items() if was is side and id not in left]
            await forget_anchors(self._index, side, gone, self._encoder.dims)

    async def _indexed(self, rules: Sequence[ExclusionRule]) -> dict[str, tuple[Side, Vector]]:
        """The vectors of the entities that are anchors now."""
        ids = sorted(
            {id for rule in rules for anchor in rule.anchors if (id := anchor.entity_id) is not None}
        )
        found: dict[str, tuple[Side, Vector]] = {}
        for side in (Side.CANDIDATE, Side.VACANCY) if ids else ():  # the vacancy, where an id is both
            vectors = await self._index.vectors(side, ids)
            found |= {id: (side, vector) for id, vector in vectors.items()}
        return found

    async def forbidden(self, areas: Sequence[tuple[Area, Area]]) -> list[Forbidden]:
        if not areas:
            return []
        flat = [area for pair in areas for area in pair]
        vacancies = await inside(self._index, Side.VACANCY, flat)
        candidates = await inside(self._index, Side.CANDIDATE, flat)
        return [
            Forbidden((vacancies[i], vacancies[i + 1]), (candidates[i], candidates[i + 1]))
            for i in range(0, len(flat), 2)
        ]

    async def areas(self, rules: Sequence[ExclusionRule]) -> dict[str, tuple[Area, Area]]:
        """By rule id. An entity id stands for the vector that is indexed now."""
        return await self._areas(rules, await self._indexed(rules))

    async def _areas(
        self, rules: Sequence[ExclusionRule], indexed: Mapping[str, tuple[Side, Vector]]
    ) -> dict[str, tuple[Area, Area]]:
        anchors = [anchor for rule in rules for anchor in rule.anchors]
        texts = sorted({anchor.text for anchor in anchors if anchor.text is not None})
        encoded: Mapping[str, Vector] = {}
        if texts:
            documents = [Document(text) for text in texts]
            embeddings = await asyncio.to_thread(self._encoder.encode, documents)
            encoded = dict(zip(texts, embeddings.vectors, strict=True))

        def area(anchor: Anchor) -> Area:
            if anchor.text is not None:
                vector = encoded[anchor.text]
            elif found := indexed.get(anchor.entity_id or ""):
                _, vector = found
            else:
                raise Unacceptable(
                    f"no vacancy or candidate {anchor.entity_id!r} is indexed: publish the rule again once it"
                    " is, or give a text as anchor"
                )
            return (vector / max(anchor.min_similarity, SMALLEST_RADIUS)).astype(np.float32, copy=False)

        return {rule.id: (area(rule.anchors[0]), area(rule.anchors[1])) for rule in rules}


def _withdrawals(
    vacancies: Sequence[Hit], candidates: Sequence[Hit], now: datetime, model_version: str
) -> Iterator[MatchesWithdrawn]:
    """One event for each entity of the shorter list. An entity with very many counterparts has several."""
    side, entities, others = Side.VACANCY, vacancies, candidates
    if len(candidates) < len(vacancies):
        side, entities, others = Side.CANDIDATE, candidates, vacancies
    for entity in entities:
        rest = iter(others)
        while part := list(islice(rest, MAX_COUNTERPARTS)):
            yield MatchesWithdrawn(
                side=side,
                entity_id=entity.id,
                revision=entity.revision,
                reason=WithdrawalReason.EXCLUDED,
                occurred_at=now,
                counterparts={hit.id: hit.revision for hit in part},
                model_version=model_version,
            )


async def forget_anchors(index: Index, side: Side, ids: Iterable[str], dims: int) -> list[str]:
    """Take out the rules that have the vector of one of these entities as an anchor. Returns the rules' ids.

    Call it after the entities are taken out: a rule that is written meanwhile looks for them again.
    """
    wanted = tuple(_mark(side, id) for id in ids)
    if not wanted:
        return []
    query = Query(np.zeros(dims, np.float32), AnyOf("anchor_of", wanted), DEPTH)
    while len(hits := (await index.search(Lookup.ANCHOR, [query]))[0]) == query.limit:
        query = replace(query, limit=query.limit * DEEPER)
    lost = {hit.id.rpartition("#")[0]: hit.revision for hit in hits}
    points = [Point(f"{rule}#{number}", revision) for rule, revision in lost.items() for number in (0, 1)]
    await index.upsert(Lookup.ANCHOR, points)
    return sorted(lost)


def _payload(rule: ExclusionRule, number: int, sides: Mapping[str, Side]) -> Payload:
    anchor = rule.anchors[number]
    card = orjson.dumps({"rule": rule.id, "min_similarity": anchor.min_similarity}).decode()
    if anchor.entity_id is None or anchor.entity_id not in sides:
        return {"card": card}
    return {"card": card, "anchor_of": _mark(sides[anchor.entity_id], anchor.entity_id)}


def _mark(side: Side, id: str) -> str:
    """A hash, so that the index does not name whose vector a rule has."""
    return blake2b(f"{side}/{id}".encode(), digest_size=16).hexdigest()

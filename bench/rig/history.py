"""Random vacancies and candidates, with the expected content of the index and the expected pairs."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from bench.rig.wire import TOPIC, Sent
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Match, MatchesWithdrawn, Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.hard_rules import compatible

Pair = tuple[str, int, str, int]  # vacancy, its revision, candidate, its revision

EPOCH = 1_700_000_000_000
TITLES = ("nurse", "cook", "truck driver", "backend developer", "accountant", "welder", "teacher")
SKILLS = ("sql", "python", "welding", "first aid", "accounting", "driving licence")


class History:
    """Random vacancies and candidates: updates, closings, erasures and stale records that come late.

    Each id gets one to four records with distinct revisions, in any order. No two say the same, because a
    repetition would keep the older revision in its matches.
    """

    def __init__(self, seed: int, name: str, entities: int, titles: tuple[str, ...] = TITLES) -> None:
        rng = random.Random(seed)
        self._titles = titles
        self.records: list[Sent] = []
        self.newest: dict[tuple[Side, str], Vacancy | Candidate | None] = {}  # None: erased
        self.revisions: dict[tuple[Side, str], int] = {}
        for side in Side:
            for number in range(entities):
                self._add(rng, side, f"{name}-{side.value[0]}{number}")
        rng.shuffle(self.records)

    def _add(self, rng: random.Random, side: Side, id: str) -> None:
        revisions = [EPOCH + n for n in rng.sample(range(1000), rng.choice((1, 1, 1, 2, 2, 4)))]
        for revision in revisions:
            if rng.random() < 0.1:
                entity, record = None, Sent(TOPIC[side], id.encode(), None, at=revision)
            else:
                make = _vacancy if side is Side.VACANCY else _candidate
                entity = make(rng, id, revision, rng.choice(self._titles))
                value = entity.model_dump_json(exclude_defaults=True).encode()
                record = Sent(TOPIC[side], id.encode(), value)
            self.records.append(record)
            if revision == max(revisions):
                self.newest[side, id] = entity
                self.revisions[side, id] = revision

    def ids(self, side: Side) -> list[str]:
        return [id for each, id in self.newest if each is side]

    def open(self, side: Side) -> list[Any]:
        return [
            entity
            for (each, _), entity in self.newest.items()
            if each is side and entity is not None and entity.status == "open"
        ]

    def expected(self) -> set[tuple[str, int, str, int]]:
        """The pairs that must match, by brute force over the final state."""
        now = datetime.now(UTC)
        return {
            (vacancy.id, vacancy.revision, candidate.id, candidate.revision)
            for vacancy in self.open(Side.VACANCY)
            for candidate in self.open(Side.CANDIDATE)
            if compatible(vacancy, candidate, now)
        }

    def own(self, matches: Iterable[Match]) -> list[Match]:
        """The matches of this history's entities, without those of other tests."""
        return [
            match
            for match in matches
            if (Side.VACANCY, match.vacancy_id) in self.newest
            and (Side.CANDIDATE, match.candidate_id) in self.newest
        ]


def _terms(rng: random.Random) -> dict[str, Any]:
    def maybe(value: Any) -> Any:
        return value if rng.random() < 0.4 else None

    country, city, lat, lon = rng.choice((("NL", "Utrecht", 52.1, 5.1), ("DE", "Köln", 50.9, 7.0)))
    point = maybe({"lat": lat, "lon": lon}) or {}
    place: dict[str, Any] = {"country": country, "city": maybe(city), **point}
    terms = {
        "location": maybe(place),
        "seniority": maybe(rng.choice(("junior", "mid", "senior", "lead"))),
        "employment_types": maybe(rng.sample(("full_time", "part_time", "contract"), rng.randint(1, 2))),
        "languages": maybe([{"code": rng.choice(("nl", "de", "en")), "level": rng.choice(("B1", "C1"))}]),
        "skills": rng.sample(SKILLS, rng.randint(0, 3)),
        "status": rng.choice(("open",) * 9 + ("closed",)),
    }
    return {name: value for name, value in terms.items() if value is not None}


def _vacancy(rng: random.Random, id: str, revision: int, title: str) -> Vacancy:
    terms = _terms(rng) | {"workplace": rng.choice(("onsite", "hybrid", "remote"))}
    if rng.random() < 0.4:
        terms["salary"] = {"max": rng.choice((40_000, 60_000)), "currency": "EUR"}
    if rng.random() < 0.2:
        terms["expires_at"] = "2999-01-01T00:00:00Z"
    return Vacancy.model_validate(
        {"id": id, "revision": revision, "occurred_at": datetime.fromtimestamp(EPOCH / 1000, UTC)}
        | {"title": title, "description": f"As of {revision}"}
        | terms
    )


def _candidate(rng: random.Random, id: str, revision: int, title: str) -> Candidate:
    terms = _terms(rng) | {"relocate": rng.random() < 0.2}
    if rng.random() < 0.4:
        terms["radius_km"] = rng.choice((10, 300))
    if rng.random() < 0.4:
        terms["salary"] = {"min": rng.choice((30_000, 50_000)), "currency": "EUR"}
    return Candidate.model_validate(
        {"id": id, "revision": revision, "occurred_at": datetime.fromtimestamp(EPOCH / 1000, UTC)}
        | {"titles": [title], "summary": f"As of {revision}"}
        | terms
    )


def holding(matches: Iterable[Match], withdrawn: Iterable[MatchesWithdrawn]) -> set[Pair]:
    """The pairs whose matches no withdrawal ends, by the rule of `MatchesWithdrawn`."""
    gone: defaultdict[tuple[Side, str], int] = defaultdict(int)
    excluded: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)  # revisions by pair
    for each in withdrawn:
        if each.counterparts is None:
            key = each.side, each.entity_id
            gone[key] = max(gone[key], each.revision)
        elif each.side is Side.VACANCY:
            for candidate, revision in each.counterparts.items():
                excluded[each.entity_id, candidate].append((each.revision, revision))
        else:
            for vacancy, revision in each.counterparts.items():
                excluded[vacancy, each.entity_id].append((revision, each.revision))
    return {
        (match.vacancy_id, match.vacancy_revision, match.candidate_id, match.candidate_revision)
        for match in matches
        if match.vacancy_revision >= gone[Side.VACANCY, match.vacancy_id]
        and match.candidate_revision >= gone[Side.CANDIDATE, match.candidate_id]
        and not any(
            match.vacancy_revision <= vacancy_revision and match.candidate_revision <= candidate_revision
            for vacancy_revision, candidate_revision in excluded[match.vacancy_id, match.candidate_id]
        )
    }

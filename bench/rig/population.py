"""Seeded events of a fixed population (updates, closings, erasures, late records, poison), and its state."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pycountry

from bench.rig.faulty_worker import POISON
from bench.rig.history import EPOCH, SKILLS, TITLES, Pair
from bench.rig.wire import TOPIC, Sent
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.match import Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.matching.hard_rules import compatible

PER_COUNTRY = 8  # vacancies and candidates; a candidate can only work in the own country
Key = tuple[Side, str]


class Population:
    def __init__(self, seed: int, size: int) -> None:
        """`size` vacancies and as many candidates."""
        self._rng = random.Random(seed)
        self._step = 0
        self._overtaken: Key | None = None
        self._countries = sorted(each.alpha_2 for each in pycountry.countries)
        self._country: dict[Key, str] = {}
        for side in Side:
            for number in range(size):
                self._country[side, f"{side.value[0]}{number}"] = self._countries[number // PER_COUNTRY]
        self._keys = list(self._country)
        self.newest: dict[Key, Vacancy | Candidate | None] = {}  # None: erased
        self.revisions: dict[Key, int] = {}

    def events(self, count: int) -> list[tuple[Sent, bool]]:
        """The next events, and for each whether it is poison."""
        return [self._next() for _ in range(count)]

    def touched(self, records: Iterable[Sent]) -> set[Key]:
        sides = {topic: side for side, topic in TOPIC.items()}
        keys = {(sides[each.topic], (each.key or b"").decode()) for each in records}
        return keys & self.newest.keys()

    def expected(self, keys: Iterable[Key] | None = None) -> set[Pair]:
        """The pairs of the current state, by brute force. With `keys`, only pairs of these entities."""
        now = datetime.now(UTC)
        open_by_country: defaultdict[tuple[Side, str], list[Any]] = defaultdict(list)
        for (side, id), entity in self.newest.items():
            if entity is not None and entity.status == "open":
                open_by_country[side, self._country[side, id]].append(entity)
        pairs = set()
        for country in self._countries:
            for vacancy in open_by_country[Side.VACANCY, country]:
                for candidate in open_by_country[Side.CANDIDATE, country]:
                    if compatible(vacancy, candidate, now):
                        pairs.add((vacancy.id, vacancy.revision, candidate.id, candidate.revision))
        if keys is None:
            return pairs
        wanted = set(keys)
        return {
            pair for pair in pairs if (Side.VACANCY, pair[0]) in wanted or (Side.CANDIDATE, pair[2]) in wanted
        }

    def _next(self) -> tuple[Sent, bool]:
        if self._overtaken is not None:
            (side, id), self._overtaken = self._overtaken, None
            return self._sent(side, id, self.newest[side, id], self.revisions[side, id]), False
        self._step += 1
        kind = self._rng.random()
        if kind < 0.01:
            side = self._rng.choice(list(Side))
            return next(self._poison(side, f"poison-{self._step}")), True
        key = side, id = self._rng.choice(self._keys)
        late = kind < 0.06 and key in self.revisions
        revision = self.revisions[key] - 1 if late else EPOCH + 2 * self._step
        entity = None if self._rng.random() < 0.05 else self._entity(side, id, revision)
        if late:
            # Compaction keeps the last record of a key, so the newest state is published again behind it.
            self._overtaken = key
        else:
            self.newest[key], self.revisions[key] = entity, revision
        return self._sent(side, id, entity, revision), False

    def _sent(self, side: Side, id: str, entity: Vacancy | Candidate | None, revision: int) -> Sent:
        if entity is None:
            return Sent(TOPIC[side], id.encode(), None, at=revision)
        return Sent(TOPIC[side], id.encode(), entity.model_dump_json(exclude_defaults=True).encode())

    def _poison(self, side: Side, id: str) -> Iterator[Sent]:
        """An unreadable record, or a readable one that the encoder fails on."""
        if self._rng.random() < 0.5:
            yield Sent(TOPIC[side], id.encode(), b'{"id": "poison"')
        entity = self._entity(side, id, EPOCH + self._step, title=POISON)
        yield Sent(TOPIC[side], id.encode(), entity.model_dump_json(exclude_defaults=True).encode())

    def _entity(self, side: Side, id: str, revision: int, title: str = "") -> Vacancy | Candidate:
        rng = self._rng
        title = title or rng.choice(TITLES)
        fields: dict[str, Any] = {
            "id": id,
            "revision": revision,
            "occurred_at": datetime.fromtimestamp(EPOCH / 1000, UTC),
            "location": {"country": self._country.get((side, id), "NL")},
            "employment_types": rng.sample(("full_time", "part_time", "contract"), rng.randint(1, 2)),
            "skills": rng.sample(SKILLS, rng.randint(0, 3)),
            "status": "closed"
            if title != POISON and rng.random() < 0.1
            else "open",  # poison stays open, so that it is encoded
        }
        # No two revisions say the same, because a repetition would keep the older one in its matches.
        text = f"As of {revision}"
        if side is Side.VACANCY:
            return Vacancy.model_validate(
                fields | {"title": title, "description": text, "workplace": "onsite"}
            )
        return Candidate.model_validate(fields | {"titles": [title], "summary": text})

"""Random histories on two workers against brute force: the state rebuilt from what was published is exact.

Two runners and a sweeper share one index. Their calls interleave in an order that is drawn too; a run may
die in any of them and is then repeated, as the broker would.
"""

import asyncio
import random
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rolecall.encoder.document import content_hash, document_of
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import milliseconds
from rolecall.schemas.match import Match, MatchesWithdrawn, Side
from rolecall.schemas.receive import edition_of
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.topics import MATCHES
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import read_event, receive_definitions
from rolecall.streams.index.areas import search_allowed
from rolecall.streams.index.port import Hit, Query, Space
from rolecall.streams.matching.hard_rules import compatible
from rolecall.streams.worker.exclusion_rules import ExclusionRules
from rolecall.streams.worker.expiry import Sweeper
from rolecall.streams.worker.lookups import LookupRunner
from tests.streams.fakes import DictCache, Killed

IDS = range(3)
TITLES = ("nurse", "cook", "welder")
EVENTS = st.tuples(st.sampled_from(Side), st.sampled_from(IDS), st.integers(1, 8), st.booleans())
RULES = st.tuples(st.sampled_from(range(2)), st.integers(1, 8), st.sampled_from((None, "nurse", "cook")))
DIES_IN = ("upsert", "search", "publish", "fetch", "put")


class Inline(ThreadPoolExecutor):
    """Runs what it is given at once: the only order is the drawn one."""

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        future: Future[Any] = Future()
        future.set_result(work(*args, **kwargs))
        return future


class Interleaved:
    """A port whose calls wait for a drawn number of turns, and may end the process before or after."""

    def __init__(self, port: Any, chance: random.Random) -> None:
        self._port = port
        self._chance = chance
        self.dies_in: str | None = None

    async def search_allowed(self, space: Space, queries: Sequence[Query]) -> list[list[Hit]]:
        return await search_allowed(self, space, queries)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def in_turn(*args: Any, **named: Any) -> Any:
            for _ in range(self._chance.randrange(4)):
                await asyncio.sleep(0)
            dies = self.dies_in == name
            if dies and self._chance.random() < 0.5:
                raise Killed
            answer = await call(*args, **named)
            if dies:
                raise Killed
            return answer

        return in_turn


class Histories(RuleBasedStateMachine):
    new_world: Any
    make: Any
    start: Any
    limits: Any

    def __init__(self) -> None:
        super().__init__()
        self.now = self.start
        self.chance = random.Random(0)
        self.loop = asyncio.new_event_loop()
        self.loop.set_default_executor(Inline())
        self.workers = [self.new_world(), self.new_world()]
        self.index, self.publisher, self.cache = (
            self.workers[0].index,
            self.workers[0].publisher,
            DictCache(),
        )
        self.ports = []
        for world in self.workers:
            ports = [Interleaved(port, self.chance) for port in (self.index, self.publisher, self.cache)]
            index, publisher, cache = ports
            world.use(index=index, publisher=publisher, cache=cache, now=lambda: self.now)
            self.ports.append(ports)
        self.sweeper = Sweeper(
            index=Interleaved(self.index, self.chance),
            publisher=Interleaved(self.publisher, self.chance),
            cache=Interleaved(self.cache, self.chance),
            now=lambda: self.now,
        )
        self.rule_ports = [Interleaved(port, self.chance) for port in (self.index, self.publisher)]
        self.definitions = LookupRunner(
            partial(receive_definitions, ExclusionRule),
            ExclusionRules(self.workers[0].encoder, self.rule_ports[0]).apply,
            publisher=self.rule_ports[1],
            limits=self.limits,
            now=lambda: self.now,
        )
        self.rules: dict[int, tuple[int, bool, Any]] = {}  # newest: revision, erased, forbidden titles
        self.forbidden: set[tuple[str, str]] = set()  # titles that must not meet
        self.once_forbidden: set[tuple[str, str, str, str]] = set()
        self.published: dict[tuple[Side, int, int], Any] = {}  # one content for each revision
        self.editions: dict[tuple[str, int], str] = {}  # by id and revision, the hash of the content
        self.newest: dict[tuple[Side, int], tuple[int, bool, Any]] = {}
        self.state = MatchState()
        self.read = 0

    def teardown(self) -> None:
        self.loop.close()

    @rule(
        events=st.lists(EVENTS, min_size=1, max_size=6),
        again=st.booleans(),
        sweep=st.booleans(),
        rules=st.lists(RULES, max_size=2, unique_by=lambda drawn: drawn[:2]),
        dies_in=st.sampled_from((None, None, *DIES_IN)),
        seed=st.integers(0, 2**16),
        data=st.data(),
    )
    def events_arrive(self, events, again, sweep, rules, dies_in, seed, data):
        self.chance.seed(seed)
        records = [(side, id, self.record(*event, data)) for event in events for side, id, *_ in [event]]
        if again:
            records += records[::2]
        work = [self.work(worker, records, dies_in if worker == 0 else None) for worker in (0, 1)]
        if sweep:
            work.append(self.sweeper.sweep())
        before = self.forbidden
        if rules:
            work.append(self.define([self.rule_record(*each) for each in rules], dies_in))
        self.forbidden = {
            titles for _, erased, pairs in self.rules.values() if not erased for titles in pairs
        }
        self.loop.run_until_complete(self.all_of(work))
        self.once_forbidden |= self.pairs_of(before | self.forbidden)
        self.read_on()

    def rule_record(self, number, revision, first):
        """Keeps `first` apart from welders; None removes the rule. One content for each revision."""
        id, other = f"rule-{number}", "welder"
        known = self.rules.get(number, (0, False, ()))
        pairs = () if first is None else ((first, other), (other, first))
        if revision > known[0]:
            self.rules[number] = (revision, first is None, pairs)
        elif revision == known[0]:
            first = None if known[1] else known[2][0][0]
        if first is None:
            return self.make.erasure(id, at=revision)
        anchors = [{"text": text, "min_similarity": 0.999} for text in (first, other)]
        return self.make.json(id=id, revision=revision, occurred_at=self.start.isoformat(), anchors=anchors)

    async def define(self, records, dies_in):
        for port in self.rule_ports:
            port.dies_in = dies_in
        try:
            await self.definitions.run(records)
        except Killed:
            for port in self.rule_ports:
                port.dies_in = None
            await self.definitions.run(records)

    def pairs_of(self, forbidden):
        return {pair for pair, titles in self.compatible_pairs().items() if titles in forbidden}

    def compatible_pairs(self):
        """By ids and contents, the titles of both."""
        return {
            (vacancy.id, edition_of(vacancy), candidate.id, edition_of(candidate)): (
                vacancy.title,
                candidate.titles[0],
            )
            for vacancy in self.live(Side.VACANCY)
            for candidate in self.live(Side.CANDIDATE)
            if compatible(vacancy, candidate, self.now)
        }

    async def all_of(self, work):
        await asyncio.gather(*work)

    async def work(self, worker, records, dies_in):
        """An entity's events go to one worker, each side in a batch of its own."""
        runner = self.workers[worker].runner
        for port in self.ports[worker]:
            port.dies_in = dies_in
        for side in Side:
            batch = [record for each, id, record in records if each is side and id % 2 == worker]
            try:
                await runner.run(side, batch)
            except Killed:
                for port in self.ports[worker]:
                    port.dies_in = None
                await runner.run(side, batch)

    def record(self, side, number, revision, erases, data):
        id = f"{side}-{number}"
        if erases:
            self.note(side, number, revision, None)
            return self.make.erasure(id, at=revision)
        if (side, number, revision) not in self.published:
            self.published[side, number, revision] = data.draw(self.contents(side))
        fields = self.published[side, number, revision]
        if side is Side.VACANCY:
            record, contract = self.make.vacancy(id, revision, **fields), Vacancy
        else:
            record, contract = self.make.candidate(id, revision, **fields), Candidate
        entity = contract.model_validate_json(record.value)
        self.editions[id, revision] = edition_of(entity)
        self.note(side, number, revision, entity)
        return record

    def contents(self, side):
        terms = {
            "status": st.sampled_from(("open", "open", "open", "closed")),
            "seniority": st.sampled_from((None, "junior", "lead")),
            "languages": st.sampled_from(((), ({"code": "nl"},), ({"code": "de", "level": "B2"},))),
        }
        if side is Side.VACANCY:
            minutes = st.sampled_from((None, -1, 5, 30))
            terms["expires_at"] = minutes.map(
                lambda after: None if after is None else (self.now + timedelta(minutes=after)).isoformat()
            )
        return st.fixed_dictionaries({"title": st.sampled_from(TITLES), **terms})

    def note(self, side, number, revision, entity):
        known = self.newest.get((side, number), (0, False, None))
        self.newest[side, number] = max(known, (revision, entity is None, entity), key=lambda k: k[:2])

    @rule(minutes=st.sampled_from((1, 10, 40)), seed=st.integers(0, 2**16))
    def time_passes(self, minutes, seed):
        self.chance.seed(seed)
        self.now += timedelta(minutes=minutes)
        self.loop.run_until_complete(self.all_of([self.sweeper.sweep(), self.sweeper.sweep()]))
        self.read_on()

    def read_on(self):
        for record in self.publisher.records[self.read :]:
            if record.besides is not None:  # an erasure, for the other partitions of its topic
                continue
            assert record.topic == MATCHES.name, "nothing is dead-lettered"
            event = read_event(record.value)
            assert isinstance(event, Match | MatchesWithdrawn)
            self.state.apply(event)
        self.read = len(self.publisher.records)

    def live(self, side):
        entities = [entity for (each, _), (_, _, entity) in self.newest.items() if each is side]
        return [
            entity for entity in entities if entity and entity.status == "open" and not self.expired(entity)
        ]

    def expired(self, entity):
        until = getattr(entity, "expires_at", None)
        return until is not None and until <= self.now

    @invariant()
    def the_state_is_what_brute_force_finds(self):
        """What expired is withdrawn by the next sweep; until then it may still be there.

        A match may name an older revision, if the newer ones only repeat its content.
        """
        waiting = {id for id, _ in self.swept_next()}
        held = {
            (
                match.vacancy_id,
                self.editions[match.vacancy_id, match.vacancy_revision],
                match.candidate_id,
                self.editions[match.candidate_id, match.candidate_revision],
            )
            for match in self.state.matches()
            if match.vacancy_id not in waiting
        }
        allowed = self.compatible_pairs().keys() - self.pairs_of(self.forbidden)
        assert allowed - self.once_forbidden <= held <= allowed

    def swept_next(self):
        return self.loop.run_until_complete(self.index.expired(Side.VACANCY, milliseconds(self.now) + 1, 100))

    @invariant()
    def the_index_holds_who_is_open(self):
        waiting = {id for id, _ in self.swept_next()}
        for side in Side:
            assert self.index.live(side) - waiting == {entity.id for entity in self.live(side)}

    @invariant()
    def the_cache_holds_no_text_but_theirs(self):
        stored = [
            (point.payload or {}).get("content")
            for side in Side
            for point in self.index.points[side].values()
        ]
        assert {key.hex() for key in self.cache.rows} <= set(stored)
        texts = {content_hash(document_of(entity)).hex() for side in Side for entity in self.live(side)}
        waiting = {id for id, _ in self.swept_next()}
        if not waiting:
            assert {key.hex() for key in self.cache.rows} <= texts


@pytest.mark.timeout(300)
def test_the_state_is_exact_whatever_happens(new_world, make, now, limits):
    parts = {"new_world": new_world, "make": make, "start": now, "limits": limits}
    run_state_machine_as_test(
        type("Histories", (Histories,), parts),
        settings=settings(max_examples=150, stateful_step_count=30, deadline=None),
    )

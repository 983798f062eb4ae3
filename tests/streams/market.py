"""Random histories of a market, on two workers whose requests interleave."""

import asyncio
import random
from itertools import product
from string import ascii_letters

from rolecall.schemas.match import Side
from rolecall.schemas.rule import ExclusionRule
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import Defined, TurnedDown, read_event
from rolecall.streams.matching.card import candidate_card, vacancy_card
from rolecall.streams.matching.hard_rules import HardRule, Mode, RuleBook
from rolecall.streams.matching.policy import Policy
from rolecall.streams.worker.batch import BatchRunner
from rolecall.streams.worker.exclusion_rules import ExclusionRules
from rolecall.streams.worker.turned_down import TurnedDownPairs
from tests.streams.conftest import LIMITS, NOW, FakeEncoder, FakePublisher, Make

TOP_K = 2
MIN_CONFIDENCE = 0.75
PENALTY = 0.95
# Three titles of each job are far from each other to the encoder, and equal without what is folded away.
TITLES = [f"title {number}{way}" for number in range(3) for way in ("", " (m/f/d)", " 12345")]
TEXTS = [" ".join(f"{text}{letter}{letter}" for letter in ascii_letters) for text in ("some", "other")]
IDS = "abcdef"
LANGUAGES = ((), ("de",), ("en",), ("de", "en"))
SAME = 0.999  # similarity of two texts that are the same


class Market:
    def __init__(self, seed, index):
        self.chance = random.Random(seed)
        self.soft = self.chance.random() < 0.3
        self.shares = self.chance.random() < 0.5
        self.index = index
        self.publisher = FakePublisher()
        self.encoder = FakeEncoder()
        self.make = Make()
        self.workers = [self.worker(), self.worker()]
        self.records = []
        self.rules = []
        self.verdicts = []
        self.jobs = {}  # by vacancy id and revision, what duplicates have in common
        self.clock = 10

    def worker(self):
        return BatchRunner(
            encoder=self.encoder,
            index=self.index,
            publisher=self.publisher,
            policy=Policy(
                TOP_K,
                MIN_CONFIDENCE,
                RuleBook({HardRule.LANGUAGES: Mode.SOFT} if self.soft else {}),
                soft_penalty=PENALTY,
                duplicates_share_a_place=self.shares,
                max_entered=self.chance.choice([1, 3, 100]),
            ),
            limits=LIMITS,
            now=lambda: NOW,
        )

    async def play(self, steps):
        for _ in range(steps):
            runs = []
            for worker in self.workers:
                for side, records in self.events(self.chance.choice([1, 2, 6])).items():
                    if records and self.chance.random() < 0.9:
                        runs.append(worker.run(side, records))
                runs.append(self.work(worker, self.chance.choice([0, 0, 1, 4])))
                if self.records and self.chance.random() < 0.1:
                    side, again = self.chance.choice(self.records)
                    runs.append(worker.run(side, [again]))
                if self.chance.random() < 0.3:
                    runs.append(self.turn_down(worker))
            if self.chance.random() < 0.05:
                runs.append(self.exclude(self.workers[0]))
            await asyncio.gather(*runs)
            if self.chance.random() < 0.05:
                self.restart(self.chance.randrange(2))

    def events(self, most):
        """By side. No two have the same revision: of these only one would count."""
        records = {side: [] for side in Side}
        for _ in range(self.chance.randint(0, most)):
            side = self.chance.choice(list(Side))
            made = self.event(side, self.chance.choice(IDS), self.moment())
            records[side].append(made)
            self.records.append((side, made))
        return records

    def moment(self):
        """Sometimes an earlier one, never the same."""
        self.clock += 1
        return 100 * (self.clock - self.chance.choice([0, 0, 0, 3])) + self.clock % 100

    def event(self, side, id, revision):
        status = self.chance.choice(["open"] * 6 + ["closed", "erased"])
        if status == "erased":
            return self.make.erasure(id, at=revision)
        of_side = self.make.vacancy if side is Side.VACANCY else self.make.candidate
        languages = [{"code": code} for code in self.chance.choice(LANGUAGES)]
        title, text = self.chance.choice(TITLES), self.chance.choice(TEXTS)
        if side is Side.CANDIDATE:
            return of_side(id, revision, title, status=status, languages=languages)
        self.jobs[id, revision] = title[: len("title 0")], text
        return of_side(id, revision, title, status=status, languages=languages, description=text)

    async def exclude(self, worker):
        """A rule between two titles, which is never changed."""
        titles = self.chance.sample(TITLES, 2)
        self.rules.append(titles)
        anchors = [{"text": title, "min_similarity": SAME} for title in titles]
        rule = ExclusionRule(id=f"r{len(self.rules)}", occurred_at=NOW, anchors=anchors)
        rules = ExclusionRules(self.encoder, self.index, worker.lists)
        await self.publisher.publish(await rules.apply([Defined(self.make.raw(b""), rule)], NOW))

    async def turn_down(self, worker):
        """Some new verdicts, some again. Sometimes the worker dies before their withdrawals are published."""
        new = [self.verdict() for _ in range(self.chance.randint(0, 2))]
        again = [each for each in self.verdicts if self.chance.random() < 0.1]
        self.verdicts += new
        latest = {each.id: each for each in sorted(new + again, key=lambda each: each.revision)}
        pairs = TurnedDownPairs(self.encoder, self.index, worker.lists)
        if self.chance.random() < 0.2:
            await pairs.apply([*latest.values()], NOW)
        await self.publisher.publish(await pairs.apply([*latest.values()], NOW))

    def verdict(self):
        vacancy, candidate = self.chance.choice(IDS), self.chance.choice(IDS)
        return TurnedDown(self.make.raw(b""), vacancy, candidate, self.moment())

    async def work(self, worker, times):
        for _ in range(times):
            await worker.lists.work()

    def restart(self, number):
        """What was due is forgotten. Who gets the partitions searches every list."""
        self.workers[number] = self.worker()
        self.workers[number].lists.sweep()

    async def drain(self):
        while any(worker.lists.behind for worker in self.workers):
            for worker in self.workers:
                await worker.lists.work()

    def held(self):
        values = (record.value for record in self.publisher.records if record.topic == "matches")
        state = MatchState(event for value in values if (event := read_event(value)))
        return {(match.vacancy_id, match.candidate_id) for match in state.belonging(TOP_K, PENALTY)}

    async def belonging(self):
        """Oracle: every stored pair."""
        live = {side: await self.live(side) for side in Side}
        scores = {
            (v, c): round(float(vacancy.vector @ candidate.vector), 5) * self.share(vacancy, candidate)
            for (v, vacancy), (c, candidate) in product(*(live[side].items() for side in Side))
        }
        scores = {pair: score for pair, score in scores.items() if score >= MIN_CONFIDENCE}
        pairs = set()
        for place in (0, 1):
            for id in {pair[place] for pair in scores}:
                own = [pair for pair in scores if pair[place] == id]
                best = sorted(own, key=lambda pair: (-scores[pair], pair[1 - place]))
                if place == 1:
                    best = self.without_duplicates(best, live[Side.VACANCY])
                pairs |= set(best[:TOP_K])
        return pairs

    def without_duplicates(self, best, vacancies):
        """The best of each group; here the title without what is folded away, and the text, say which."""
        firsts = {}
        for pair in best:
            job = self.jobs[pair[0], vacancies[pair[0]].revision]
            firsts.setdefault(job if self.shares else pair, pair)
        return list(firsts.values())

    async def live(self, side):
        ids, _ = await self.index.page(side, None, 2 * len(IDS))
        return await self.index.fetch(side, ids)

    def share(self, vacancy, candidate):
        """Of the score and the confidence; 0 if the two may not match."""
        since = max(point.payload["since"] for point in (vacancy, candidate))
        if any(
            (each.vacancy_id, each.candidate_id) == (vacancy.id, candidate.id) and each.revision >= since
            for each in self.verdicts
        ):
            return 0
        asked = {each.code for each in vacancy_card(vacancy.payload["card"]).terms.languages}
        spoken = {each.code for each in candidate_card(candidate.payload["card"]).terms.languages}
        if any(
            self.says(vacancy, one) and self.says(candidate, other)
            for rule in self.rules
            for one, other in (rule, rule[::-1])
        ):
            return 0
        if not spoken or asked <= spoken:
            return 1
        return PENALTY if self.soft else 0

    def says(self, point, title):
        return float(point.vector @ self.encoder.vector(title)) >= SAME

    async def is_true(self):
        """Plays a history. Whether consumers hold what belongs after it."""
        await self.play(self.chance.randint(1, 12))
        await self.drain()
        return self.held() == await self.belonging()

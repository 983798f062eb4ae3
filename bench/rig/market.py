"""An invented labour market for `bench.loop`. Its recruiters have a preference that titles do not show.

Every occupation of the market has a hidden partner in another branch, drawn from the seed. Recruiters who
look for the one also hire the other, and even prefer it. Their verdicts have random errors.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import milliseconds
from rolecall.schemas.feedback import Feedback, Verdict
from rolecall.schemas.match import Match, Side
from rolecall.schemas.vacancy import Vacancy
from rolecall.streams.embedded.sample.jobs import JOBS
from rolecall.training.data.ontology import Occupation, Split, unique

OWN, PARTNER, OTHER = 0.6, 0.9, 0.04  # probability that a recruiter says yes
YES = (Verdict.SHORTLISTED, Verdict.INTERVIEWED, Verdict.HIRED)
ANYWHERE = 0.06  # added to each chance, so that people also apply outside their team
NO = (Verdict.DISMISSED, Verdict.REJECTED)
RECRUITERS = 40


@dataclass(frozen=True, slots=True)
class Period:
    """The vacancies and people that come to the market."""

    vacancies: list[Vacancy]
    candidates: list[Candidate]

    @property
    def entities(self) -> list[Vacancy | Candidate]:
        return [*self.candidates, *self.vacancies]


class Market:
    def __init__(self, occupations: Sequence[Occupation], size: int, seed: int) -> None:
        """size: number of occupations in the market, among those with enough titles and tasks."""
        rng = random.Random(seed)
        rich = [o for o in occupations if len(o.titles) >= 5 and len(o.tasks) >= 3]
        self.occupations = rng.sample(rich, min(size, len(rich)))
        self.partner = _partners([o.branch[:2] for o in self.occupations], rng)
        self.occupation: dict[str, int] = {}  # occupation of every vacancy and candidate so far, by id
        self._seed = seed

    def period(
        self, number: int, vacancies: int, candidates: int, now: datetime, *, joined: float = 1.0
    ) -> Period:
        """The result depends only on the arguments. Every period has its own people and vacancies.

        joined: the share of the teams that are on the market in this period.
        """
        teams = sorted({tuple(sorted((n, other))) for n, other in enumerate(self.partner)})
        trading = [n for team in teams[: round(len(teams) * joined)] for n in team]
        rng = random.Random(f"{self._seed} {number}")
        jobs, people = [], []
        for n in range(vacancies):
            of = self.occupation[f"v-{number}-{n}"] = trading[n % len(trading)]
            title, _, skills, tasks = self._words(of, rng)
            jobs.append(
                Vacancy(
                    id=f"v-{number}-{n}",
                    occurred_at=now,
                    revision=milliseconds(now),
                    title=title,
                    skills=skills,
                    description=tasks,
                )
            )
        for n in range(candidates):
            of = self.occupation[f"c-{number}-{n}"] = trading[n % len(trading)]
            title, other, skills, tasks = self._words(of, rng)
            people.append(
                Candidate(
                    id=f"c-{number}-{n}",
                    occurred_at=now,
                    revision=milliseconds(now),
                    titles=(title, other),
                    skills=skills,
                    summary=tasks,
                )
            )
        return Period(jobs, people)

    def chance(self, vacancy: str, candidate: str) -> float:
        """Probability that a recruiter says yes."""
        wanted, offered = self.occupation[vacancy], self.occupation[candidate]
        return PARTNER if offered == self.partner[wanted] else OWN if offered == wanted else OTHER

    def is_team(self, vacancy: str, candidate: str) -> bool:
        return self.chance(vacancy, candidate) > OTHER

    def on_matches(self, matches: Iterable[Match], now: datetime) -> list[Feedback]:
        """Recruiters look at rank r with probability 1/r, and judge the matches that they look at."""
        rng = random.Random(f"{self._seed} {len(self.occupation)} shown")
        seen = [match for match in matches if rng.random() < 1 / match.rank]
        return [
            event
            for m in seen
            for event in self._verdicts(m.vacancy_id, m.candidate_id, now, rng, m.id, m.rank)
        ]

    def on_applications(self, period: Period, each: int, now: datetime) -> list[Feedback]:
        """People also apply by themselves, mostly where their chance is good, and recruiters judge them."""
        rng = random.Random(f"{self._seed} {len(self.occupation)} applications")
        found = []
        for candidate in period.candidates:
            chances = [self.chance(vacancy.id, candidate.id) + ANYWHERE for vacancy in period.vacancies]
            for vacancy in dict.fromkeys(v.id for v in rng.choices(period.vacancies, chances, k=each)):
                found += self._verdicts(vacancy, candidate.id, now, rng)
        return found

    def later_matches(self, period: Period) -> dict[str, set[str]]:
        """By vacancy, the people to whom its recruiter would say yes. Outside the team, one in 200."""
        rng = random.Random(f"{self._seed} later")
        return {
            vacancy.id: {
                candidate.id
                for candidate in period.candidates
                if rng.random() < self.chance(vacancy.id, candidate.id)
                and (self.is_team(vacancy.id, candidate.id) or rng.random() < 1 / 8)
            }
            for vacancy in period.vacancies
        }

    def _verdicts(
        self,
        vacancy: str,
        candidate: str,
        now: datetime,
        rng: random.Random,
        match_id: str | None = None,
        rank: int | None = None,
    ) -> list[Feedback]:
        """One "no", or some steps towards a hire with some days between them."""
        opinion = random.Random(
            f"{self._seed} {vacancy} {candidate}"
        ).random()  # the same wherever the two meet
        yes = opinion < self.chance(vacancy, candidate)
        steps = YES[: rng.randint(1, 3)] if yes else (rng.choice(NO),)
        start = now + timedelta(seconds=rng.randrange(20 * 24 * 3600))
        return [
            Feedback(
                id=f"{vacancy} {candidate} {match_id or 'applied'} {number}",
                occurred_at=start + timedelta(days=2 * number),
                vacancy_id=vacancy,
                candidate_id=candidate,
                verdict=verdict,
                actor=Side.VACANCY,
                actor_id=f"recruiter-{self.occupation[vacancy] % RECRUITERS}",
                match_id=match_id,
                rank=rank,
            )
            for number, verdict in enumerate(steps)
        ]

    def _words(self, of: int, rng: random.Random) -> tuple[str, str, tuple[str, ...], str]:
        """Two titles, some skills and some tasks of the occupation."""
        occupation = self.occupations[of]
        one, other = rng.sample(occupation.titles, 2)
        skills = tuple(rng.sample(occupation.skills, min(3, len(occupation.skills))))
        return one, other, skills, " ".join(rng.sample(occupation.tasks, 2))


def flipped(events: Iterable[Feedback], share: float, seed: int) -> list[Feedback]:
    """Poison: this share of the verdicts says the opposite."""
    rng = random.Random(seed)
    return [
        event.model_copy(update={"verdict": rng.choice(NO if event.verdict in YES else YES)})
        if rng.random() < share
        else event
        for event in events
    ]


def spam(period: Period, count: int, until: datetime, days: float) -> list[Feedback]:
    """Poison: one actor reports `count` random hires in the `days` before `until`."""
    rng = random.Random(count)
    pairs = [(v.id, c.id) for v in period.vacancies for c in period.candidates]
    return [
        Feedback(
            id=f"spam {number}",
            occurred_at=until - timedelta(days=days * number / count),
            vacancy_id=vacancy,
            candidate_id=candidate,
            verdict=Verdict.HIRED,
            actor=Side.VACANCY,
            actor_id="spammer",
        )
        for number, (vacancy, candidate) in enumerate(rng.choices(pairs, k=count))
    ]


def sample_split() -> Split:
    """The bundled sample's jobs as an ontology, for a run without O*NET."""
    jobs = [
        Occupation(
            f"sample:{number}",
            f"{number:02}",
            unique([*job.vacancy_titles, *job.candidate_titles]),
            tasks=job.tasks,
            skills=job.skills,
        )
        for number, job in enumerate(JOBS)
    ]
    return Split(train=jobs[0::2], validation=jobs[1::4], test=jobs[3::4])


def _partners(branches: Sequence[str], rng: random.Random) -> list[int]:
    """Pairs the numbers. Each gets a partner of another branch as long as there is one."""
    partner = list(range(len(branches)))
    free = rng.sample(partner, len(partner))
    while len(free) > 1:
        one = free.pop()
        other = next((n for n in free if branches[n] != branches[one]), free[0])
        free.remove(other)
        partner[one], partner[other] = other, one
    return partner

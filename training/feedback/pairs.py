"""Feedback events -> graded pairs of a vacancy and a candidate. Pure; docs/loop.md has the rules in words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rolecall.schemas.common import milliseconds
from rolecall.schemas.feedback import Feedback, Verdict, VerdictReason
from rolecall.schemas.match import Side
from rolecall.training.feedback.entities import Entities

GRADES = {
    Verdict.HIRED: 1.0,
    Verdict.INTERVIEWED: 0.8,
    Verdict.SHORTLISTED: 0.6,
    Verdict.APPLIED: 0.4,
    Verdict.VIEWED: 0.1,
    Verdict.DISMISSED: -0.5,
    Verdict.REJECTED: -1.0,
}
# A "no" with any other reason, also one that this version does not know, says nothing about the texts.
ABOUT_THE_FIT = {None, VerdictReason.NOT_A_FIT, VerdictReason.MISSING_SKILLS}
INTEREST = GRADES[Verdict.APPLIED]  # from here on a pair counts as a match
DAY = timedelta(days=1)
CLOCK_SKEW = timedelta(minutes=5)

PairKey = tuple[str, str]  # vacancy id, candidate id
Actor = tuple[Side, str]


class FeedbackRules(BaseModel):
    """How verdicts are weighted and limited."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: Annotated[float, Field(gt=0)] = 180
    position_bias: Annotated[float, Field(ge=0)] = 1.0  # an actor looks at rank r with probability r ** -bias
    most_propensity_weight: Annotated[float, Field(ge=1)] = 10.0
    votes_per_actor: Annotated[int, Field(ge=1)] = 200  # only the newest so many pairs of an actor count
    votes_per_day: Annotated[int, Field(ge=1)] = 300  # an actor with more is taken for a bot
    least_agreement: Annotated[float, Field(ge=0.5, le=1)] = 0.75  # of one side's votes on a pair


@dataclass(frozen=True, slots=True)
class Pair:
    """The verdicts on a vacancy and a candidate, summed up."""

    vacancy_id: str
    candidate_id: str
    grade: float  # weighted mean of `GRADES`, in [-1, 1]; never 0
    weight: float
    at: datetime  # time of the last verdict that counts
    shown: bool = False  # whether a list had shown the pair to the actor

    @property
    def matched(self) -> bool:
        return self.grade >= INTEREST


@dataclass(frozen=True, slots=True)
class _Vote:
    """The verdict of one actor on the pair that counts: the last one."""

    event: Feedback
    weight: float

    @property
    def grade(self) -> float:
        return GRADES[self.event.verdict]


def parse(values: Iterable[tuple[bytes | None, datetime]], dropped: Counter[str]) -> list[Feedback]:
    """Events sorted by time, each once. Counts unusable events into `dropped`.

    values: each with the time when it was received. An event dated later than that is dropped.
    """
    events: dict[str, Feedback] = {}
    for value, received in values:
        try:
            event = Feedback.model_validate_json(value or b"")
        except ValidationError:
            dropped["unreadable"] += 1
            continue
        if event.occurred_at > received + CLOCK_SKEW:
            dropped["dated ahead"] += 1
        elif event.id in events:
            dropped["repeated"] += 1
        else:
            events[event.id] = event
    return sorted(events.values(), key=_age)


def graded_pairs(
    events: Sequence[Feedback], entities: Entities, rules: FeedbackRules, dropped: Counter[str]
) -> list[Pair]:
    """Sorted by time of the last verdict. `events` as `parse` returns them; `dropped` counts unused ones."""
    last = _last_words(_usable(events, entities, dropped), dropped)
    floods = _flooding(last, rules)
    newest = max((event.occurred_at for event in last.values()), default=None)
    heard: Counter[Actor] = Counter()
    votes: defaultdict[PairKey, list[_Vote]] = defaultdict(list)
    for (actor, pair), event in sorted(last.items(), key=lambda each: _age(each[1]), reverse=True):
        heard[actor] += 1
        if actor in floods:
            dropped["flooding"] += 1
        elif heard[actor] > rules.votes_per_actor:
            dropped["past the actor's limit"] += 1
        elif newest is not None:
            votes[pair].append(_Vote(event, weight_of(event, newest, rules)))
    pairs = (_pair(key, each, rules, dropped) for key, each in votes.items())
    return sorted(
        (pair for pair in pairs if pair), key=lambda pair: (pair.at, pair.vacancy_id, pair.candidate_id)
    )


def second_thoughts(events: Sequence[Feedback], entities: Entities, rules: FeedbackRules) -> tuple[int, int]:
    """Counts verdicts that follow a "no" of the same side on the same pair, and those of them that say yes.

    A "no" often follows a yes: a rejection after an interview. A yes rarely follows a "no". If verdicts were
    flipped, it happens often: a pair goes through several steps, and each flip puts a "no" between yeses.
    """
    usable = [e for e in _usable(events, entities, Counter()) if e.verdict is not Verdict.VIEWED]
    floods = _flooding(_last_words(usable, Counter()), rules)
    refused: dict[tuple[Side, PairKey], bool] = {}
    after_no = yes = 0
    for event in usable:
        if actor_of(event) in floods:
            continue
        key = event.actor, (event.vacancy_id, event.candidate_id)
        likes = GRADES[event.verdict] > 0
        after_no += refused.get(key, False)
        yes += refused.get(key, False) and likes
        refused[key] = not likes
    return after_no, yes


def weight_of(event: Feedback, newest: datetime, rules: FeedbackRules) -> float:
    """Older verdicts weigh less. Verdicts on low ranks weigh more, because few people look that far down.

    One over the probability that the actor looked at the rank, clipped (Joachims, Swaminathan, Schnabel 2017,
    "Unbiased Learning-to-Rank with Biased Feedback"). Without a rank, no list was shown: 1.
    """
    age_days = (newest - event.occurred_at) / DAY
    propensity_weight = min((event.rank or 1) ** rules.position_bias, rules.most_propensity_weight)
    return float(0.5 ** (age_days / rules.half_life_days) * propensity_weight)


def actor_of(event: Feedback) -> Actor:
    """Who gave the verdict. Without an actor id, the vacancy or the candidate that it speaks for."""
    anonymous = event.vacancy_id if event.actor is Side.VACANCY else event.candidate_id
    return event.actor, event.actor_id or f"of {anonymous}"


def _usable(events: Iterable[Feedback], entities: Entities, dropped: Counter[str]) -> Iterator[Feedback]:
    for event in events:
        gone = (_why_gone(Side.VACANCY, event, entities), _why_gone(Side.CANDIDATE, event, entities))
        if why := next(filter(None, gone), None):
            dropped[why] += 1
        elif GRADES[event.verdict] < 0 and event.reason not in ABOUT_THE_FIT:
            dropped["not about the fit"] += 1
        else:
            yield event


def _why_gone(side: Side, event: Feedback, entities: Entities) -> str | None:
    """Why the event cannot be used any more; None if it can. Verdicts from before a vacancy closed still
    count, because hiring closes vacancies. No verdict on a candidate who has withdrawn counts."""
    key = side, event.vacancy_id if side is Side.VACANCY else event.candidate_id
    at = milliseconds(event.occurred_at)
    if key in entities.erased and (key not in entities.documents or at <= entities.erased[key]):
        return "erased"
    if key not in entities.documents:
        return "unknown"
    if key in entities.closed and (side is Side.CANDIDATE or at > entities.closed[key]):
        return "withdrawn"
    return None


def _last_words(events: Iterable[Feedback], dropped: Counter[str]) -> dict[tuple[Actor, PairKey], Feedback]:
    """The latest verdict of an actor on a pair counts; of several at one time, the strongest. `viewed` never
    replaces a verdict."""
    last: dict[tuple[Actor, PairKey], Feedback] = {}
    for event in events:
        key = actor_of(event), (event.vacancy_id, event.candidate_id)
        if key in last:
            dropped["superseded"] += 1
        if key not in last or _order(event) > _order(last[key]):
            last[key] = event
    return last


def _age(event: Feedback) -> tuple[datetime, str]:
    return event.occurred_at, event.id


def _order(event: Feedback) -> tuple[object, ...]:
    grade = GRADES[event.verdict]
    return event.verdict is not Verdict.VIEWED, event.occurred_at, abs(grade), -grade


def _flooding(last: dict[tuple[Actor, PairKey], Feedback], rules: FeedbackRules) -> set[Actor]:
    """Actors with verdicts on more than `votes_per_day` pairs within a day."""
    times: defaultdict[Actor, list[datetime]] = defaultdict(list)
    for (actor, _), event in sorted(last.items(), key=lambda each: each[1].occurred_at):
        times[actor].append(event.occurred_at)
    return {
        actor
        for actor, moments in times.items()
        for earlier, later in zip(moments, moments[rules.votes_per_day :], strict=False)
        if later - earlier < DAY
    }


def _pair(key: PairKey, votes: list[_Vote], rules: FeedbackRules, dropped: Counter[str]) -> Pair | None:
    """If either side says no, the pair is a "no". Otherwise the side with the higher grade counts.

    The weight of a pair is that of its heaviest vote: more votes do not make a pair weigh more.
    """
    sides: list[list[_Vote]] = []
    for side in Side:
        mine = [vote for vote in votes if vote.event.actor is side]
        if not mine:
            continue
        agreed = _agreed(mine, rules)
        if agreed is None:
            dropped["contested"] += len(votes)
            return None
        sides.append(agreed)
    chosen = min(sides, key=_grade) if any(_grade(side) < 0 for side in sides) else max(sides, key=_grade)
    return Pair(
        *key,
        grade=_grade(chosen),
        weight=max(vote.weight for vote in chosen),
        at=max(vote.event.occurred_at for vote in votes),
        shown=any(vote.event.rank or vote.event.match_id for vote in votes),
    )


def _agreed(votes: list[_Vote], rules: FeedbackRules) -> list[_Vote] | None:
    """The votes for yes or for no, whichever have more weight; None if too few agree.

    A vote that only viewed the pair does not count if another vote decided.
    """
    votes = [vote for vote in votes if vote.event.verdict is not Verdict.VIEWED] or votes
    favour = [vote for vote in votes if vote.grade > 0]
    against = [vote for vote in votes if vote.grade < 0]
    total = sum(vote.weight for vote in votes)
    for direction in (favour, against):
        if sum(vote.weight for vote in direction) >= rules.least_agreement * total:
            return direction
    return None


def _grade(votes: list[_Vote]) -> float:
    return sum(vote.grade * vote.weight for vote in votes) / sum(vote.weight for vote in votes)

"""Feedback events -> graded pairs of a vacancy and a candidate. Pure; docs/loop.md has the rules in words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rolecall.schemas.common import milliseconds
from rolecall.schemas.feedback import Feedback, Verdict
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
INTEREST = GRADES[Verdict.APPLIED]  # from here on a pair counts as a match
DAY = timedelta(days=1)
CLOCK_SKEW = timedelta(minutes=5)

PairKey = tuple[str, str]  # vacancy id, candidate id
Actor = tuple[Side, str]


class FeedbackRules(BaseModel):
    """What a verdict weighs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: Annotated[float, Field(gt=0)] = 180
    position_bias: Annotated[float, Field(ge=0)] = 1.0  # rank r is looked at with probability r ** -bias
    most_propensity_weight: Annotated[float, Field(ge=1)] = 10.0
    votes_per_actor: Annotated[int, Field(ge=1)] = 200  # pairs on which an actor is heard: the newest
    votes_per_day: Annotated[int, Field(ge=1)] = 300  # who gives more is no person
    least_agreement: Annotated[float, Field(ge=0.5, le=1)] = 0.75  # of the actors of one side on a pair


@dataclass(frozen=True, slots=True)
class Pair:
    """What became of a vacancy and a candidate."""

    vacancy_id: str
    candidate_id: str
    grade: float  # in [-1, 1], of `GRADES`; never 0
    weight: float
    at: datetime  # of the last verdict that counts
    shown: bool = False  # a list led to it

    @property
    def matched(self) -> bool:
        return self.grade >= INTEREST


@dataclass(frozen=True, slots=True)
class _Vote:
    """The last word of one actor on the pair."""

    event: Feedback
    weight: float

    @property
    def grade(self) -> float:
        return GRADES[self.event.verdict]


def parse(values: Iterable[tuple[bytes | None, datetime]], dropped: Counter[str]) -> list[Feedback]:
    """Events in the order of time, each once. Counts into `dropped` what cannot be used.

    values: each with the moment it was received; an event of later than that is not believed.
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
    """By time of the last verdict. `events` as `parse` returns them; `dropped` counts the rest by reason."""
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
    """Verdicts that follow a "no" of the same side on the same pair, and how many of them say yes.

    Rejecting after an interview is how hiring goes; hiring after a rejection is rare. Flipped verdicts are
    full of it: where a pair goes through several steps, each flip is a "no" among yeses.
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
    """Old verdicts fade, and verdicts on what few people scroll down to stand for those who did not.

    One over the probability that the rank was looked at, clipped (Joachims, Swaminathan, Schnabel 2017,
    "Unbiased Learning-to-Rank with Biased Feedback"). Without a rank nobody was shown anything: 1.
    """
    age_days = (newest - event.occurred_at) / DAY
    propensity_weight = min((event.rank or 1) ** rules.position_bias, rules.most_propensity_weight)
    return float(0.5 ** (age_days / rules.half_life_days) * propensity_weight)


def actor_of(event: Feedback) -> Actor:
    """Who speaks. Without an id, the vacancy or the candidate on whose behalf it is."""
    anonymous = event.vacancy_id if event.actor is Side.VACANCY else event.candidate_id
    return event.actor, event.actor_id or f"of {anonymous}"


def _usable(events: Iterable[Feedback], entities: Entities, dropped: Counter[str]) -> Iterator[Feedback]:
    for event in events:
        reasons = (_reason(Side.VACANCY, event, entities), _reason(Side.CANDIDATE, event, entities))
        if reason := next(filter(None, reasons), None):
            dropped[reason] += 1
        else:
            yield event


def _reason(side: Side, event: Feedback, entities: Entities) -> str | None:
    """Why the event says nothing any more. Of a closed vacancy, what was said before it closed stays:
    hiring is what closes vacancies. Of a candidate who has withdrawn, nothing stays."""
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
    """Of an actor's verdicts on a pair the latest counts, of one moment the strongest. Looking at a match
    takes nothing back."""
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
    """Actors with verdicts on more pairs within a day than a person gives."""
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
    """A "no" of either side holds; otherwise the side that went furthest counts.

    A pair weighs as much as its heaviest vote: many voices make it surer, not larger.
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
    """The votes of the direction that most of the weight is for; None where too few agree.

    Who only looked has no say where somebody decided.
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

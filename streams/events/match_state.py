"""The current set of matches, rebuilt from the topics `matches` and `rollouts`: what a consumer needs.

    state = MatchState()
    state.apply(event)  # each Match, MatchesWithdrawn and Rollout, in any order, any number of times
    state.matches()

Two events of one pair or entity may change places, come late or come twice: the result is the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rolecall.schemas.match import MAX_DUPLICATES, Match, MatchesWithdrawn, Side
from rolecall.schemas.rollout import Rollout

Entity = tuple[Side, str]
Pair = tuple[str, str]  # vacancy id, candidate id
Excluded = tuple[int, int, str | None]  # both revisions, the model; None: every model


class MatchState:
    """A match holds while no withdrawal names one of its two entities with a revision above the match's, or
    both with revisions as high as the match's.

    One match a pair and model: a newer one replaces an older one. Of several models those of the live one
    count; the others are kept, as a rollout may be taken back. Kept are the matches that hold, one number
    for each entity ever withdrawn and the revisions of each excluded pair. A consumer that runs for longer
    than the topic keeps its records may drop numbers older than that: matches they speak of no longer come.
    """

    def __init__(self, events: Iterable[Match | MatchesWithdrawn | Rollout] = ()) -> None:
        self._rollout: Rollout | None = None  # the newest
        self._withdrawn: dict[Entity, int] = {}  # the highest revision
        self._excluded: defaultdict[Pair, set[Excluded]] = defaultdict(set)
        self._held: dict[Pair, list[Match]] = {}
        self._pairs: defaultdict[Entity, set[Pair]] = defaultdict(set)  # of the held matches
        for event in events:
            self.apply(event)

    def apply(self, event: Match | MatchesWithdrawn | Rollout) -> None:
        if isinstance(event, Rollout):
            if self._rollout is None or event.revision > self._rollout.revision:
                self._rollout = event
        elif isinstance(event, MatchesWithdrawn) and event.counterparts is not None:
            for counterpart, revision in event.counterparts.items():
                self._exclude(event, counterpart, revision)
        elif isinstance(event, MatchesWithdrawn):
            self._withdraw((event.side, event.entity_id), event.revision)
        elif self._holds(event):
            self._hold(event)

    def knows(self, event: Match | MatchesWithdrawn) -> bool:
        """Whether applying the event would change nothing: the match is held, or what is withdrawn was."""
        if isinstance(event, Match):
            held = self._held.get((event.vacancy_id, event.candidate_id), [])
            return any(match.id == event.id for match in held)
        if event.counterparts is None:
            return event.revision <= self._withdrawn.get((event.side, event.entity_id), -1)
        return all(
            excluded in self._excluded.get(pair, set())
            for pair, excluded in (
                _exclusion(event, counterpart, revision)
                for counterpart, revision in event.counterparts.items()
            )
        )

    def matches(self) -> list[Match]:
        """By vacancy, the most confident first."""
        newest = self._newest(self._held.values())
        return sorted(newest, key=lambda match: (match.vacancy_id, -match.confidence, match.candidate_id))

    def belonging(self, top_k: int, soft_penalty: float = 0.8) -> list[Match]:
        """The matches that are among the best `top_k` of one of their sides. As `matches`, but trimmed.

        soft_penalty: of each broken soft rule, as the workers have it (`ROLECALL_SOFT_PENALTY`).
        """
        lists: defaultdict[Entity, list[Match]] = defaultdict(list)
        matches = self.matches()
        for match in matches:
            for entity in _entities(match):
                lists[entity].append(match)
        kept = {
            match.id for (side, _), each in lists.items() for match in _best(side, each, top_k, soft_penalty)
        }
        return [match for match in matches if match.id in kept]

    def list_of(self, side: Side, id: str, top_k: int, soft_penalty: float = 0.8) -> list[Match]:
        """The list of one entity, best first: what to show to a candidate, or for a vacancy.

        `duplicates` of a match are those that hold now. soft_penalty: as of `belonging`.
        """
        pairs = self._pairs.get((side, id), ())
        return _best(side, self._newest(self._held[pair] for pair in pairs), top_k, soft_penalty)

    def _newest(self, held: Iterable[Sequence[Match]]) -> list[Match]:
        """Of each pair."""
        counting = ([match for match in each if self._counts(match)] for each in held)
        return [max(each, key=_age) for each in counting if each]

    def _counts(self, match: Match) -> bool:
        return self._rollout is None or match.model_version == self._rollout.live.model_version

    def _hold(self, match: Match) -> None:
        """Two matches may each have the newer revision of one side; then a withdrawal will tell."""
        pair = match.vacancy_id, match.candidate_id
        held = self._held.get(pair, [])
        if any(_replaces(other, match) for other in held):
            return
        self._held[pair] = [other for other in held if not _replaces(match, other)] + [match]
        for entity in _entities(match):
            self._pairs[entity].add(pair)

    def _withdraw(self, entity: Entity, revision: int) -> None:
        self._withdrawn[entity] = max(revision, self._withdrawn.get(entity, 0))
        for pair in list(self._pairs.get(entity, ())):
            self._recheck(pair)

    def _exclude(self, event: MatchesWithdrawn, counterpart: str, revision: int) -> None:
        pair, excluded = _exclusion(event, counterpart, revision)
        self._excluded[pair].add(excluded)
        if pair in self._held:
            self._recheck(pair)

    def _recheck(self, pair: Pair) -> None:
        if held := [match for match in self._held[pair] if self._holds(match)]:
            self._held[pair] = held
        else:
            self._drop(pair)

    def _drop(self, pair: Pair) -> None:
        for entity in _entities(self._held.pop(pair)[0]):
            self._pairs[entity].discard(pair)
            if not self._pairs[entity]:
                del self._pairs[entity]

    def _holds(self, match: Match) -> bool:
        return all(
            revision >= self._withdrawn.get(entity, 0) for entity, revision in _entities(match).items()
        ) and not any(
            match.vacancy_revision <= vacancy
            and match.candidate_revision <= candidate
            and model in (None, match.model_version)
            for vacancy, candidate, model in self._excluded.get((match.vacancy_id, match.candidate_id), ())
        )


def _best(side: Side, matches: Iterable[Match], top_k: int, soft_penalty: float) -> list[Match]:
    """The list of one entity of this side. In a candidate's list duplicates share a place."""

    def place(match: Match) -> tuple[float, str]:
        merit = match.score * soft_penalty ** len(match.reasons.soft_rules)
        return -merit, match.vacancy_id if side is Side.CANDIDATE else match.candidate_id

    places: dict[str, list[Match]] = {}
    for match in sorted(matches, key=place):
        key = match.duplicate_key if side is Side.CANDIDATE else None
        places.setdefault(key or match.id, []).append(match)
    return [_with_duplicates(*each) for each in list(places.values())[:top_k]]


def _with_duplicates(match: Match, *others: Match) -> Match:
    ids = tuple(each.vacancy_id for each in others[:MAX_DUPLICATES])
    return match if match.duplicates == ids else match.model_copy(update={"duplicates": ids})


def _exclusion(event: MatchesWithdrawn, counterpart: str, revision: int) -> tuple[Pair, Excluded]:
    if event.side is Side.VACANCY:
        return (event.entity_id, counterpart), (event.revision, revision, event.model_version)
    return (counterpart, event.entity_id), (revision, event.revision, event.model_version)


def _entities(match: Match) -> dict[Entity, int]:
    """Both sides with their revisions."""
    return {
        (Side.VACANCY, match.vacancy_id): match.vacancy_revision,
        (Side.CANDIDATE, match.candidate_id): match.candidate_revision,
    }


def _replaces(one: Match, other: Match) -> bool:
    """Whether every withdrawal that ends `one` also ends `other`, so that `other` can be dropped."""
    return (
        one.model_version == other.model_version
        and one.vacancy_revision >= other.vacancy_revision
        and one.candidate_revision >= other.candidate_revision
        and _age(one) >= _age(other)
    )


def _age(match: Match) -> tuple[object, ...]:
    """Sort key: newer revisions first, then later `occurred_at`; the JSON breaks remaining ties."""
    return match.vacancy_revision, match.candidate_revision, match.occurred_at, match.model_dump_json()

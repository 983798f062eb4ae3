"""Compare a deployment's matches with the live ones: lists, confidence, time. Reads the topics only."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rolecall.schemas.match import Match, Side
from rolecall.schemas.topics import MATCHES
from rolecall.streams.errors import RolloutRefused
from rolecall.streams.events.match_state import MatchState
from rolecall.streams.events.receive import read_event
from rolecall.streams.kafka.read import records_to_end
from rolecall.streams.rollout.steps import rehearsal
from rolecall.streams.rollout.switch import RolloutSession

TOGETHER_MS = 60_000  # matches of one event within this time were made when it arrived, not in a replay

Entity = tuple[Side, str]
Event = tuple[Side, str, int]  # side, id and revision of the entity
Figures = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """The matches that one model published, and their times."""

    state: MatchState = field(default_factory=MatchState)
    published_ms: dict[Event, int] = field(default_factory=dict)  # time of the first match of its list
    took_ms: dict[Event, int] = field(default_factory=dict)  # from the start of its batch to that match

    def take(self, match: Match, timestamp_ms: int) -> None:
        self.state.apply(match)
        event = _event(match)
        if event not in self.published_ms:
            self.published_ms[event] = timestamp_ms
            self.took_ms[event] = timestamp_ms - round(match.occurred_at.timestamp() * 1000)


async def report(at: RolloutSession) -> Figures:
    rollout = await at.now()
    other = rollout.next or rollout.standby
    if other is None:
        raise RolloutRefused("only one model publishes: run `rolecall rollout start` first")
    topics = {MATCHES.name: rollout.live.model_version}
    if other == rollout.next:
        topics[rehearsal(other)] = other.model_version
    live, beside = Seen(), Seen()
    for topic in topics:
        async for record in records_to_end(at.settings, topic):
            event = read_event(record.value)
            if event is None:
                continue
            if not isinstance(event, Match):
                live.state.apply(event)
                beside.state.apply(event)
            elif topic == MATCHES.name and event.model_version == rollout.live.model_version:
                live.take(event, record.timestamp)
            elif event.model_version == other.model_version:
                beside.take(event, record.timestamp)
    k, penalty = at.settings.top_k, at.settings.soft_penalty
    return {
        "live": rollout.live.model_dump(),
        "other": other.model_dump(),
        **compare(live.state.belonging(k, penalty), beside.state.belonging(k, penalty), k),
        **times(live, beside),
    }


def compare(live: Sequence[Match], other: Sequence[Match], k: int) -> Figures:
    """Compares the best `k` of every vacancy and candidate, and the confidence of pairs that both match.

    The overlap of two lists is the number of shared entries divided by the length of the longer list. The
    mean is over all entities that have a list from either model.
    """
    ours, theirs = lists(live, k), lists(other, k)
    overlaps = [
        len(ours[each] & theirs[each]) / max(len(ours[each]), len(theirs[each]))
        for each in ours.keys() | theirs.keys()
    ]
    confidence = {_pair(match): match.confidence for match in live}
    shifts = [match.confidence - confidence[_pair(match)] for match in other if _pair(match) in confidence]
    return {
        "k": k,
        "lists": len(overlaps),
        "overlap_at_k": _mean(overlaps),
        "pairs": {"live": len(live), "other": len(other), "both": len(shifts)},
        "confidence": {
            "live": _mean([m.confidence for m in live]),
            "other": _mean([m.confidence for m in other]),
        },
        "confidence_shift": {"mean": _mean(shifts), **_quantiles(shifts, (10, 50, 90))},
    }


def times(live: Seen, other: Seen) -> Figures:
    """Times from the start of a batch to the match, for events that both models handled when they arrived."""
    both = [
        event
        for event, at_ms in live.published_ms.items()
        if event in other.published_ms and abs(other.published_ms[event] - at_ms) < TOGETHER_MS
    ]
    return {
        "events": len(both),
        "latency_ms": {
            name: _quantiles([seen.took_ms[event] for event in both], (50, 99))
            for name, seen in (("live", live), ("other", other))
        },
    }


def lists(matches: Sequence[Match], k: int) -> Mapping[Entity, set[str]]:
    """The `k` counterparts of each entity with the highest confidence."""
    found: defaultdict[Entity, list[tuple[float, str]]] = defaultdict(list)
    for match in matches:
        found[Side.VACANCY, match.vacancy_id].append((-match.confidence, match.candidate_id))
        found[Side.CANDIDATE, match.candidate_id].append((-match.confidence, match.vacancy_id))
    best = {entity: {id for _, id in sorted(each)[:k]} for entity, each in found.items()}
    return defaultdict(set, best)


def _event(match: Match) -> Event:
    if match.found_by is Side.VACANCY:
        return Side.VACANCY, match.vacancy_id, match.vacancy_revision
    return Side.CANDIDATE, match.candidate_id, match.candidate_revision


def _pair(match: Match) -> tuple[str, int, str, int]:
    return match.vacancy_id, match.vacancy_revision, match.candidate_id, match.candidate_revision


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _quantiles(values: Sequence[float], percents: Sequence[int]) -> dict[str, float | None]:
    return {f"p{each}": float(np.percentile(values, each)) if values else None for each in percents}

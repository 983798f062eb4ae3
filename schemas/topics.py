"""One row per topic: its contracts, key and retention; and one row per side: its topic and contract."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rolecall.schemas.candidate import Candidate
from rolecall.schemas.common import Contract
from rolecall.schemas.dead_letter import DeadLetterHeaders
from rolecall.schemas.feedback import Feedback
from rolecall.schemas.match import Match, MatchesWithdrawn, Side
from rolecall.schemas.occupation import Occupation
from rolecall.schemas.rollout import Rollout
from rolecall.schemas.rule import ExclusionRule
from rolecall.schemas.vacancy import Vacancy

DAY_MS = 86_400_000
# Longer than any dead letter is kept: a replayed letter meets the tombstone of an erasure that came after it.
TOMBSTONES_MS = 45 * DAY_MS


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    contracts: tuple[type[Contract], ...]
    key: str
    cleanup_policy: Literal["compact", "delete"]
    retention_ms: int  # of records; on a compacted topic: of tombstones
    purpose: str
    segment_ms: (
        int  # a record may outlive its retention by this, and compaction leaves it alone for this long
    )
    null: str | None = None  # what a record without a value means
    partitions: int = 4
    max_message_bytes: int | None = None  # None: the broker's default

    def config(self) -> dict[str, str]:
        """The topic's settings on the broker."""
        compacted = self.cleanup_policy == "compact"
        config = {
            "cleanup.policy": self.cleanup_policy,
            "delete.retention.ms" if compacted else "retention.ms": str(self.retention_ms),
            "segment.ms": str(self.segment_ms),
        }
        if compacted:
            config["max.compaction.lag.ms"] = str(self.segment_ms)
        if self.max_message_bytes is not None:
            config["max.message.bytes"] = str(self.max_message_bytes)
        return config


VACANCIES = Topic(
    name="vacancies",
    contracts=(Vacancy,),
    key="vacancy id",
    cleanup_policy="compact",
    retention_ms=TOMBSTONES_MS,
    segment_ms=DAY_MS,
    purpose="Full state of each vacancy.",
    null="erase the vacancy",
)
CANDIDATES = Topic(
    name="candidates",
    contracts=(Candidate,),
    key="candidate id",
    cleanup_policy="compact",
    retention_ms=TOMBSTONES_MS,
    segment_ms=DAY_MS,
    purpose="Full state of each profile.",
    null="erase the candidate",
)
RULES = Topic(
    name="rules",
    contracts=(ExclusionRule,),
    key="rule id",
    cleanup_policy="compact",
    retention_ms=TOMBSTONES_MS,
    segment_ms=DAY_MS,
    purpose="Exclusion rules.",
    null="remove the rule",
    partitions=1,
)
OCCUPATIONS = Topic(
    name="occupations",
    contracts=(Occupation,),
    key="occupation id",
    cleanup_policy="compact",
    retention_ms=TOMBSTONES_MS,
    segment_ms=DAY_MS,
    purpose="Reference occupations.",
    null="remove it",
    partitions=1,
)
ROLLOUTS = Topic(
    name="rollouts",
    contracts=(Rollout,),
    key="`rollout`",
    cleanup_policy="compact",
    retention_ms=TOMBSTONES_MS,
    segment_ms=DAY_MS,
    purpose="Which model's matches count.",
    null="forget the rollout: then the matches of every model count",
    partitions=1,
)
MATCHES = Topic(
    name="matches",
    contracts=(Match, MatchesWithdrawn),
    key="vacancy id of a match, entity id of a withdrawal",
    cleanup_policy="delete",
    retention_ms=7 * DAY_MS,
    segment_ms=DAY_MS,
    purpose="Matches and their withdrawal.",
)
FEEDBACK = Topic(
    name="feedback",
    contracts=(Feedback,),
    key="vacancy id",
    cleanup_policy="delete",
    retention_ms=365 * DAY_MS,
    segment_ms=DAY_MS,
    purpose="What happened to a match.",
)
DEAD_LETTERS = Topic(
    name="dead-letters",
    contracts=(DeadLetterHeaders,),
    key="original key",
    cleanup_policy="delete",
    retention_ms=30 * DAY_MS,
    segment_ms=DAY_MS,
    purpose="Records that could not be processed: the original bytes, the cause in the headers.",
    partitions=1,
    max_message_bytes=16 * 1_048_576,  # room for the largest record of any input topic, and its headers
)

TOPICS = (VACANCIES, CANDIDATES, RULES, OCCUPATIONS, ROLLOUTS, MATCHES, FEEDBACK, DEAD_LETTERS)
DEFINITIONS = (RULES, OCCUPATIONS)
INPUTS = (*DEFINITIONS, FEEDBACK, VACANCIES, CANDIDATES)  # what workers consume

SIDE_OF = {VACANCIES.name: Side.VACANCY, CANDIDATES.name: Side.CANDIDATE}
TOPIC_OF_SIDE = {side: topic for topic, side in SIDE_OF.items()}
CONTRACT_OF: dict[Side, type[Vacancy] | type[Candidate]] = {
    Side.VACANCY: Vacancy,
    Side.CANDIDATE: Candidate,
}


@cache
@cache
def event_type(contract: type[Contract]) -> str:
    """The CloudEvents type of a contract: `rolecall.exclusion_rule.v1`."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", contract.__name__).lower()
    return f"rolecall.{snake}.v1"

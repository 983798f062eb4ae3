"""One row per topic: what it carries, how it is keyed, how long it is kept."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from schemas.candidate import Candidate
from schemas.common import Contract
from schemas.dead_letter import DeadLetterHeaders
from schemas.feedback import Feedback
from schemas.match import Match, MatchesWithdrawn
from schemas.occupation import Occupation
from schemas.rollout import Rollout
from schemas.rule import ExclusionRule
from schemas.vacancy import Vacancy


@dataclass(frozen=True, slots=True)
class Topic:
    name: str
    contracts: tuple[type[Contract], ...]
    key: str
    cleanup_policy: Literal["compact", "delete"]
    purpose: str
    null: str | None = None  # what a record without a value means
    partitions: int = 4


VACANCIES = Topic(
    "vacancies", (Vacancy,), "vacancy id", "compact", "Full state of each vacancy.", "erase the vacancy"
)
CANDIDATES = Topic(
    "candidates",
    (Candidate,),
    "candidate id",
    "compact",
    "Full state of each profile.",
    "erase the candidate",
)
RULES = Topic("rules", (ExclusionRule,), "rule id", "compact", "Exclusion rules.", "remove the rule", 1)
OCCUPATIONS = Topic(
    "occupations", (Occupation,), "occupation id", "compact", "Reference occupations.", "remove it", 1
)
ROLLOUTS = Topic(
    "rollouts",
    (Rollout,),
    "`rollout`",
    "compact",
    "Which model's matches count.",
    "forget it: the matches of every model count",
    1,
)
MATCHES = Topic(
    "matches",
    (Match, MatchesWithdrawn),
    "vacancy id of a match, entity id of a withdrawal",
    "delete",
    "Matches and their withdrawal.",
)
FEEDBACK = Topic("feedback", (Feedback,), "vacancy id", "delete", "What happened to a match.")
DEAD_LETTERS = Topic(
    "dead-letters",
    (DeadLetterHeaders,),
    "original key",
    "delete",
    "Records that could not be processed: the original bytes, the cause in the headers.",
    partitions=1,
)

TOPICS = (VACANCIES, CANDIDATES, RULES, OCCUPATIONS, ROLLOUTS, MATCHES, FEEDBACK, DEAD_LETTERS)


@cache
def event_type(contract: type[Contract]) -> str:
    """The CloudEvents type of a contract: `rolecall.exclusion_rule.v1`."""
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", contract.__name__).lower()
    return f"rolecall.{snake}.v1"

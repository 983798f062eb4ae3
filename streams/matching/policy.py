"""The policy of matching: how long a list is, how sure a match must be, which hard rules count."""

from dataclasses import dataclass, replace
from functools import cached_property

from rolecall.schemas.candidate import CandidateTerms
from rolecall.schemas.vacancy import Vacancy, VacancyTerms
from rolecall.streams.events.receive import Entity
from rolecall.streams.matching.card import Card
from rolecall.streams.matching.duplicates import duplicate_key
from rolecall.streams.matching.hard_rules import ALL_HARD, RuleBook


def spare(top_k: int) -> int:
    """How many members beyond its last place a list may keep. While it has some, one that leaves costs no
    search."""
    return -(-top_k // 4)


@dataclass(frozen=True)
class Policy:
    """Which pairs become matches."""

    top_k: int
    min_confidence: float
    book: RuleBook = ALL_HARD
    soft_penalty: float = 0.8  # each broken soft rule multiplies the confidence by it
    max_per_employer: int | None = None
    duplicates_share_a_place: bool = False  # in a candidate's list
    min_reference_score: float = 0.86
    max_top_k: int = 1000  # these two limit what an event may ask for
    lowest_min_confidence: float = 0.0
    max_entered: int = 1000  # how many lists of the other side one event may enter; the rest are searched
    drop_turned_down: bool = True  # whether a pair that was turned down is in no list
    published_to: str = ""  # id of the topic `matches`: one that was made again has no matches yet

    @cached_property
    def fingerprint(self) -> str:
        """Another one for every policy that may make other matches."""
        modes = sorted((rule.value, mode.value) for rule, mode in self.book.modes.items())
        rates = sorted(self.book.rates.items())
        turned_down = "" if self.drop_turned_down else " turned down"  # the default is as old as any digest
        duplicates = " duplicates" if self.duplicates_share_a_place else ""
        return (
            f"{self.top_k} {self.min_confidence} {modes} {rates} {self.soft_penalty} {self.max_per_employer}"
            f" {self.min_reference_score} {self.published_to}{turned_down}{duplicates}"
        )

    def of(self, asker: Entity | Card[VacancyTerms] | Card[CandidateTerms]) -> "Policy":
        """With what the event itself asks for."""
        asked = asker.matching
        if asked is None:
            return self
        top_k, min_confidence = self.top_k, self.min_confidence
        if asked.top_k is not None:
            top_k = min(asked.top_k, self.max_top_k)
        if asked.min_confidence is not None:
            min_confidence = max(asked.min_confidence, self.lowest_min_confidence)
        return replace(self, top_k=top_k, min_confidence=min_confidence)

    def duplicate_key(self, entity: Entity) -> str | None:
        """Without a key, a vacancy shares its place with no other one."""
        if not (self.duplicates_share_a_place and isinstance(entity, Vacancy)):
            return None
        return duplicate_key(entity)

    def longer(self) -> "Policy":
        """With the members that a list may have to spare."""
        return replace(self, top_k=self.top_k + spare(self.top_k))

"""Who is in a list, as far as is known: enough to raise its floor, and to see that it is still full without a
member, both without a search.

The known members and their scores are stored with the list (`Listing.members`). If as many as the list is
long are known to score at least so much, its last place scores no less. Whoever lowers the score of a
member, or takes it out, writes the list or has it searched. So a floor that would be too high is never
written, or the list is due. A member that nobody knows only makes the floor lower than it could be.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from rolecall.streams.index.port import Listing
from rolecall.streams.matching.policy import Policy, spare
from rolecall.streams.matching.ranking import MatchList, Place, merit, units_below

Scores = dict[str, int]
"""In units, by a hash of the member's id: the index of one side does not name who is on the other."""


@dataclass(slots=True)
class Change:
    """What some events do to a list of the other side."""

    place: Place  # the list, as it was found last
    gone: set[str] = field(default_factory=set)
    entered: Scores = field(default_factory=dict)
    leaves: bool = False  # whether a member is gone, or scores less: then the list must be written
    lost: bool = False  # whether one of these was among what is surely published, and is not any more

    def see(self, place: Place) -> None:
        if place.listing.listed > self.place.listing.listed:
            self.place = place

    def listing(self) -> Listing:
        """The list as it is to be written."""
        before = self.place.listing
        known = {name: score for name, score in read(before.members).items() if name not in self.gone}
        most = self.place.top_k + spare(self.place.top_k)
        best = sorted((known | self.entered).items(), key=lambda each: (-each[1], each[0]))[:most]
        news = replace(before, members=_written(best))
        if len(best) < most or (last := best[-1][1]) <= before.floor:
            return news
        return replace(news, floor=last, held=max(before.held, last))

    def fills(self, listing: Listing) -> bool:
        """Whether so many are known that every place of the list is taken by one that is published."""
        return sum(score >= listing.held for score in read(listing.members).values()) >= self.place.top_k

    def again(self, listing: Listing) -> "Change":
        """For the list as another one has written it meanwhile. What entered may have left again since."""
        return replace(
            self, place=replace(self.place, listing=listing), gone=self.gone | self.entered.keys(), entered={}
        )


def hashed(id: str) -> str:
    return blake2b(id.encode(), digest_size=6).hexdigest()


def members_of(found: MatchList, policy: Policy) -> str:
    return _written((hashed(each.hit.id), units_below(merit(each, policy))) for each, _ in found.best)


def read(members: str) -> Scores:
    pairs = (each.split(":") for each in members.split())
    return {name: int(score) for name, score in pairs}


def _written(scores: Iterable[tuple[str, int]]) -> str:
    return " ".join(f"{name}:{score}" for name, score in scores)

"""Who is in a list, as far as is known: enough to raise its floor, and to see that it is still full without a
member, both without a search.

The known members and their scores are stored with the list (`Listing.members`), of duplicates the best one.
If as many as the list is long are known to score at least so much, its last place scores no less. Whoever
lowers the score of a member, changes its duplicate key or takes it out, writes the list or has it searched.
So a floor that would be too high is never written, or the list is due. A member that nobody knows only makes
the floor lower than it could be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from rolecall.streams.index.port import Listing
from rolecall.streams.matching.policy import Policy, spare
from rolecall.streams.matching.ranking import MatchList, Place, merit, units_below


class Member(NamedTuple):
    score: int  # in units
    key: str | None = None  # of duplicates, which have one place together


Members = dict[str, Member]
"""By a hash of the member's id: the index of one side does not name who is on the other."""


@dataclass(slots=True)
class Change:
    """What some events do to a list of the other side."""

    place: Place  # the list, as it was found last
    gone: set[str] = field(default_factory=set)
    entered: Members = field(default_factory=dict)
    leaves: bool = False  # whether a member is gone, scores less or has another key: the list must be written
    lost: bool = False  # whether one of these was among what is surely published, and is not any more

    def see(self, place: Place) -> None:
        if place.listing.listed > self.place.listing.listed:
            self.place = place

    def listing(self) -> Listing:
        """The list as it is to be written."""
        before = self.place.listing
        known = {name: member for name, member in read(before.members).items() if name not in self.gone}
        most = self.place.top_k + spare(self.place.top_k)
        best = _places(known | self.entered)[:most]
        news = replace(before, members=_written(best))
        if len(best) < most or (last := best[-1][1].score) <= before.floor:
            return news
        return replace(news, floor=last, held=max(before.held, last))

    def fills(self, listing: Listing) -> bool:
        """Whether so many are known that every place of the list is taken by one that is published."""
        members = read(listing.members).values()
        return sum(member.score >= listing.held for member in members) >= self.place.top_k

    def again(self, listing: Listing) -> "Change":
        """For the list as another one has written it meanwhile. What entered may have left again since."""
        return replace(
            self, place=replace(self.place, listing=listing), gone=self.gone | self.entered.keys(), entered={}
        )


def changes_of(
    lists: Mapping[str, MatchList], left: Mapping[str, Mapping[str, Place]], *, reckons: bool
) -> dict[str, Change]:
    """By id, the lists of the other side that the events of a part enter or leave.

    reckons: whether what is known of members says what a list lacks.
    """
    changes: dict[str, Change] = {}

    def change(place: Place) -> Change:
        known = changes.setdefault(place.listing.id, Change(place))
        known.see(place)
        return known

    for id in lists.keys() | left.keys():
        member, before = hashed(id), left.get(id, {})
        now = {place.listing.id: place for place in (lists[id].places if id in lists else ())}
        for list_id, place in now.items():
            if reckons and place.settled:
                change(place).entered[member] = Member(place.score, place.duplicate_key)
            if (was := before.get(list_id)) and not place.keeps(was):
                change(place).leaves = True
        for list_id, was in before.items():
            if list_id not in now:
                change(was).gone.add(member)
                change(was).leaves = True
            # Whoever is below `held` may have less than somebody that is not published. Whoever has
            # another duplicate key may have left a place free.
            news = now.get(list_id)
            stays = news and news.score >= news.listing.held and news.duplicate_key == was.duplicate_key
            if not (stays and reckons):
                change(was).lost = True
    return changes


def hashed(id: str) -> str:
    return blake2b(id.encode(), digest_size=6).hexdigest()


def members_of(found: MatchList, policy: Policy) -> str:
    return _written(
        (hashed(each.hit.id), Member(units_below(merit(each, policy)), each.card.duplicate_key))
        for each, _ in found.best
    )


def _places(members: Members) -> list[tuple[str, Member]]:
    """Best first, and of duplicates the best only."""
    best = sorted(members.items(), key=lambda each: (-each[1].score, each[0]))
    places: dict[str, tuple[str, Member]] = {}
    for name, member in best:
        places.setdefault(member.key or name, (name, member))
    return list(places.values())


def read(members: str) -> Members:
    parts = (each.split(":") for each in members.split())
    return {name: Member(int(score), *key) for name, score, *key in parts}


def _written(members: Iterable[tuple[str, Member]]) -> str:
    return " ".join(f"{name}:{score}:{key}" if key else f"{name}:{score}" for name, (score, key) in members)

"""Who is in the lists of one side, as far as this worker knows. That is enough to raise a floor, and to see
that a list is still full without a member, both without a search.

If as many points as a list is long are known to score at least so much, the last place of the list scores
no less. What is known holds for one state of the list (`Listing.listed`). Whoever lowers the score of a
member, or takes it out, has the list written or searched, and that changes the state. So a floor that would
be too high is never written, or the list is due.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import nlargest
from sys import intern

from rolecall.streams.index.port import UNREACHABLE, Listing
from rolecall.streams.matching.policy import Policy, spare
from rolecall.streams.matching.ranking import MatchList, Place, merit, units_below

MOST_KNOWN = 1_000_000  # members of a side; lists that are forgotten keep their floors


@dataclass(slots=True)
class _List:
    listing: Listing  # as it was read, or as it was written here since
    scores: dict[str, int] = field(default_factory=dict)  # by id of the members


class Members:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lists: OrderedDict[str, _List] = OrderedDict()
        self._most_lists = MOST_KNOWN // (2 * policy.top_k)

    def learn(self, listing: Listing, found: MatchList) -> None:
        """The list was searched, and is published and written as `listing`."""
        scores = {intern(each.hit.id): units_below(merit(each, self._policy)) for each, _ in found.best}
        self._keep(_List(listing, scores))

    def enter(self, id: str, place: Place) -> None:
        known = self._lists.get(place.listing.id)
        if known is None or not _same(known, place) or known.listing.listed < place.listing.listed:
            known = self._keep(_List(place.listing))
        known.scores[intern(id)] = place.score

    def leave(self, id: str, list_id: str) -> None:
        if known := self._lists.get(list_id):
            known.scores.pop(id, None)

    def newest(self, place: Place) -> Listing:
        """The list as it was written here since the place was found, or else as it was found."""
        known = self._lists.get(place.listing.id)
        if known is None or not _same(known, place) or known.listing.listed <= place.listing.listed:
            return place.listing
        return known.listing

    def fill(self, place: Place) -> bool:
        """Whether so many are known that every place of the list is taken by one that is published."""
        known, listing = self._lists.get(place.listing.id), self.newest(place)
        if known is None or not _same(known, place) or known.listing.listed != listing.listed:
            return False
        return sum(score >= listing.held for score in known.scores.values()) >= place.top_k

    def raised(self, places: Iterable[Place]) -> Iterator[Listing]:
        """The lists among these that are to have a higher floor now."""
        for place in places:
            known = self._lists.get(place.listing.id)
            most = place.top_k + spare(place.top_k)
            if known is None or not place.settled or len(known.scores) <= most + place.top_k // 10:
                continue  # few more: each write of a floor takes time
            last = nlargest(most, known.scores.values())[-1]
            known.scores = {id: score for id, score in known.scores.items() if score >= last}
            if last > known.listing.floor:
                held = UNREACHABLE if known.listing.held == UNREACHABLE else last
                yield replace(known.listing, floor=last, held=held)

    def write(self, listings: Iterable[Listing]) -> None:
        """They are being written."""
        for listing in listings:
            if known := self._lists.get(listing.id):
                known.listing = replace(listing, listed=listing.listed + 1)

    def forget(self, ids: Iterable[str]) -> None:
        for id in ids:
            self._lists.pop(id, None)

    def _keep(self, known: _List) -> _List:
        self._lists[known.listing.id] = known
        if len(self._lists) > self._most_lists:
            self._lists.popitem(last=False)
        return known


def _same(known: _List, place: Place) -> bool:
    """Whether they are lists of the same content."""
    return (known.listing.since, known.listing.digest) == (place.listing.since, place.listing.digest)

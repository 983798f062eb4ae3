"""Who has entered the lists of one side: enough to raise a floor without a search.

If as many points as a list is long are known to score at least so much, the last place of the list scores
no less. What is known holds for one state of the list (`Listing.listed`). Whoever lowers the score of a
member, or takes it out, has the list written or searched, and that changes the state. So a floor that would
be too high is never written, or the list is due.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import nlargest

from rolecall.streams.index.port import UNREACHABLE, Listing
from rolecall.streams.matching.policy import Policy
from rolecall.streams.matching.ranking import Place

MOST_LISTS = 50_000  # of a side; those that are forgotten keep their floors


@dataclass(slots=True)
class _List:
    listing: Listing  # as it was read, or as it was written here since
    scores: dict[str, int] = field(default_factory=dict)  # by id of who entered
    fresh: int = 0  # how many entered since the floor was raised


class Entrants:
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lists: dict[str, _List] = {}

    def enter(self, id: str, place: Place) -> bool:
        """Whether the place is above all that may be missing from the list, as far as this worker knows."""
        if self._policy.max_per_employer is not None:
            return False  # a vacancy may be passed over, or give its place to another one of its employer
        if not place.settled:
            return False  # its own event is under way
        known = self._lists.get(place.listing.id)
        if known is None or not _same(known, place) or known.listing.listed < place.listing.listed:
            if len(self._lists) >= MOST_LISTS:
                self._lists.clear()
            known = self._lists[place.listing.id] = _List(place.listing)
        known.fresh += id not in known.scores
        known.scores[id] = place.score
        return place.score >= known.listing.held

    def leave(self, id: str, list_id: str) -> None:
        if known := self._lists.get(list_id):
            known.scores.pop(id, None)

    def written(self, place: Place) -> bool:
        """Whether the list was written here since the place was found."""
        known = self._lists.get(place.listing.id)
        return known is not None and _same(known, place) and known.listing.listed > place.listing.listed

    def raised(self, places: Iterable[Place]) -> Iterator[Listing]:
        """The lists among these that have a higher floor now."""
        for place in places:
            known = self._lists.get(place.listing.id)
            if known is None or 2 * known.fresh < place.top_k or len(known.scores) < place.top_k:
                continue
            last = nlargest(place.top_k, known.scores.values())[-1]
            known.scores = {id: score for id, score in known.scores.items() if score >= last}
            known.fresh = 0
            if last > known.listing.floor:
                held = UNREACHABLE if known.listing.held == UNREACHABLE else last
                yield replace(known.listing, floor=last, held=held)

    def wrote(self, listings: Iterable[Listing], overtaken: Iterable[str]) -> None:
        for listing in listings:
            if known := self._lists.get(listing.id):
                known.listing = replace(listing, listed=listing.listed + 1)
        for id in overtaken:
            self._lists.pop(id, None)


def _same(known: _List, place: Place) -> bool:
    """Whether they are lists of the same content."""
    return (known.listing.since, known.listing.digest) == (place.listing.since, place.listing.digest)

"""How many events go through together, by how long they took before."""

FIRST = 16


class Pace:
    """`size` grows to `most` while parts are quick, and halves when one takes longer than `seconds`.

    Where the index is slow, parts are small, and little is cut off by a rebalance or a stop.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.size = min(FIRST, most)
        self._most = most
        self._seconds = seconds

    def took(self, events: int, seconds: float) -> None:
        if seconds > self._seconds:
            self.size = max(1, min(self.size, events) // 2)
        elif events == self.size and seconds < self._seconds / 4:
            self.size = min(2 * self.size, self._most)

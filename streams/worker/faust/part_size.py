"""Choose how many events are processed together, by how long the last ones took."""

FIRST = 16
QUICKER = 0.75


class Pace:
    """`size` grows up to `most` while parts are quick, and halves if one takes longer than `seconds`.

    If every event costs time, parts are small, so a rebalance or a stop interrupts little work. If half the
    events take just as long, the time goes into waiting. Then parts grow again.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.size = min(FIRST, most)
        self._most = most
        self._seconds = seconds
        self._before = (0, 0.0)  # events and seconds of the last part

    def took(self, events: int, seconds: float) -> None:
        """`events`: of the part; no more than `size`."""
        before, seconds_before = self._before
        self._before = events, seconds
        if seconds <= self._seconds:
            if events == self.size and seconds < self._seconds / 4:
                self.size = min(2 * self.size, self._most)
        elif events <= before // 2 and seconds > QUICKER * seconds_before:
            self.size = min(4 * self.size, self._most)
        else:
            self.size = max(1, events // 2)

"""What the tests of failures raise."""

from streams.index import IndexUnavailable

AWAY = IndexUnavailable("gone fishing")


class Killed(BaseException):
    """The process ends here."""

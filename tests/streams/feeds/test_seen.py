"""The ids of a run, compared with a dict."""

from random import Random

import pytest

from rolecall.schemas.match import Side
from rolecall.streams.feeds import seen as module
from rolecall.streams.feeds.seen import Seen


def test_the_newest_revision_of_each_id_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_PENDING", 50)
    random, seen, expected = Random(22), Seen(), dict[tuple[Side, str], int]()
    for revision in range(2000):
        key = random.choice(list(Side)), str(random.randrange(700))
        assert seen.newest(*key) == expected.get(key)
        seen.add(*key, revision)
        expected[key] = revision
    assert len(seen) == len(expected)
    assert {key: seen.newest(*key) for key in expected} == expected
    assert seen.newest(Side.VACANCY, "never") is None

"""What the rules of the port decide, without an index."""

import numpy as np
import pytest

from rolecall.streams.index.port import Point, mark_id, repeats, write_decision

WRITTEN, IGNORED = True, False


@pytest.mark.parametrize(
    ("stored", "live", "edition", "decided"),
    [
        (None, True, "", (None, WRITTEN)),
        (None, False, "", (None, WRITTEN)),
        # another revision decides by itself
        ((4, True, "b"), True, "a", (4, WRITTEN)),
        ((4, False), True, "", (4, WRITTEN)),
        ((4, True), False, "", (4, WRITTEN)),
        ((6, True, "a"), True, "b", (6, IGNORED)),
        ((6, False), True, "", (6, IGNORED)),
        ((6, True), False, "", (6, IGNORED)),
        # of one revision a tombstone wins: 6 says that the live point is stale
        ((5, True), True, "", (5, IGNORED)),
        ((5, False), False, "", (5, IGNORED)),
        ((5, True), False, "", (5, WRITTEN)),
        ((5, False), True, "", (6, IGNORED)),
        # of two live points with one revision the higher edition wins, if both are known
        ((5, True, "b"), True, "b", (5, IGNORED)),
        ((5, True, "b"), True, "c", (5, WRITTEN)),
        ((5, True, "b"), True, "a", (6, IGNORED)),
        ((5, True, "b"), True, "", (5, IGNORED)),
        ((5, True, ""), True, "b", (5, IGNORED)),
        ((5, True, "b"), False, "", (5, WRITTEN)),
        ((5, False, "b"), True, "c", (6, IGNORED)),
    ],
)
def test_revision_5_is_written_or_ignored(stored, live, edition, decided):
    assert write_decision(stored, 5, live=live, edition=edition) == decided


STORED = {"live": 1, "digest": "d", "since": 3, "settled": 3, "revision": 4}


@pytest.mark.parametrize(
    ("change", "says_the_same"),
    [
        ({}, True),
        ({"revision": 5}, True),
        ({"revision": 6}, False),  # newer than the event
        ({"digest": "e"}, False),
        ({"settled": 2}, False),  # its matches are of before its last change
        ({"settled": None}, False),  # its matches are not published
    ],
)
def test_an_event_of_revision_5_with_digest_d_repeats_what_is_stored(change, says_the_same):
    assert repeats(STORED | change, 5, "d") is says_the_same


def test_an_event_never_repeats_a_tombstone():
    stored = {name: value for name, value in STORED.items() if name != "live"}
    assert not repeats(stored, 5, "d")


def test_a_mark_has_an_id_of_its_partition_that_no_entity_can_have():
    assert [mark_id(number) for number in (0, 12)] == ["\x00mark/0", "\x00mark/12"]


def test_the_edition_of_a_point_is_in_its_payload_and_unknown_without_one():
    vector = np.ones(4, np.float32)
    assert Point("v1", 1, vector, {"edition": "e1"}).edition == "e1"
    assert [each.edition for each in (Point("v1", 1), Point("v1", 1, vector, {}))] == ["", ""]

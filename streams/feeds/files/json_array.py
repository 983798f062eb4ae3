"""The members of a large JSON array, one by one: the array is never in memory as a whole."""

import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, TextIO

PIECE = 2**20  # characters that are read at once
LONGEST_MEMBER = 64 * 2**20


def members(file: BinaryIO) -> Iterator[Any]:
    """ValueError at the first member that is no JSON. Bytes that are no UTF-8 become U+FFFD."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")
    try:
        yield from _members(text)
    finally:
        text.detach()  # the file is closed by whom it belongs to


def _members(text: TextIO) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    left, at = text.read(PIECE).lstrip().removeprefix("["), 0
    at_end = False
    while True:
        while left[at : at + 1] in (" ", "\t", "\r", "\n", ","):
            at += 1
        if left[at : at + 1] == "]":
            return
        try:
            member, end = decoder.raw_decode(left, at)
            if end == len(left) and not at_end:
                raise ValueError("the member may go on")
        except ValueError as error:
            if at_end or len(left) - at > LONGEST_MEMBER:
                raise ValueError(f"invalid JSON: {error}") from error
            more = text.read(max(PIECE, len(left) - at))
            left, at, at_end = left[at:] + more, 0, not more
            continue
        yield member
        at = end

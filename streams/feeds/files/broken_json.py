"""Where the reading of a list goes on after a member that is no JSON."""

import json
import re
from collections.abc import Set
from typing import Any, NamedTuple

BLANK = " \t\r\n,\0\ufeff"  # between values; commas are not counted
AHEAD = 2**20  # characters that are looked at before a member is believed
_NEXT = re.compile(r",\s*(?=\{)")
_NEXT_DOCUMENT = re.compile(r"[,\n}]\s*(?=\{)")
_NAME = re.compile(r'"(?:[^"\\]|\\.)*"\s*:', re.S)


class Broken(NamedTuple):
    """A member that cannot be read."""

    reason: str
    raw: bytes = b""


def no_number(name: str) -> None:
    """NaN is how pandas writes a missing number. ValueError for Infinity."""
    if name != "NaN":
        raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(strict=False, parse_constant=no_number)


class Lost(ValueError):
    """Nothing more of a document can be read."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.reason)
        self.broken = broken


def next_object(text: str, at: int, depth: int | None) -> re.Match[str] | None:
    """What stands before the next object that may be a member; see `is_member`."""
    return (_NEXT if depth is not None else _NEXT_DOCUMENT).search(text, at)


def likely_names(text: str, depth: int | None) -> Set[str]:
    """The names in the longest object behind a comma: the objects inside of members are shorter."""
    names, longest, at = frozenset[str](), 0, 0
    while before := next_object(text, at, depth):
        at = before.end()
        if found := _decoded(text, at):
            value, at = found
            if at - before.end() > longest:
                names, longest = frozenset(value), at - before.end()
    return names


def name_at(text: str, at: int) -> str | None:
    """The name, if a name and a colon stand here: what goes on is an object, and not a list."""
    if not _NAME.match(text, at):
        return None
    found = _decoded(text, at)
    return str(found[0]) if found else ""


def has_most(text: str, at: int, names: Set[str]) -> bool:
    """Whether an object that is whole, with most of these names, opens here."""
    value, _ = _decoded(text, at) or (None, at)
    return isinstance(value, dict) and 2 * len(names & value.keys()) > len(names)


def is_member(text: str, names: Set[str], depth: int | None, is_end: bool) -> bool:
    """Whether the object that opens the text is a member of the list, and not a part of a broken member.

    It has most of the names. What follows must be members, up to the next fault, to the end of the list with
    the end of the document, or to the end of the text. In a list inside of a member, the brackets that follow
    would not fit.

    depth: how many objects are around the list; None for documents one after another. is_end: whether the
    document ends with the text.
    """
    at = count = 0
    while found := _decoded(text, at):
        count, at = count + 1, after_blanks(text, found[1])
        if at == len(text):
            return not is_end or depth is None
        if text[at] == "]":
            return depth is not None and _closes(text, at + 1, depth, is_end)
        name = name_at(text, at)
        if name is not None and isinstance(found[0], dict) and name in found[0]:
            break  # the member after this one has lost its bracket
        if text[at] not in '{["' or name is not None:
            return False
    return count > 0 and len(names) > 1


def _closes(text: str, at: int, depth: int, is_end: bool) -> bool:
    """Whether the rest of the objects around a list is what follows the list."""
    for _ in range(depth):
        while (at := after_blanks(text, at)) < len(text) and text[at] != "}":
            name = _NAME.match(text, at)
            value = _decoded(text, after_blanks(text, name.end())) if name else None
            if value is None:
                return not is_end
            at = value[1]
        at += 1
    return after_blanks(text, at) >= len(text)


def _decoded(text: str, at: int) -> tuple[Any, int] | None:
    try:
        return DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at

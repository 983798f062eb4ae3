"""A large JSON document, value by value: it is never in memory as a whole."""

import io
import json
import re
from collections.abc import Iterator, Set
from typing import Any, BinaryIO, NamedTuple, TextIO

from rolecall.streams.feeds.files.broken_json import (
    AHEAD,
    BLANK,
    DECODER,
    Broken,
    Lost,
    after_blanks,
    has_most,
    is_member,
    likely_names,
    name_at,
    next_object,
)
from rolecall.streams.feeds.files.documents import SAMPLE_SIZE, scrubbed
from rolecall.streams.feeds.files.encodings import not_utf8
from rolecall.streams.feeds.values.json_values import Json, Names

PIECE = 2**20  # characters that are read at once
LONGEST_VALUE = 64 * 2**20
DEEPEST = 8  # objects in objects that are walked through; a deeper one is one value
LONGEST_NAME = 1000
SHOWN = 2000  # characters of a broken member
MOST_PASSED = 1000
LONGEST_CUT = 20  # characters of a number or an escape that the end of a piece cuts


class Leaf(NamedTuple):
    path: Names
    value: Any
    in_list: bool  # a member of the list at this path


def members(file: BinaryIO, path: Names) -> Iterator[Any]:
    """The members of the list at a path, also of documents one after another; `Broken` for one that cannot
    be read. ValueError where it is not certain how the document goes on."""
    with _Text(file) as text:
        walk, is_first = _Walk(text), True
        while walk.peek():
            places = set()
            for leaf in walk.leaves(()):
                places.add((leaf.path, leaf.in_list))
                if leaf.in_list and leaf.path == path:
                    yield leaf.value
            if places and (path, True) not in places and not is_first:
                raise ValueError(
                    f"the document before byte {walk.place():,} has not the list of the first one"
                )
            is_first = False


def documents(file: BinaryIO) -> Iterator[Any]:
    """Documents one after another, as `members` gives them."""
    with _Text(file) as text:
        for leaf in _Walk(text).list_at((), "", None):
            yield leaf.value


def are_several(file: BinaryIO) -> bool:
    """Whether another document, or a comma, stands behind the first one. Returns to the start of the file."""
    file.seek(0)
    with _Text(file) as text:
        start = text.read(SAMPLE_SIZE).lstrip(BLANK)
    file.seek(0)
    try:
        value, end = DECODER.raw_decode(start)
    except (ValueError, RecursionError):
        return False
    behind = start[end:].strip()
    return isinstance(value, dict | list) and bool(behind) and behind.lstrip(BLANK)[:1] in ("", "{", "[")


def sample(file: BinaryIO) -> Any:
    """The document as far as its beginning tells."""
    found: Json = {}
    with _Text(file) as text:
        walk = _Walk(text)
        try:
            for leaf in walk.leaves(()):
                _put(found, leaf)
                if walk.passed > SAMPLE_SIZE:
                    break
        except ValueError:
            pass  # who reads the members is told
    return found.get("")


def _put(found: Json, leaf: Leaf) -> None:
    *around, name = ("", *leaf.path)
    node: Any = found
    for each in around:
        node = node.setdefault(each, {}) if isinstance(node, dict) else None
    if not isinstance(node, dict) or isinstance(leaf.value, Broken):
        return  # a name twice, with two kinds of values
    if not leaf.in_list:
        node[name] = leaf.value
    elif isinstance(node.setdefault(name, []), list):
        node[name].append(leaf.value)


class _Text:
    """Bytes that are no UTF-8 become surrogates. The file stays open: it belongs to the caller."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")

    def __enter__(self) -> TextIO:
        return self._text

    def __exit__(self, *_: object) -> None:
        self._text.detach()


class _Walk:
    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._left, self._at, self._at_end, self._is_odd = "", 0, False, False
        self.passed = 0  # bytes that are not needed any more

    def leaves(self, path: Names) -> Iterator[Leaf]:
        opening = self._next()
        if opening == "[":
            self._at += 1
            yield from self.list_at(path, "]", len(path))
            self._at += 1
        elif opening == "{" and len(path) < DEEPEST:
            self._at += 1
            while self._next() != "}":
                name = self._value()
                if not isinstance(name, str) or self._next() != ":":
                    raise ValueError(f"invalid JSON: a name and a colon must stand at byte {self.place():,}")
                self._at += 1
                yield from self.leaves((*path, name))
            self._at += 1
        else:
            yield Leaf(path, self._value(), False)

    def list_at(self, path: Names, end: str, depth: int | None) -> Iterator[Leaf]:
        """The members up to the end of a list, which is empty for documents one after another."""
        names: Set[str] | None = None  # that all members have
        while (opening := self.peek()) != end:
            if not opening:
                raise ValueError("invalid JSON: the document ends too early")
            try:
                value = self._member()
            except ValueError as error:
                yield from (Leaf(path, each, True) for each in self._broken(error, names, depth))
                continue
            if isinstance(value, dict):
                names = value.keys() if names is None else names & value.keys()
            yield Leaf(path, value, True)

    def _broken(self, error: ValueError, names: Set[str] | None, depth: int | None) -> Iterator[Broken]:
        """The members that cannot be read, up to the next one. `Lost` if there is none."""
        self._fill()
        start, raw = self.place(), self._raw()
        if not names:
            names = likely_names(self._left[self._at : self._at + AHEAD], depth)
        others = self._goes_on(names, depth)
        if others is None:
            raise Lost(Broken(f"{error}; nothing is read from byte {start:,} on", raw))
        end = others[0][0] if others else self.place()
        yield Broken(f"{error}; nothing is read from byte {start:,} to {end:,}", raw[: end - start])
        for place, text in others:
            yield Broken(f"invalid JSON: the record at byte {place:,} cannot be read", text)

    def _member(self) -> Any:
        """`Broken` if it is no UTF-8. ValueError, and no step on, if it is no JSON or closed too early."""
        value, length = self._decoded()
        while len(self._left) - self._at - length < LONGEST_NAME and not self._at_end:
            self._read()
        raw = self._left[self._at : self._at + length]
        end = self._at + length
        named = name_at(self._left, self._at if isinstance(value, str) else after_blanks(self._left, end))
        if named is not None and not (isinstance(value, dict) and named in value):
            raise ValueError(f"invalid JSON: {named[:60]!r} stands in no object at byte {self.place(end):,}")
        if self._is_odd and (wrong := not_utf8(raw.encode(errors="surrogateescape"))):
            value = Broken(f"{wrong}; the record starts at byte {self.place():,}", self._raw()[: len(raw)])
        self._at = end
        return scrubbed(value) if re.search(r"\\u[dD]", raw) else value

    def _goes_on(self, names: Set[str], depth: int | None) -> list[tuple[int, bytes]] | None:
        """Moves to the next object that certainly is a member; to the end if there is none, and gives None.

        Else gives the places of the other members that were passed: those that stand in their own line, with
        the same indent as the one that is found.
        """
        passed: list[tuple[str, int, bytes]] = []
        while True:
            if before := next_object(self._left, self._at + 1, depth):
                self._at, blank = before.end(), before[0]
                self._fill()
                if has_most(self._left, self._at, names) and self._is_member(names, depth):
                    return [(place, raw) for other, place, raw in passed if other == blank]
                if "\n" in blank and len(passed) < MOST_PASSED:
                    passed.append((blank, self.place(), self._raw()))
            elif self._at_end:
                self._at = len(self._left)
                return None
            else:
                written = len(self._left.rstrip())  # a comma may stand there
                self._at = max(self._at, written - 2)
                self._read()

    def _is_member(self, names: Set[str], depth: int | None) -> bool:
        end = self._at + AHEAD
        return is_member(self._left[self._at : end], names, depth, self._at_end and len(self._left) <= end)

    def _fill(self) -> None:
        while len(self._left) - self._at < AHEAD and not self._at_end:
            self._read()

    def _raw(self) -> bytes:
        return self._left[self._at : self._at + SHOWN].encode(errors="surrogateescape")

    def peek(self) -> str:
        """The next character that is neither a blank nor a comma; empty at the end of the document."""
        while True:
            while (found := self._left[self._at : self._at + 1]) and found in BLANK:
                self._at += 1
            if found or self._at_end:
                return found
            self._read()

    def place(self, at: int | None = None) -> int:
        """The byte of the document at this character of what is left."""
        return self.passed + _bytes(self._left[: self._at if at is None else at])

    def _next(self) -> str:
        if found := self.peek():
            return found
        raise ValueError("invalid JSON: the document ends too early")

    def _read(self) -> None:
        left = self._left[self._at :]
        more = self._text.read(max(PIECE, len(left)))
        self.passed = self.place()
        self._is_odd = (self._is_odd and bool(left)) or not _is_utf8(more)
        self._left, self._at, self._at_end = left + more, 0, not more

    def _value(self) -> Any:
        self._next()
        value, length = self._decoded()
        self._at += length
        return value

    def _decoded(self) -> tuple[Any, int]:
        """The value that starts here, and its length; nothing is passed. ValueError says what is wrong."""
        while True:
            try:
                value, end = DECODER.raw_decode(self._left, self._at)
                if end + LONGEST_CUT < len(self._left) or self._at_end:
                    return value, end - self._at
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos + LONGEST_CUT >= len(self._left)
                if not is_cut or self._at_end or len(self._left) - self._at > LONGEST_VALUE:
                    where = f"{error.msg.rstrip(': ').removesuffix(' at')} at byte {self.place(error.pos):,}"
                    raise ValueError(f"invalid JSON: {where}") from error
            except (ValueError, RecursionError) as error:
                raise ValueError(f"invalid JSON: {error}") from error
            self._read()  # the value may go on


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogateescape"))


def _is_utf8(text: str) -> bool:
    """Not for text with the surrogates of `_Text`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

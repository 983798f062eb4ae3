"""A large JSON document, value by value: it is never in memory as a whole."""

import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, TextIO

from rolecall.streams.feeds.files.documents import SAMPLE_SIZE
from rolecall.streams.feeds.values.json_values import Json, Names

PIECE = 2**20  # characters that are read at once
LONGEST_VALUE = 64 * 2**20
DEEPEST = 8  # objects in objects that are walked through; a deeper one is one value


class Leaf(NamedTuple):
    path: Names
    value: Any
    in_list: bool  # a member of the list at this path


def members(file: BinaryIO, path: Names) -> Iterator[Any]:
    """The members of the list at a path. ValueError at the first value that is no JSON."""
    with _Text(file) as text:
        for leaf in _Walk(text).leaves(()):
            if leaf.in_list and leaf.path == path:
                yield leaf.value


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
    if not isinstance(node, dict):
        return  # a name twice, with two kinds of values
    if not leaf.in_list:
        node[name] = leaf.value
    elif isinstance(node.setdefault(name, []), list):
        node[name].append(leaf.value)


class _Text:
    """Bytes that are no UTF-8 become U+FFFD. The file stays open: it belongs to the caller."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace")

    def __enter__(self) -> TextIO:
        return self._text

    def __exit__(self, *_: object) -> None:
        self._text.detach()


class _Walk:
    def __init__(self, text: TextIO) -> None:
        self._text, self._decoder = text, json.JSONDecoder(strict=False)
        self._left, self._at, self._at_end = "", 0, False
        self.passed = 0  # characters that are not needed any more

    def leaves(self, path: Names) -> Iterator[Leaf]:
        opening = self._next()
        if opening == "[":
            self._at += 1
            while self._next() != "]":
                yield Leaf(path, self._value(), True)
            self._at += 1
        elif opening == "{" and len(path) < DEEPEST:
            self._at += 1
            while self._next() != "}":
                name = self._value()
                if not isinstance(name, str) or self._next() != ":":
                    raise ValueError(f"invalid JSON: a name and a colon must stand at {str(name)[:60]!r}")
                self._at += 1
                yield from self.leaves((*path, name))
            self._at += 1
        else:
            yield Leaf(path, self._value(), False)

    def _next(self) -> str:
        """The next character that is neither a blank nor a comma. ValueError at the end of the document."""
        while True:
            while (found := self._left[self._at : self._at + 1]) in (" ", "\t", "\r", "\n", ","):
                self._at += 1
            if found:
                return found
            if self._at_end:
                raise ValueError("invalid JSON: the document ends too early")
            self._read()

    def _read(self) -> None:
        left = self._left[self._at :]
        more = self._text.read(max(PIECE, len(left)))
        self.passed += self._at
        self._left, self._at, self._at_end = left + more, 0, not more

    def _value(self) -> Any:
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._left, self._at)
                if end < len(self._left) or self._at_end:
                    self._at = end
                    return value
            except (ValueError, RecursionError) as error:
                if self._at_end or len(self._left) - self._at > LONGEST_VALUE:
                    raise ValueError(f"invalid JSON: {error}") from error
            self._read()  # the value may go on

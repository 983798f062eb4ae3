"""XML as people write it, for a strict parser."""

import re
from html.entities import html5
from typing import BinaryIO

_LONGEST = 40  # bytes of a token
_TOKEN = re.compile(rb"<!\[CDATA\[|\]\]>|&(?:(#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,32});)?")
_OF_XML = {b"amp", b"lt", b"gt", b"quot", b"apos"}
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32)])
_SPACES = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))


class Mended:
    """Reads a file, and mends what can only mean one thing: `&` alone, the named characters of HTML such as
    `&nbsp;`, and control characters, which become spaces. CDATA keeps its `&`. UTF-16 stays as it is."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._held = b""  # the beginning of a token, perhaps
        self._in_cdata = False
        self._is_wide: bool | None = None  # two bytes a character; None before the first were read

    def read(self, size: int = -1) -> bytes:
        while raw := self._file.read(size):
            if self._is_wide is None:
                self._is_wide = b"\0" in raw[:4] or raw.startswith((b"\xff\xfe", b"\xfe\xff"))
            if self._is_wide:
                return raw
            data = self._held + raw
            start = max(len(data) - _LONGEST, 0)
            token = re.search(rb"[&<\]]", data[start:])
            end = start + token.start() if token else len(data)
            end = len(data[:end].rstrip(b"]"))
            data, self._held = data[:end], data[end:]
            if data:
                return self._mend(data)
        rest, self._held = self._held, b""
        return self._mend(rest)

    def _mend(self, data: bytes) -> bytes:
        return _TOKEN.sub(self._token, data.translate(_SPACES))

    def _token(self, found: re.Match[bytes]) -> bytes:
        token, name = found[0], found[1]
        if not token.startswith(b"&"):
            self._in_cdata = token.startswith(b"<")
        elif not self._in_cdata and name not in _OF_XML:
            return _reference(name)
        return token


def _reference(name: bytes | None) -> bytes:
    if name is None:
        return b"&amp;"
    text = name.decode()
    if not text.startswith("#"):
        meant = html5.get(f"{text};")
        return b"&amp;%b;" % name if meant is None else b"".join(b"&#%d;" % ord(each) for each in meant)
    code = int(text[2:], 16) if text[1] == "x" else int(text[1:])
    if code < 32 and code not in (9, 10, 13):
        return b" "
    is_character = code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code <= 0x10FFFF
    return b"&%b;" % name if is_character else b"&#65533;"

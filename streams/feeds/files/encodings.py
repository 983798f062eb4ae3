"""The encoding of a file: its BOM, else UTF-8 where it is that, else what chardet says."""

import codecs
from typing import BinaryIO

import chardet

LONGEST_SAMPLE = 65_536
NO_EBCDIC = chardet.EncodingEra.ALL & ~chardet.EncodingEra.MAINFRAME  # no letter of it is ASCII
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(file: BinaryIO) -> str:
    """Reads the file once and returns to its start.

    A file with more lines of good than of bad UTF-8 is UTF-8 with some broken lines.
    """
    head = file.read(4)
    file.seek(0)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if len(head) == 4 and head.count(0) == 2 and head[:2].count(0) == 1:
        return "utf-16-le" if head[1] == 0 else "utf-16-be"
    good, bad, sample = 0, 0, bytearray()
    while line := file.readline(1_000_000):
        if not line.isascii():
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError:
                bad += 1
                if len(sample) < LONGEST_SAMPLE:
                    sample += line
    file.seek(0)
    if bad == 0 or good >= bad:
        return "utf-8"
    found = chardet.detect(bytes(sample), encoding_era=NO_EBCDIC).get("encoding")
    return str(found) if found and found.lower() not in ("ascii", "utf-8") else "cp1252"


def not_utf8(raw: bytes) -> str | None:
    """What is wrong with bytes that are no UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte 0x{raw[error.start]:02X} at {error.start + 1}); save the file as UTF-8"
    return None

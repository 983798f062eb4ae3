"""gzip that is read as far as it goes: where the file is damaged or breaks off, it ends."""

import io
import zlib
from typing import Any, BinaryIO

GZIP = zlib.MAX_WBITS | 16
PIECE = 2**16  # packed bytes that are read at once


class Unpacked(io.RawIOBase):
    """The bytes in a gzip file, also of several ones after another.

    damage: why they end too early, and where. is_torn: whether they end inside of a line.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.damage, self.is_torn = "", False
        self._restart()

    def _restart(self) -> None:
        self._file.seek(0)
        self._at, self._packed, self._ready, self._last, self._is_over = 0, b"", b"", b"", False
        self._inflate = zlib.decompressobj(GZIP)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """A step back reads the file again from its start."""
        if whence == io.SEEK_END:
            while self.read(PIECE):
                pass
        target = offset if whence == io.SEEK_SET else self._at + offset
        if target < self._at:
            self._restart()
        while self._at < target and self.read(min(PIECE, target - self._at)):
            pass
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._ready:
            self._ready = self._next()
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _next(self) -> bytes:
        """The next bytes; none at the end, and where the file is damaged."""
        while not self._is_over:
            self._packed = self._packed or self._file.read(PIECE)
            if self._inflate.eof:
                self._is_over = not self._packed
                self._packed = self._packed.lstrip(b"\0")  # padding
                self._inflate = zlib.decompressobj(GZIP) if self._packed else self._inflate
                continue
            before, at_end = self._inflate.copy(), not self._packed
            try:
                found = self._inflate.decompress(self._packed, PIECE)
            except zlib.error as error:
                found = _as_far_as_possible(before, self._packed)
                doubt = "" if "header" in str(error) else "; what stands before may be wrong, too"
                self._ends(f"{error}{doubt}", found)
                return found
            self._packed = self._inflate.unconsumed_tail or self._inflate.unused_data
            if found:
                self._last = found[-1:]
                return found
            if at_end and not self._inflate.eof:
                self._ends("it breaks off", found)
        return b""

    def _ends(self, why: str, found: bytes) -> None:
        self._is_over = True
        self.is_torn = (found or self._last)[-1:] not in b"\r\n"
        self.damage = f"{why}; from byte {self._at + len(found):,} on, unpacked, nothing is read"


def _as_far_as_possible(inflate: Any, packed: bytes) -> bytes:
    parts = []
    try:
        for at in range(len(packed)):
            parts.append(inflate.decompress(packed[at : at + 1]))
    except zlib.error:
        pass  # it is damaged here
    return b"".join(parts)

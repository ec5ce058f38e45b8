"""Check SQLite's write-ahead log before SQLite reads it.

SQLite reads a log up to the first damaged frame and silently ignores the rest, which may hold totals already shown. The
format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HEADER = 32
_FRAME = 24
_MAGIC = 0x377F0682  # the last bit is set if checksums are computed over big-endian words
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Log:
    """The content of a log: the number of readable transactions, and of those lost after the first damaged frame.

    One lost transaction is normal after a power cut: its commit had not returned yet. Two mean damage, because the
    second is written only after the first is on the disk.
    """

    readable: int = 0
    lost: int = 0
    header_sound: bool = True

    @property
    def damage(self) -> str | None:
        """Return what is damaged, None for a log that SQLite can have written."""
        if not self.header_sound:
            return "its first bytes are not those of a log"
        return f"{self.lost} transactions in it cannot be read" if self.lost > 1 else None


@dataclass(frozen=True, slots=True)
class _Header:
    page_size: int
    salts: bytes
    big_endian: bool
    checksum: tuple[int, int]


def read(path: Path) -> Log:
    """Return the content of the log at `path`; a missing log is empty. Raises OSError."""
    if not path.exists():
        return Log()
    with path.open("rb") as file:
        start = file.read(HEADER)
        header = _header(start)
        if header is None:
            # SQLite syncs the header before it writes a frame, so a bad header with frames after it is damage.
            return Log(header_sound=len(start) < HEADER or not file.read(1))
        return _transactions(file, header)


def _header(data: bytes) -> _Header | None:
    if len(data) < HEADER:
        return None
    magic, _, page_size = struct.unpack(">III", data[:12])
    big_endian = bool(magic & 1)
    checksum = _sum(data[:24], (0, 0), big_endian)
    if magic & ~1 != _MAGIC or struct.pack(">II", *checksum) != data[24:32] or not 512 <= page_size <= 65536:
        return None
    return _Header(page_size, data[16:24], big_endian, checksum)


def _transactions(file: BinaryIO, header: _Header) -> Log:
    readable = lost = 0
    checksum, sound = header.checksum, True
    for frame, page in _frames(file, header.page_size):
        # Frames with other salts are left over from before the log was last restarted.
        current = frame[8:16] == header.salts
        if sound:
            checksum = _sum(page, _sum(frame[:8], checksum, header.big_endian), header.big_endian)
            sound = current and struct.pack(">II", *checksum) == frame[16:24]
        # Only the last frame of a transaction has a size of the database, which is not zero.
        commits = current and frame[4:8] != bytes(4)
        readable += commits and sound
        lost += commits and not sound
    return Log(readable, lost)


def _frames(file: BinaryIO, page_size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the header and the page of each frame. A frame cut off at the end of the file was never synced."""
    while len(data := file.read(_FRAME + page_size)) == _FRAME + page_size:
        yield data[:_FRAME], data[_FRAME:]


def _sum(data: bytes, checksum: tuple[int, int], big_endian: bool) -> tuple[int, int]:
    """Continue a checksum over more data, by the algorithm of the file format."""
    words = array("I", data)
    if big_endian != (sys.byteorder == "big"):
        words.byteswap()
    first, second = checksum
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & _WORD
        second = (second + words[index + 1] + first) & _WORD
    return first, second

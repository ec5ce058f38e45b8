"""Detect whether the state file at the path is still the one that was opened.

SQLite does not notice when an open file is deleted or replaced: it keeps writing to a file that no longer has a name,
and everything it wrote is lost when the process ends.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

_Stamp = tuple[int, int, int]


class Fate(Enum):
    """What happened to an open file: the same, deleted, replaced, changed by others, or without its log."""

    SAME = auto()
    GONE = auto()
    REPLACED = auto()
    CHANGED = auto()
    LOG_LOST = auto()


class Presence:
    """Know the state file and its log as this process last left them."""

    def __init__(self, path: str) -> None:
        # SQLite follows symbolic links and puts the log beside the target, so that is the file to watch.
        self.file = Path(os.path.realpath(path))
        self.log = log_of(self.file)
        self._file: _Stamp | None = None
        self._log: _Stamp | None = None

    def note(self) -> None:
        """Remember the files as they are now as the ones that are open."""
        with suppress(OSError):
            self._file, self._log = _stamp(self.file), _stamp(self.log)

    def fate(self) -> Fate:
        """Return what happened since `note`. If the files cannot be inspected, they count as unchanged."""
        try:
            file, log = _stamp(self.file), _stamp(self.log)
        except OSError:
            return Fate.SAME
        if self._file is None:
            return Fate.SAME
        if file is None:
            return Fate.GONE
        if file[:2] != self._file[:2]:
            return Fate.REPLACED
        if file != self._file:
            return Fate.CHANGED
        return Fate.LOG_LOST if self._log and (log is None or log[:2] != self._log[:2]) else Fate.SAME

    def put_back(self, db: sqlite3.Connection) -> None:
        """Write the content of the open connection to the path, where no file is. Raises sqlite3.Error and OSError."""
        copy = self._copy(db, "new")
        self._drop_log()
        _move(copy, self.file)
        _sync(self.file.parent)

    def keep(self, db: sqlite3.Connection) -> Path:
        """Save the content of the open connection beside the path, and return where. Raises sqlite3.Error and
        OSError."""
        number = self._file[1] if self._file else 0
        copy = self._copy(db, f"kept-{number}")
        self._drop_log()
        return copy

    def _copy(self, db: sqlite3.Connection, ending: str) -> Path:
        copy = self.file.with_name(f"{self.file.name}.{ending}")
        copy.unlink(missing_ok=True)
        db.execute("VACUUM INTO ?", (str(copy),))
        with copy.open("rb+") as file:
            os.fsync(file.fileno())
        _sync(copy.parent)
        return copy

    def _drop_log(self) -> None:
        """Delete the log of the lost file: SQLite would apply it to the file that is at the path now."""
        log = _stamp(self.log)
        if log and self._log and log[:2] == self._log[:2]:
            self.log.unlink()


def log_of(file: Path) -> Path:
    """Return the path of a state file's write-ahead log."""
    return file.with_name(f"{file.name}-wal")


def _move(source: Path, target: Path) -> None:
    """Move a file to a path where no file is. Raises OSError; FileExistsError instead of overwriting a file."""
    try:
        os.link(source, target)  # unlike a rename it never overwrites
    except FileExistsError:
        raise
    except OSError:
        # CIFS, exFAT and many FUSE file systems have no hard links.
        _move_without_link(source, target)
    else:
        source.unlink()


def _move_without_link(source: Path, target: Path) -> None:
    """Move a file without a hard link: create the target exclusively, then rename over it.

    The placeholder is not empty, so that if the process is killed in between, the next start refuses it instead of
    counting from 0.
    """
    with target.open("xb") as file:
        file.write(f"The totals are in {source.name}: rename it to {target.name}.\n".encode())
    try:
        os.replace(source, target)
    except OSError:
        target.unlink()
        raise


def _stamp(path: Path) -> _Stamp | None:
    """Return the device, inode and size of the file at a path, None if there is no file."""
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return None
        raise
    return found.st_dev, found.st_ino, found.st_size


def _sync(folder: Path) -> None:
    """Sync a directory, so that a new name in it survives a power cut. Some file systems cannot; that is ignored."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

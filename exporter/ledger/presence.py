"""Whether the state file is still the one that was opened: SQLite goes on writing to one that nobody can find again."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

_Stamp = tuple[int, int, int]


class Fate(Enum):
    """What has become of a file that is open."""

    SAME = auto()
    GONE = auto()
    REPLACED = auto()
    CHANGED = auto()
    LOG_LOST = auto()


class Presence:
    """The state file and its log, as this process left them on the disk."""

    def __init__(self, path: str) -> None:
        # SQLite follows links, and has the log beside the file itself.
        self.file = Path(os.path.realpath(path))
        self.log = log_of(self.file)
        self._file: _Stamp | None = None
        self._log: _Stamp | None = None

    def note(self) -> None:
        """Take the files as they are now for those that are open."""
        with suppress(OSError):
            self._file, self._log = _stamp(self.file), _stamp(self.log)

    def fate(self) -> Fate:
        """What happened since `note`; where nobody may look, nothing."""
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
        """Write what an open connection holds to the path, where nothing is. Raises sqlite3.Error and OSError."""
        copy = self._copy(db, "new")
        self._drop_log()
        _move(copy, self.file)
        _sync(self.file.parent)

    def keep(self, db: sqlite3.Connection) -> Path:
        """Write what an open connection holds beside the path; returns where. Raises sqlite3.Error and OSError."""
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
        """The log of the lost file would be taken for that of the one at the path."""
        log = _stamp(self.log)
        if log and self._log and log[:2] == self._log[:2]:
            self.log.unlink()


def log_of(file: Path) -> Path:
    """The write-ahead log of a state file."""
    return file.with_name(f"{file.name}-wal")


def _move(source: Path, target: Path) -> None:
    """Move a file to a path where nothing is. Raises OSError, and FileExistsError instead of overwriting."""
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
    """Take the path with a file of our own, which a rename may overwrite. It is not empty: should the process be killed
    in between, the next start refuses it instead of starting at 0."""
    with target.open("xb") as file:
        file.write(f"The totals are in {source.name}: rename it to {target.name}.\n".encode())
    try:
        os.replace(source, target)
    except OSError:
        target.unlink()
        raise


def _stamp(path: Path) -> _Stamp | None:
    """Which file is at a path, and its size; None where there is none."""
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            return None
        raise
    return found.st_dev, found.st_ino, found.st_size


def _sync(folder: Path) -> None:
    """Some file systems cannot sync a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

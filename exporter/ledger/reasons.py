"""Why a state file cannot be used, precisely: whoever is told that a full disk is a damaged file deletes the totals."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# What SQLite says where the disk, its file system or a permission is in the way, whichever of them.
_OUTER = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
_PASSING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged, or no database."""
    return _code(error) in _DAMAGED


def reason(path: str, error: sqlite3.Error | OSError) -> str:
    """Return what is said of a path, why, and what to do."""
    if isinstance(error, OSError):
        said = error.strerror or type(error).__name__
        return (
            f"{said}; {_cause(path)}; keep the file" if error.errno in _PASSING else f"{said}; name another state.path"
        )
    return f"{error}; {_cause(path)}; keep the file" if _code(error) in _OUTER else str(error)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _cause(path: str) -> str:
    """SQLite tells neither of these from the other."""
    file = Path(os.path.realpath(path))
    folder = file.parent
    try:
        there = os.statvfs(folder)
    except OSError as error:
        return f"the directory {folder} cannot be read ({error.strerror})"
    if there.f_flag & os.ST_RDONLY:
        return "make the file system writable"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"let this process's user write in the directory {folder}"
    if os.path.exists(file) and not os.access(file, os.R_OK | os.W_OK):
        return "let this process's user read and write it"
    if there.f_bavail == 0 or (there.f_files and there.f_favail == 0):
        return "make room on the disk"
    return "look for room on the disk, quotas, and errors of the disk"

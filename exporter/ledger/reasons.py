"""Explain precisely why a state file cannot be used, and what to do.

Precision matters: an operator who is told that the file is damaged while the disk is full would delete the totals.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# Error codes of SQLite that do not tell a full disk, a read-only file system and a missing permission apart.
_OUTER = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
# Conditions that an operator can remove; the file itself is intact.
_PASSING = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOSPC, errno.EDQUOT)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether SQLite reports that the file is damaged or is not a database."""
    return _code(error) in _DAMAGED


def reason(path: str, error: sqlite3.Error | OSError) -> str:
    """Return the text of an error, its likely cause, and what to do."""
    if isinstance(error, OSError):
        said = error.strerror or type(error).__name__
        return f"{said}; {_cause(path)}; keep the file" if error.errno in _PASSING else f"{said}; name another file"
    return f"{error}; {_cause(path)}; keep the file" if _code(error) in _OUTER else str(error)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _cause(path: str) -> str:
    """Find the cause that SQLite's error code leaves open, and return what to do about it."""
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
    return "check free space, quotas and disk errors"

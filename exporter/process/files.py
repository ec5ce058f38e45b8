"""Allows as many open files as the system grants.

Each target has connections of its own: at the start two, later one. 500 targets exceed the usual limit of 1,024, which
only programs that use select() need, and which systems set far below what they grant.
"""

from __future__ import annotations

import resource
from contextlib import suppress


def allow_many() -> None:
    """Raise the limit of open files of this process to the highest one that it may set."""
    _, granted = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS says that it grants any number, and refuses it.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (granted, granted))

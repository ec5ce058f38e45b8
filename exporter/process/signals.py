"""Handles SIGTERM and SIGINT outside an event loop.

For PID 1 these signals have no default action: one that arrives before a handler is installed is lost. So this module
is imported first, and imports nothing that takes time.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """A command was ended by SIGTERM or SIGINT. `status` is the exit code that shells use for it, 128 plus its number.
    Not an Exception, so that no handler of errors catches it."""

    def __init__(self, number: int) -> None:
        self.name, self.status = signal.Signals(number).name, 128 + number
        super().__init__(self.name)


class _Remembering:
    """A handler that keeps the first signal for later."""

    def __init__(self) -> None:
        self.received: int | None = None

    def __call__(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number


def remember() -> None:
    """Keep SIGTERM and SIGINT until `raising` begins, and ignore SIGHUP: there is no configuration to reload yet."""
    handler = _Remembering()
    for number in STOPPING:
        signal.signal(number, handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextmanager
def remembering() -> Iterator[None]:
    """Keep signals during the block, or until `raising` begins within it.

    Raises Interrupted at the end of the block if one was kept.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    handler = _Remembering()
    for number in STOPPING:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
    if handler.received is not None:
        raise Interrupted(handler.received)


@contextmanager
def raising() -> Iterator[None]:
    """Raise Interrupted at the first signal during the block, or at once for one that was kept before."""
    # Python delivers signals to the main thread only; another one (in tests) runs the block as it is.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOPPING}
    for number in STOPPING:
        signal.signal(number, _interrupt)
    try:
        for handler in before.values():
            if isinstance(handler, _Remembering) and handler.received is not None:
                raise Interrupted(handler.received)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> None:
    # A second signal must not interrupt the cleanup after the first.
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)

"""SIGTERM and SIGINT outside an event loop.

As PID 1 a process has no default action: a signal that comes before there is a handler is lost. So this module is
imported first, and imports nothing that takes time.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """SIGTERM or SIGINT ended a command."""

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
    """Keep signals until `raising` begins. SIGHUP is ignored meanwhile: no configuration has been read yet."""
    handler = _Remembering()
    for number in STOPPING:
        signal.signal(number, handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@contextmanager
def remembering() -> Iterator[None]:
    """Keep signals until the end, or until `raising` begins within. Raises Interrupted at the end for one kept."""
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
    """Raise Interrupted at the first signal, also for one that was remembered. Only the main thread gets signals."""
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
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)

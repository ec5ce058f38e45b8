"""AWS's clock, estimated from the Date headers of its answers."""

from __future__ import annotations

import math

# A date has no parts of a second, and an answer may take some seconds to arrive.
_TOLERANCE = 60.0
# What it takes to give up an estimate: so many answers in a row, over so many seconds, that contradict it.
_ANSWERS, _SECONDS = 3, 60.0


class AwsClock:
    """Estimate AWS's time as an offset to the monotonic clock; `wall` is the machine's clock, `at` the monotonic one.

    A date counts at once when it agrees with the estimate or with the machine's clock. A date that agrees with neither
    may come from a proxy or from a host with a wrong clock: it counts only after several answers over a minute have
    contradicted the estimate. Until a date was accepted nobody knows whose clock is wrong, and the estimate is the
    earliest of all: a time too early costs some calls, a time too late would hide jobs or settle them too soon.
    """

    def __init__(self, wall: float, at: float) -> None:
        self._offset, self._accepted = wall - at, False
        self._contradictions, self._since, self._earliest = 0, at, math.inf

    def now(self, at: float) -> float:
        return at + (self._offset if self._accepted else min(self._offset, self._earliest))

    @property
    def doubtful(self) -> bool:
        """Whether answers contradict the machine's clock, and it is not decided yet which of them is right."""
        return not self._accepted and self._contradictions > 0

    def heard(self, date: float, wall: float, at: float) -> None:
        """Take the date of an answer into account."""
        offset, machine = date - at, wall - at
        if not self._accepted:
            self._offset = machine
        if _near(offset, self._offset) or _near(offset, machine):
            self._accept(offset)
            return
        if not self._contradictions:
            self._since = at
        self._contradictions += 1
        self._earliest = min(self._earliest, offset)
        if self._contradictions >= _ANSWERS and at - self._since >= _SECONDS:
            self._accept(self._earliest)

    def _accept(self, offset: float) -> None:
        self._offset, self._accepted = offset, True
        self._contradictions, self._earliest = 0, math.inf


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE

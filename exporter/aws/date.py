"""Estimates AWS's clock from the Date headers of its responses."""

from __future__ import annotations

import math

# Seconds. A date has no fractions, and a response may take some seconds to arrive.
_TOLERANCE = 60.0
# An estimate is replaced after this many consecutive contradicting responses over this many seconds.
_ANSWERS, _SECONDS = 3, 60.0


class AwsClock:
    """Estimates AWS's time as an offset from the monotonic clock. `wall` is the machine's clock, `at` the monotonic.

    A date that agrees with the estimate or with the machine's clock is accepted at once. A date that agrees with
    neither may come from a proxy or from a host with a wrong clock: it is accepted only after several responses over a
    minute have contradicted the estimate. Until a date is accepted, it is unknown which clock is wrong, and the
    estimate is the earliest candidate: a time that is too early costs some calls, one that is too late would hide jobs
    or settle them too soon.
    """

    def __init__(self, wall: float, at: float) -> None:
        self._offset, self._accepted = wall - at, False
        self._contradictions, self._since, self._earliest = 0, at, math.inf

    def now(self, at: float) -> float:
        """Return AWS's time in Unix seconds at a time of the monotonic clock."""
        return at + (self._offset if self._accepted else min(self._offset, self._earliest))

    @property
    def doubtful(self) -> bool:
        """Return whether responses contradict the machine's clock and it is not yet known which one is right."""
        return not self._accepted and self._contradictions > 0

    def heard(self, date: float, wall: float, at: float) -> None:
        """Update the estimate with the date of a response."""
        offset, machine = date - at, wall - at
        # Until a date is accepted, follow the machine's clock, which may be set in the meantime.
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

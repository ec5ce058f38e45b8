"""Decide when a source other than the jobs, such as a price list, is read again, and which failures are logged."""

from __future__ import annotations

import math
from dataclasses import dataclass

# The pause after a failure in seconds, which doubles with each further one, and its maximum.
_FIRST_RETRY, _LAST_RETRY = 60.0, 3600.0


@dataclass(slots=True)
class Attempts:
    """Track the reads of one source: when the last one ended (monotonic clock), and how many have failed since one
    succeeded.

    `warned` is the last warning logged since then.
    """

    tried: float = -math.inf
    failures: int = 0
    warned: str = ""

    @property
    def ok(self) -> bool | None:
        """Return whether the last read succeeded, None if there was none."""
        return None if self.tried == -math.inf else not self.failures

    def due(self, interval: float) -> float:
        """Return when the source is read again: after an interval (seconds), or sooner after a failure."""
        if not self.failures:
            return self.tried + interval
        return self.tried + min(_FIRST_RETRY * 2.0 ** min(self.failures - 1, 10), _LAST_RETRY, interval)

    def succeeded(self, at: float) -> None:
        """Record a read that succeeded."""
        self.tried, self.failures, self.warned = at, 0, ""

    def failed(self, at: float) -> None:
        """Record a read that failed."""
        self.tried, self.failures = at, self.failures + 1

    def is_news(self, warning: str) -> bool:
        """Return whether a warning differs from the previous one, and remember it."""
        news, self.warned = warning != self.warned, warning
        return news
